// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/model/description.h"
#include "engine/model/source_aligner.h"
#include "engine/request.h"

namespace sheaf {

// A source and the output that the decoder is made to give.
struct ForcedPair {
  std::vector<int32_t> source;
  std::vector<int32_t> start_tokens;  // the decoder's start, then forced ones
  std::vector<int32_t> target;        // without end token
  SourceMargins margins;
};

// Runs the model of `directory` over the pairs, one after another, and calls
// `take` with the index of each and the source position of each target token,
// according to the heads of `description`. `observer` may be null; it sees each
// pair before `take`. A pair that is longer than the model's positions allow,
// or than 512 tokens, is left out.
absl::Status DecodeForced(
    const std::string& directory, ModelDescription description,
    absl::Span<const ForcedPair> pairs, AlignmentObserver* observer,
    absl::FunctionRef<void(size_t pair, std::vector<int32_t> positions)> take);

}  // namespace sheaf
