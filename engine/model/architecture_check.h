// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/architecture.h"

namespace sheaf {

// Properties of an architecture that choose between different code. Sizes and
// numbers are no features, nor are the activation and the bias of the logits:
// each is an argument of a kernel that is tested against its definition.
struct Features {
  bool is_gated = false;             // the feed-forward layers
  bool is_tied = false;              // the embedding is the head
  bool has_grouped_encoder = false;  // fewer KV heads than query heads there
  bool has_unequal_widths = false;   // another d_model in the decoder
  bool has_source_embedding = false;
  bool has_embedding_norm = false;
  bool has_final_norm = true;
  bool has_biases = false;
  bool has_bias_per_layer = false;  // of positions, instead of one per stack
  bool norms_add_one = false;
  bool has_qk_norm = false;
  bool has_merged_attention = false;
  bool has_windows = false;  // in some layer
  bool has_score_softcap = false;
  bool has_logit_softcap = false;
  bool has_own_vector = false;
  NormKind norm = NormKind::kRms;
  NormPlace norm_place = NormPlace::kBefore;
  PositionKind positions = PositionKind::kRelativeBias;

  bool operator==(const Features&) const = default;
};

Features FeaturesOf(const Architecture& architecture);

// A combination of features, and a directory of tests/testdata that has exactly
// these and the reference implementation's outputs.
struct TestedCombination {
  Features features;
  absl::string_view fixture;
};
absl::Span<const TestedCombination> TestedCombinations();

// INVALID_ARGUMENT, which names the features, if no fixture has this
// combination: what was never compared with the reference is not served.
absl::Status CheckSupported(const Architecture& architecture);

}  // namespace sheaf
