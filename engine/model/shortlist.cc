// SPDX-License-Identifier: Apache-2.0

#include "engine/model/shortlist.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "engine/model/little_endian.h"
#include "engine/model/safetensors.h"
#include "engine/model/tensor_file.h"

namespace sheaf {
namespace {

constexpr absl::string_view kFormat = "format";
constexpr absl::string_view kCommon = "common";
constexpr absl::string_view kOffsets = "offsets";
constexpr absl::string_view kTargets = "targets";

// Reads a tensor of one dimension with `min_size` to `max_size` elements.
absl::StatusOr<std::vector<uint8_t>> ReadTensor(const TensorFile& file,
                                                absl::string_view name,
                                                Dtype dtype, int64_t min_size,
                                                int64_t max_size) {
  const TensorInfo* tensor = file.Find(name);
  if (tensor == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: has no tensor \"%s\"", file.path(), name));
  }
  const int64_t size = tensor->num_elements;
  if (tensor->dtype != dtype || tensor->shape.size() != 1 || size < min_size ||
      size > max_size) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: tensor \"%s\": is %s [%s]; allowed is %s [%d..%d]", file.path(),
        name, DtypeName(tensor->dtype), absl::StrJoin(tensor->shape, ", "),
        DtypeName(dtype), min_size, max_size));
  }
  std::vector<uint8_t> bytes;
  bytes.reserve(tensor->num_bytes());
  const absl::Status status =
      file.ReadBytes(*tensor, [&](absl::Span<const uint8_t> some) {
        bytes.insert(bytes.end(), some.begin(), some.end());
      });
  if (!status.ok()) return status;
  return bytes;
}

absl::StatusOr<std::vector<int32_t>> ReadIds(const TensorFile& file,
                                             absl::string_view name,
                                             int64_t min_size,
                                             int64_t max_size) {
  const absl::StatusOr<std::vector<uint8_t>> bytes =
      ReadTensor(file, name, Dtype::kI32, min_size, max_size);
  if (!bytes.ok()) return bytes.status();
  std::vector<int32_t> ids(bytes->size() / sizeof(int32_t));
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<int32_t>(LoadU32(bytes->data() + 4 * i));
  }
  return ids;
}

absl::StatusOr<ShortlistVocabulary> ReadFormat(const TensorFile& file) {
  const absl::StatusOr<std::vector<uint8_t>> bytes =
      ReadTensor(file, kFormat, Dtype::kI64, 4, 4);
  if (!bytes.ok()) return bytes.status();
  const auto at = [&](int i) {
    return static_cast<int64_t>(LoadU64(bytes->data() + 8 * i));
  };
  const auto refused = [&](absl::string_view field, int64_t value,
                           int64_t allowed_to) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: tensor \"%s\": %s is %d; allowed are 1..%d",
                        file.path(), kFormat, field, value, allowed_to));
  };
  if (at(0) != Shortlist::kVersion) {
    return refused("version", at(0), Shortlist::kVersion);
  }
  for (const auto& [i, field] : {std::pair{1, "the source's vocabulary size"},
                                 std::pair{2, "the vocabulary size"}}) {
    if (at(i) < 1 || at(i) > Shortlist::kMaxVocabulary) {
      return refused(field, at(i), Shortlist::kMaxVocabulary);
    }
  }
  return ShortlistVocabulary{static_cast<int32_t>(at(1)),
                             static_cast<int32_t>(at(2)),
                             static_cast<uint64_t>(at(3))};
}

// Refuses a list of ids that are not in strictly ascending order, or not all
// in the vocabulary. `first` is the index of the first one in its tensor.
absl::Status CheckIds(const std::string& name, absl::string_view tensor,
                      absl::Span<const int32_t> ids, size_t first,
                      int32_t vocab_size) {
  for (size_t i = 0; i < ids.size(); ++i) {
    const int32_t least = i == 0 ? 0 : ids[i - 1] + 1;
    if (ids[i] >= least && ids[i] < vocab_size) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: tensor \"%s\": [%d] is %d; allowed there are %d..%d, because ids "
        "ascend and are below the vocabulary size",
        name, tensor, first + i, ids[i], least, vocab_size - 1));
  }
  return absl::OkStatus();
}

// Refuses offsets that do not lead from 0 to `num_targets` in ascending order.
absl::Status CheckOffsets(const std::string& name,
                          absl::Span<const int32_t> offsets,
                          int64_t num_targets) {
  for (size_t i = 0; i < offsets.size(); ++i) {
    const int64_t least = i == 0                    ? 0
                          : i + 1 == offsets.size() ? num_targets
                                                    : offsets[i - 1];
    const int64_t greatest = i == 0 ? 0 : num_targets;
    if (offsets[i] >= least && offsets[i] <= greatest) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: tensor \"%s\": [%d] is %d; allowed there are %d..%d, because "
        "offsets ascend from 0 to the number of targets",
        name, kOffsets, i, offsets[i], least, greatest));
  }
  return absl::OkStatus();
}

}  // namespace

Shortlist::Shortlist(std::string name, const ShortlistVocabulary& vocabulary,
                     ShortlistTables tables)
    : name_(std::move(name)),
      vocabulary_(vocabulary),
      tables_(std::move(tables)) {}

absl::StatusOr<Shortlist> Shortlist::Make(const std::string& name,
                                          const ShortlistVocabulary& vocabulary,
                                          ShortlistTables tables) {
  const int64_t num_targets = static_cast<int64_t>(tables.targets.size());
  const int64_t num_offsets = int64_t{vocabulary.source_size} + 1;
  if (static_cast<int64_t>(tables.offsets.size()) != num_offsets) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: tensor \"%s\": has %d elements; the source's vocabulary of %d "
        "tokens needs %d",
        name, kOffsets, tables.offsets.size(), vocabulary.source_size,
        num_offsets));
  }
  absl::Status status =
      CheckIds(name, kCommon, tables.common, /*first=*/0, vocabulary.size);
  if (!status.ok()) return status;
  status = CheckOffsets(name, tables.offsets, num_targets);
  if (!status.ok()) return status;
  Shortlist shortlist(name, vocabulary, std::move(tables));
  for (int32_t id = 0; id < vocabulary.source_size; ++id) {
    status = CheckIds(name, kTargets, shortlist.TargetsOf(id),
                      shortlist.tables_.offsets[id], vocabulary.size);
    if (!status.ok()) return status;
  }
  return shortlist;
}

absl::StatusOr<Shortlist> Shortlist::Read(const std::string& path) {
  const absl::StatusOr<TensorFile> file = OpenSafetensors(path);
  if (!file.ok()) return file.status();
  for (const TensorInfo& tensor : file->tensors()) {
    if (tensor.name == kFormat || tensor.name == kCommon ||
        tensor.name == kOffsets || tensor.name == kTargets) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: tensor %s is not known; a shortlist has \"format\", \"common\", "
        "\"offsets\" and \"targets\"",
        path, Quoted(tensor.name)));
  }
  const absl::StatusOr<ShortlistVocabulary> vocabulary = ReadFormat(*file);
  if (!vocabulary.ok()) return vocabulary.status();
  absl::StatusOr<std::vector<int32_t>> common =
      ReadIds(*file, kCommon, 1, vocabulary->size);
  if (!common.ok()) return common.status();
  const int64_t num_offsets = int64_t{vocabulary->source_size} + 1;
  absl::StatusOr<std::vector<int32_t>> offsets =
      ReadIds(*file, kOffsets, num_offsets, num_offsets);
  if (!offsets.ok()) return offsets.status();
  absl::StatusOr<std::vector<int32_t>> targets =
      ReadIds(*file, kTargets, 0, kMaxTargets);
  if (!targets.ok()) return targets.status();
  return Make(path, *vocabulary,
              {*std::move(common), *std::move(offsets), *std::move(targets)});
}

absl::Status Shortlist::CheckFits(const ShortlistVocabulary& vocabulary,
                                  absl::Span<const int32_t> eos_ids) const {
  const auto differs = [&](absl::string_view field, const std::string& value,
                           const std::string& allowed) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: tensor \"%s\": %s is %s; the model's is %s. Make a shortlist for "
        "this model: sheaf-convert --shortlist",
        name_, kFormat, field, value, allowed));
  };
  if (vocabulary_.source_size != vocabulary.source_size) {
    return differs("the source's vocabulary size",
                   absl::StrCat(vocabulary_.source_size),
                   absl::StrCat(vocabulary.source_size));
  }
  if (vocabulary_.size != vocabulary.size) {
    return differs("the vocabulary size", absl::StrCat(vocabulary_.size),
                   absl::StrCat(vocabulary.size));
  }
  if (vocabulary_.fingerprint != vocabulary.fingerprint) {
    return differs("the fingerprint of the tokenizer",
                   absl::StrFormat("%016x", vocabulary_.fingerprint),
                   absl::StrFormat("%016x", vocabulary.fingerprint));
  }
  for (int32_t id : eos_ids) {
    if (std::binary_search(tables_.common.begin(), tables_.common.end(), id)) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: tensor \"%s\": lacks %d, an end token of the model", name_,
        kCommon, id));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
