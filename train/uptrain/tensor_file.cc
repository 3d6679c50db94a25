// SPDX-License-Identifier: Apache-2.0

#include "train/uptrain/tensor_file.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>

#include "train/common/json.h"
#include "train/common/model_config.h"
#include "train/common/safetensors_writer.h"

namespace sheaf {
namespace {

constexpr uint64_t kMaxHeaderBytes = uint64_t{100} << 20;

struct DtypeName {
  const char* name;
  at::ScalarType type;
};
constexpr DtypeName kDtypes[] = {{"F32", at::kFloat},
                                 {"F16", at::kHalf},
                                 {"BF16", at::kBFloat16},
                                 {"F64", at::kDouble},
                                 {"I64", at::kLong}};

const DtypeName* FindDtype(const std::string& name) {
  for (const DtypeName& each : kDtypes) {
    if (name == each.name) return &each;
  }
  return nullptr;
}

const DtypeName* FindDtype(at::ScalarType type) {
  for (const DtypeName& each : kDtypes) {
    if (type == each.type) return &each;
  }
  return nullptr;
}

// Reads the tensor that `json`, its entry in the header, describes.
Result<at::Tensor> ReadOne(const Json& json, const std::string& data) {
  const DtypeName* dtype = FindDtype(json["dtype"].string);
  if (dtype == nullptr) return Error{"dtype " + json["dtype"].string};
  std::vector<int64_t> shape;
  for (const Json& n : json["shape"].array) {
    shape.push_back(static_cast<int64_t>(n.number));
  }
  const std::vector<Json>& offsets = json["data_offsets"].array;
  if (offsets.size() != 2) return Error{"has no data_offsets"};
  const uint64_t begin = static_cast<uint64_t>(offsets[0].number);
  const uint64_t end = static_cast<uint64_t>(offsets[1].number);
  at::Tensor tensor = at::empty(shape, at::TensorOptions(dtype->type));
  if (begin > end || end > data.size() || end - begin != tensor.nbytes()) {
    return Error{"its bytes are not in the file"};
  }
  std::memcpy(tensor.data_ptr(), data.data() + begin, end - begin);
  return tensor;
}

}  // namespace

Result<NamedTensors> ReadTensorFile(const std::string& path) {
  const auto broken = [&path](const std::string& rule) {
    return Error{path + ": " + rule};
  };
  std::ifstream file(path, std::ios::binary);
  unsigned char bytes[8];
  if (!file.read(reinterpret_cast<char*>(bytes), sizeof(bytes))) {
    return broken("cannot be read");
  }
  uint64_t header_size = 0;
  for (int i = 7; i >= 0; --i) header_size = header_size << 8 | bytes[i];
  if (header_size > kMaxHeaderBytes) return broken("header too long");
  std::string header(header_size, '\0');
  if (!file.read(header.data(), header.size())) return broken("cut short");
  const std::string data((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  const Result<Json> json = Json::Parse(header);
  if (!json.ok()) return broken("header: " + json.error().message);
  NamedTensors tensors;
  for (const auto& [name, value] : json->object) {
    if (name == "__metadata__") continue;
    const Result<at::Tensor> tensor = ReadOne(value, data);
    if (!tensor.ok()) {
      return broken("tensor " + name + ": " + tensor.error().message);
    }
    tensors[name] = *tensor;
  }
  return tensors;
}

Result<NamedTensors> ReadTensors(const std::string& directory) {
  const std::string index_path = directory + "/model.safetensors.index.json";
  const std::string single_path = directory + "/model.safetensors";
  const Result<std::string> text = ReadFile(index_path);
  if (std::ifstream(single_path)) return ReadTensorFile(single_path);
  for (const char* name :
       {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (text.ok() || !std::ifstream(directory + "/" + name)) continue;
    return Error{directory + " has " + name +
                 ", which sheaf-train does not read; sheaf-convert writes it "
                 "as safetensors"};
  }
  if (!text.ok()) return ReadTensorFile(single_path);
  const Result<Json> index = Json::Parse(*text);
  if (!index.ok()) return Error{index_path + ": " + index.error().message};
  std::set<std::string> shards;
  for (const auto& [name, shard] : (*index)["weight_map"].object) {
    shards.insert(shard.string);
  }
  NamedTensors tensors;
  for (const std::string& shard : shards) {
    Result<NamedTensors> read = ReadTensorFile(directory + "/" + shard);
    if (!read.ok()) return read;
    tensors.merge(*read);
  }
  return tensors;
}

Result<void> MatchTensors(NamedTensors& tensors, ModelConfig& config) {
  const char* const copies[] = {"encoder.embed_tokens.weight",
                                "decoder.embed_tokens.weight"};
  for (const char* copy : copies) {
    if (tensors.count("shared.weight") == 0 && tensors.count(copy) > 0) {
      tensors["shared.weight"] = tensors[copy];
    }
  }
  if (tensors.count("shared.weight") == 0) {
    return Error{"there is no tensor shared.weight"};
  }
  const at::Tensor table = tensors["shared.weight"].to(at::kFloat);
  const auto is_table = [&](const std::string& name) {
    return at::equal(tensors[name].to(at::kFloat), table);
  };
  for (const char* copy : copies) {
    if (tensors.count(copy) > 0 && !is_table(copy)) {
      return Error{std::string("tensor ") + copy +
                   " differs from shared.weight"};
    }
    tensors.erase(copy);
  }
  tensors.erase(
      "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
  if (tensors.count("lm_head.weight") == 0) {
    if (config.has_own_head) tensors["lm_head.weight"] = table;
  } else if (!is_table("lm_head.weight")) {
    config.has_own_head = true;
  } else if (!config.has_own_head) {
    tensors.erase("lm_head.weight");
  }
  return {};
}

Result<void> WriteTensorFile(const std::string& path,
                             const NamedTensors& tensors,
                             std::optional<at::ScalarType> dtype) {
  std::vector<TensorToWrite> list;
  std::vector<at::Tensor> stored;
  for (const auto& [name, tensor] : tensors) {
    at::Tensor copy = tensor.detach().to(at::kCPU).contiguous();
    if (dtype.has_value() && copy.is_floating_point()) copy = copy.to(*dtype);
    list.push_back({name, FindDtype(copy.scalar_type())->name,
                    copy.sizes().vec(), copy.nbytes()});
    stored.push_back(copy);
  }
  const std::string partial = path + ".partial";
  SafetensorsWriter writer(partial, list);
  for (const at::Tensor& tensor : stored) {
    writer.Append(tensor.data_ptr(), tensor.nbytes());
  }
  Result<void> written = writer.Finish();
  if (!written.ok()) return written;
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    return Error{path + ": cannot be written"};
  }
  return {};
}

}  // namespace sheaf
