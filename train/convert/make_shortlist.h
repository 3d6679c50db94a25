// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "engine/model/description.h"
#include "train/convert/shortlist_tables.h"

namespace sheaf {

// The size of a shortlist that was made.
struct ShortlistSummary {
  int64_t num_pairs;   // of texts
  int64_t num_common;  // tokens that every output may have
  // Mean number of tokens that an output of one of the texts may have.
  double mean_tokens;
  // The share of the tokens of the references that the shortlist allows.
  double covered_share;
};

// Makes a shortlist for the model from a file of pairs of texts
// (ReadTextPairFile()), and writes it to `output`. INVALID_ARGUMENT names the
// file and what is wrong; NOT_FOUND if the model has no tokenizer; otherwise
// the errors of WriteShortlist().
absl::StatusOr<ShortlistSummary> MakeShortlist(
    const ModelDescription& description, const std::string& pairs,
    const std::string& output, const ShortlistOptions& options);

}  // namespace sheaf
