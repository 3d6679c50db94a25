// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {

// The requests of `sheaf load`, made from its flags. Constant, so that any
// thread may make one.
class LoadSource {
 public:
  // Reads the flags and the file of --input. Errors in flags are UsageErrors.
  static absl::StatusOr<LoadSource> FromFlags();

  // Request number `index` of a run.
  v1::TranslateRequest Translate(int64_t index) const;
  v1::SummarizeRequest Summarize(int64_t index) const;
  v1::GenerateRequest Generate(int64_t index) const;

 private:
  LoadSource() = default;
  const std::string& TextOf(int64_t index) const {
    return texts_[index % texts_.size()];
  }

  std::string model_;
  std::string source_language_;
  std::string target_language_;
  v1::DecodingOptions decoding_;
  std::vector<std::string> texts_;  // used in turn; not empty
  int32_t num_source_tokens_ = 0;   // > 0: random ids instead of a text
  int32_t vocab_size_ = 0;
  uint64_t seed_ = 0;
};

}  // namespace sheaf
