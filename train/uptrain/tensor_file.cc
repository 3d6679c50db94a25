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

std::string ReadOne(const std::string& name, const Json& json,
                    const std::string& data, NamedTensors& tensors) {
  const DtypeName* dtype = FindDtype(json["dtype"].string);
  if (dtype == nullptr) return name + ": dtype " + json["dtype"].string;
  std::vector<int64_t> shape;
  for (const Json& n : json["shape"].array) {
    shape.push_back(static_cast<int64_t>(n.number));
  }
  const std::vector<Json>& offsets = json["data_offsets"].array;
  if (offsets.size() != 2) return name + ": has no data_offsets";
  const uint64_t begin = static_cast<uint64_t>(offsets[0].number);
  const uint64_t end = static_cast<uint64_t>(offsets[1].number);
  at::Tensor tensor = at::empty(shape, at::TensorOptions(dtype->type));
  if (begin > end || end > data.size() || end - begin != tensor.nbytes()) {
    return name + ": its bytes are not in the file";
  }
  std::memcpy(tensor.data_ptr(), data.data() + begin, end - begin);
  tensors[name] = tensor;
  return "";
}

}  // namespace

std::string ReadTensorFile(const std::string& path, NamedTensors& tensors) {
  std::ifstream file(path, std::ios::binary);
  unsigned char bytes[8];
  if (!file.read(reinterpret_cast<char*>(bytes), sizeof(bytes))) {
    return path + ": can not be read";
  }
  uint64_t header_size = 0;
  for (int i = 7; i >= 0; --i) header_size = header_size << 8 | bytes[i];
  if (header_size > uint64_t{100} << 20) return path + ": header too long";
  std::string header(header_size, '\0');
  if (!file.read(header.data(), header.size())) return path + ": cut short";
  const std::string data((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  std::string error;
  const Json json = Json::Parse(header, error);
  if (!error.empty()) return path + ": header: " + error;
  for (const auto& [name, value] : json.object) {
    if (name == "__metadata__") continue;
    error = ReadOne(name, value, data, tensors);
    if (!error.empty()) return path + ": tensor " + error;
  }
  return "";
}

std::string ReadTensors(const std::string& directory, NamedTensors& tensors) {
  const std::string index_path = directory + "/model.safetensors.index.json";
  const std::string single_path = directory + "/model.safetensors";
  std::string text, error;
  if (std::ifstream(single_path) || !ReadFile(index_path, text)) {
    return ReadTensorFile(single_path, tensors);
  }
  const Json index = Json::Parse(text, error);
  if (!error.empty()) return index_path + ": " + error;
  std::set<std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].object) {
    shards.insert(shard.string);
  }
  for (const std::string& shard : shards) {
    error = ReadTensorFile(directory + "/" + shard, tensors);
    if (!error.empty()) return error;
  }
  return "";
}

std::string MatchTensors(NamedTensors& tensors, ModelConfig& config) {
  const char* const copies[] = {"encoder.embed_tokens.weight",
                                "decoder.embed_tokens.weight"};
  for (const char* copy : copies) {
    if (tensors.count("shared.weight") == 0 && tensors.count(copy) > 0) {
      tensors["shared.weight"] = tensors[copy];
    }
  }
  if (tensors.count("shared.weight") == 0) {
    return "there is no tensor shared.weight";
  }
  const at::Tensor table = tensors["shared.weight"].to(at::kFloat);
  const auto is_table = [&](const std::string& name) {
    return at::equal(tensors[name].to(at::kFloat), table);
  };
  for (const char* copy : copies) {
    if (tensors.count(copy) > 0 && !is_table(copy)) {
      return std::string("tensor ") + copy + " differs from shared.weight";
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
  return "";
}

std::string WriteTensorFile(const std::string& path,
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
  if (!writer.Finish()) return writer.error();
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    return path + ": can not be written";
  }
  return "";
}

}  // namespace sheaf
