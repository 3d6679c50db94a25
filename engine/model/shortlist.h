// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// The name of the file in a model directory.
inline constexpr absl::string_view kShortlistFile = "shortlist.safetensors";

// The vocabularies that a shortlist is for.
struct ShortlistVocabulary {
  int32_t source_size = 0;  // ids of sources are below it
  int32_t size = 0;         // ids of outputs are below it
  // Tells vocabularies of the same size apart (VocabularyFingerprint()).
  uint64_t fingerprint = 0;
};

// The tables of a shortlist.
struct ShortlistTables {
  std::vector<int32_t> common = {};
  std::vector<int32_t> offsets = {};
  std::vector<int32_t> targets = {};
};

// A vocabulary shortlist: for each token of a source, the tokens that may
// translate it. An output has only tokens of the union over its source, and the
// common ones, which every output may have.
//
// The file is in the safetensors format, with four tensors:
//   format   I64 [4]: version (1), source_size, size, the bits of the
//   fingerprint common   I32 [C], C >= 1: ids of the output offsets  I32
//   [source_size + 1]: from 0 to T, in ascending order targets  I32 [T]: token
//   s of a source has targets[offsets[s]..offsets[s+1])
// Ids ascend strictly within `common`, and within the targets of a token.
//
// Immutable, thread-safe.
class Shortlist {
 public:
  static constexpr int64_t kVersion = 1;
  // Limits of what a file may make this program read into memory.
  static constexpr int64_t kMaxVocabulary = int64_t{1} << 24;
  static constexpr int64_t kMaxTargets = int64_t{1} << 27;

  // Checks the tables. INVALID_ARGUMENT names `name`, the tensor, the value and
  // the rule that it breaks.
  static absl::StatusOr<Shortlist> Make(const std::string& name,
                                        const ShortlistVocabulary& vocabulary,
                                        ShortlistTables tables);

  // Reads a file, which is untrusted. Errors name it.
  static absl::StatusOr<Shortlist> Read(const std::string& path);

  // INVALID_ARGUMENT if the shortlist is for other vocabularies, or if an
  // output could not have one of `eos_ids`.
  absl::Status CheckFits(const ShortlistVocabulary& vocabulary,
                         absl::Span<const int32_t> eos_ids) const;

  const ShortlistVocabulary& vocabulary() const { return vocabulary_; }
  absl::Span<const int32_t> common() const { return tables_.common; }
  // REQUIRES: 0 <= source_id < vocabulary().source_size.
  absl::Span<const int32_t> TargetsOf(int32_t source_id) const {
    const int32_t begin = tables_.offsets[source_id];
    return absl::MakeConstSpan(tables_.targets)
        .subspan(begin, tables_.offsets[source_id + 1] - begin);
  }

 private:
  Shortlist(std::string name, const ShortlistVocabulary& vocabulary,
            ShortlistTables tables);

  std::string name_;
  ShortlistVocabulary vocabulary_;
  ShortlistTables tables_;
};

}  // namespace sheaf
