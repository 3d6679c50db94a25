// SPDX-License-Identifier: Apache-2.0

#include "engine/model/architecture_check.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace sheaf {
namespace {

constexpr TestedCombination kTested[] = {
    {{.is_tied = true}, "f16-weights"},
    {{}, "asymmetric-depth"},
    {{.is_gated = true, .is_tied = true}, "gqa-tied-bf16-asym"},
    {{.is_gated = true}, "wide-heads"},
    {{.is_gated = true, .has_bias_per_layer = true}, "umt5"},
};

std::string Describe(const Features& features) {
  std::vector<absl::string_view> names = {
      features.is_gated ? "gated feed-forward layers"
                        : "feed-forward layers without a gate",
      features.is_tied ? "a head that is the embedding" : "a separate head"};
  if (features.has_grouped_encoder) {
    names.push_back("grouped KV heads in the encoder");
  }
  if (features.has_unequal_stacks) {
    names.push_back("stacks of different sizes");
  }
  if (features.has_bias_per_layer) {
    names.push_back("a position bias in each layer");
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace

Features FeaturesOf(const Architecture& architecture) {
  const StackShape& encoder = architecture.encoder;
  const StackShape& decoder = architecture.decoder;
  return {.is_gated = architecture.is_gated,
          .is_tied = architecture.is_tied,
          .has_grouped_encoder = encoder.num_kv_heads != encoder.num_heads,
          .has_unequal_stacks = encoder.d_model != decoder.d_model ||
                                encoder.d_ff != decoder.d_ff ||
                                encoder.num_heads != decoder.num_heads ||
                                encoder.head_dim != decoder.head_dim,
          .has_bias_per_layer = architecture.positions.is_per_layer};
}

absl::Span<const TestedCombination> TestedCombinations() { return kTested; }

absl::Status CheckSupported(const Architecture& architecture) {
  const Features features = FeaturesOf(architecture);
  for (const TestedCombination& tested : kTested) {
    if (tested.features == features) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "a model of type %s with %s is not supported: no test compares this "
      "combination with the reference implementation",
      architecture.family, Describe(features)));
}

}  // namespace sheaf
