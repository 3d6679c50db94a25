// SPDX-License-Identifier: Apache-2.0

#include "engine/model/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/input_file.h"
#include "base/strict_json.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using nlohmann::json;

// Reads the JSON of the header event by event, so that it sees each key and
// keeps only the tensors. Its places are the only levels of nesting that are
// allowed.
class HeaderReader final : public nlohmann::json_sax<json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  absl::Status& status() { return status_; }
  std::vector<TensorInfo>& tensors() { return tensors_; }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(int64_t value) override {
    return Unexpected(absl::StrCat(value));
  }
  bool number_float(double, const std::string& text) override {
    return Unexpected(Quoted(text));
  }
  bool binary(json::binary_t&) override { return Unexpected("bytes"); }

  bool number_unsigned(uint64_t value) override {
    if (place_ == Place::kOffsets) {
      if (offsets_->size() == 2) {
        return RefuseTensor("data_offsets has more than 2 numbers");
      }
      offsets_->push_back(value);
      return true;
    }
    if (place_ != Place::kShape) return Unexpected(absl::StrCat(value));
    if (shape_->size() == kMaxRank) {
      return RefuseTensor(
          absl::StrFormat("shape has more than %d dimensions", kMaxRank));
    }
    if (value > std::numeric_limits<int64_t>::max()) {
      return RefuseTensor(absl::StrFormat("shape has dimension %d", value));
    }
    shape_->push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::kMetadata) return true;
    if (place_ != Place::kTensor || field_ != Field::kDtype) {
      return Unexpected(Quoted(value));
    }
    Dtype dtype;
    if (ParseDtype(value, dtype)) {
      dtype_ = dtype;
      return true;
    }
    return RefuseTensor(absl::StrFormat("dtype is %s; allowed are %s",
                                        Quoted(value), AllDtypeNames()));
  }

  bool start_object(size_t) override {
    switch (place_) {
      case Place::kOutside:
        place_ = Place::kRoot;
        return true;
      case Place::kRoot:
        place_ = key_ == kMetadataKey ? Place::kMetadata : Place::kTensor;
        dtype_.reset();
        shape_.reset();
        offsets_.reset();
        return true;
      default:
        return Unexpected("an object");
    }
  }

  bool key(std::string& key) override {
    if (place_ == Place::kTensor) return TensorKey(key);
    absl::flat_hash_set<std::string>& keys =
        place_ == Place::kRoot ? root_keys_ : metadata_keys_;
    if (!keys.insert(key).second) {
      return Refuse(absl::StrCat("key ", Quoted(key), " occurs twice"));
    }
    if (place_ == Place::kRoot) key_ = key;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ == Place::kTensor && field_ == Field::kShape) {
      place_ = Place::kShape;
      shape_.emplace();
      return true;
    }
    if (place_ == Place::kTensor && field_ == Field::kOffsets) {
      place_ = Place::kOffsets;
      offsets_.emplace();
      return true;
    }
    return Unexpected("an array");
  }

  bool end_array() override {
    place_ = Place::kTensor;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kTensor && !AddTensor()) return false;
    place_ = place_ == Place::kRoot ? Place::kOutside : Place::kRoot;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const json::exception&) override {
    return Refuse(
        absl::StrCat("header is not valid JSON at its byte ", position));
  }

 private:
  enum class Place { kOutside, kRoot, kMetadata, kTensor, kShape, kOffsets };
  enum class Field { kDtype, kShape, kOffsets };
  static constexpr absl::string_view kMetadataKey = "__metadata__";

  bool TensorKey(const std::string& key) {
    bool is_repeated;
    if (key == "dtype") {
      field_ = Field::kDtype;
      is_repeated = dtype_.has_value();
    } else if (key == "shape") {
      field_ = Field::kShape;
      is_repeated = shape_.has_value();
    } else if (key == "data_offsets") {
      field_ = Field::kOffsets;
      is_repeated = offsets_.has_value();
    } else {
      return RefuseTensor(absl::StrCat("key ", Quoted(key),
                                       " is none of dtype, shape and "
                                       "data_offsets"));
    }
    return !is_repeated ||
           RefuseTensor(absl::StrCat("key ", Quoted(key), " occurs twice"));
  }

  // Rule 3, for the tensor that ends here.
  bool AddTensor() {
    if (!dtype_.has_value()) return RefuseTensor("dtype is missing");
    if (!shape_.has_value()) return RefuseTensor("shape is missing");
    if (!offsets_.has_value()) return RefuseTensor("data_offsets is missing");
    if (offsets_->size() != 2) {
      return RefuseTensor("data_offsets has fewer than 2 numbers");
    }
    const uint64_t begin = (*offsets_)[0], end = (*offsets_)[1];
    if (begin > end) {
      return RefuseTensor(absl::StrFormat(
          "data_offsets [%d, %d] end before they begin", begin, end));
    }
    int64_t num_elements = 1;
    bool overflows = false;
    for (const int64_t dim : *shape_) {
      overflows |= __builtin_mul_overflow(num_elements, dim, &num_elements);
    }
    int64_t num_bytes;
    overflows |=
        __builtin_mul_overflow(num_elements, DtypeBytes(*dtype_), &num_bytes);
    const std::string shape = absl::StrJoin(*shape_, ", ");
    if (overflows) {
      return RefuseTensor(
          absl::StrFormat("shape [%s] of %s has more bytes than 63 bits count",
                          shape, DtypeName(*dtype_)));
    }
    if (end - begin != static_cast<uint64_t>(num_bytes)) {
      return RefuseTensor(absl::StrFormat(
          "data_offsets [%d, %d] hold %d bytes; shape [%s] of %s needs %d",
          begin, end, end - begin, shape, DtypeName(*dtype_), num_bytes));
    }
    tensors_.push_back({.name = std::move(key_),
                        .dtype = *dtype_,
                        .shape = *std::move(shape_),
                        .strides = {},
                        .num_elements = num_elements,
                        .offset = begin});
    return true;
  }

  bool Refuse(absl::string_view rule) {
    status_ = absl::InvalidArgumentError(absl::StrCat(path_, ": ", rule));
    return false;
  }

  bool RefuseTensor(absl::string_view rule) {
    return Refuse(absl::StrCat("tensor ", Quoted(key_), ": ", rule));
  }

  // Refuses a value, `what`, at a place where it is not allowed.
  bool Unexpected(absl::string_view what) {
    switch (place_) {
      case Place::kOutside:
        return Refuse(absl::StrCat("header must be an object, but is ", what));
      case Place::kRoot:
        return RefuseTensor(absl::StrCat("must be an object, but is ", what));
      case Place::kMetadata:
        return Refuse(
            absl::StrCat("__metadata__ must hold strings, but has ", what));
      case Place::kShape:
        return RefuseTensor(absl::StrCat(
            "shape must hold unsigned 64-bit integers, but has ", what));
      case Place::kOffsets:
        return RefuseTensor(absl::StrCat(
            "data_offsets must hold unsigned 64-bit integers, but has ", what));
      case Place::kTensor:
        break;
    }
    constexpr absl::string_view kKinds[] = {"dtype must be a string",
                                            "shape must be an array",
                                            "data_offsets must be an array"};
    return RefuseTensor(
        absl::StrCat(kKinds[static_cast<int>(field_)], ", but is ", what));
  }

  const std::string& path_;
  absl::Status status_;
  std::vector<TensorInfo> tensors_;
  absl::flat_hash_set<std::string> root_keys_, metadata_keys_;

  Place place_ = Place::kOutside;
  std::string key_;  // of the root: a tensor's name
  Field field_ = Field::kDtype;
  std::optional<Dtype> dtype_;
  std::optional<std::vector<int64_t>> shape_;
  std::optional<std::vector<uint64_t>> offsets_;
};

// Rule 4. Reorders `tensors`, whose offsets count from the start of the data.
absl::Status CheckTiling(const std::string& path, uint64_t data_bytes,
                         std::vector<TensorInfo>& tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorInfo& a, const TensorInfo& b) {
              return std::pair(a.offset, a.num_bytes()) <
                     std::pair(b.offset, b.num_bytes());
            });
  uint64_t reached = 0;
  const TensorInfo* previous = nullptr;
  for (const TensorInfo& tensor : tensors) {
    const uint64_t begin = tensor.offset, end = begin + tensor.num_bytes();
    const auto refuse = [&](absl::string_view rule) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: tensor %s: data_offsets [%d, %d] %s", path,
                          Quoted(tensor.name), begin, end, rule));
    };
    if (end > data_bytes) {
      return refuse(
          absl::StrFormat("reach beyond the data's %d bytes", data_bytes));
    }
    if (begin < reached) {
      return refuse(absl::StrFormat("overlap with %s, [%d, %d]",
                                    Quoted(previous->name), previous->offset,
                                    reached));
    }
    if (begin > reached) {
      return refuse(absl::StrFormat("leave a hole from byte %d", reached));
    }
    reached = end;
    previous = &tensor;
  }
  if (reached != data_bytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: the data has %d bytes, but its tensors end at byte %d", path,
        data_bytes, reached));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TensorInfo>> ParseSafetensorsHeader(
    absl::string_view header, uint64_t data_offset, uint64_t data_bytes,
    const std::string& path) {
  absl::Status status = CheckJsonBytes(header, absl::StrCat(path, ": header"));
  if (!status.ok()) return status;
  HeaderReader reader(path);
  if (!json::sax_parse(header.begin(), header.end(), &reader)) {
    return std::move(reader.status());
  }
  std::vector<TensorInfo>& tensors = reader.tensors();
  status = CheckTiling(path, data_bytes, tensors);
  if (!status.ok()) return status;
  for (TensorInfo& tensor : tensors) tensor.offset += data_offset;
  std::sort(
      tensors.begin(), tensors.end(),
      [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
  return std::move(tensors);
}

}  // namespace sheaf
