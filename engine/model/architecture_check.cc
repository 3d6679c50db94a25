// SPDX-License-Identifier: Apache-2.0

#include "engine/model/architecture_check.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace sheaf {
namespace {

absl::string_view PositionsName(PositionKind kind) {
  switch (kind) {
    case PositionKind::kRelativeBias:
      return "relative position bias";
    case PositionKind::kLearned:
      return "learned positions";
    case PositionKind::kSinusoidal:
      return "sinusoidal positions";
    case PositionKind::kSinusoidalToLast:
      return "sinusoidal positions to the last frequency";
    case PositionKind::kRotary:
      return "rotary positions";
  }
  return "";
}

absl::string_view NormPlaceName(NormPlace place) {
  switch (place) {
    case NormPlace::kBefore:
      return "norms before the sub-layers";
    case NormPlace::kAfter:
      return "norms after the sub-layers";
    case NormPlace::kBoth:
      return "norms before and after the sub-layers";
  }
  return "";
}

std::string Describe(const Features& features) {
  std::vector<absl::string_view> names = {
      features.is_gated ? "gated feed-forward layers"
                        : "feed-forward layers without a gate",
      features.is_tied ? "a head that is the embedding" : "a separate head"};
  names.push_back(features.norm == NormKind::kRms ? "RMS norms"
                                                  : "layer norms");
  names.push_back(NormPlaceName(features.norm_place));
  names.push_back(features.has_final_norm ? "a final norm" : "no final norm");
  if (features.has_embedding_norm) names.push_back("a norm of the embeddings");
  names.push_back(features.has_biases ? "biases" : "no biases");
  names.push_back(PositionsName(features.positions));
  if (features.has_source_embedding) {
    names.push_back("an embedding table of the encoder");
  }
  if (features.has_grouped_encoder) {
    names.push_back("grouped KV heads in the encoder");
  }
  if (features.has_unequal_widths) {
    names.push_back("stacks of different widths");
  }
  if (features.has_bias_per_layer) {
    names.push_back("a position bias in each layer");
  }
  if (features.norms_add_one) names.push_back("norms that multiply by 1 + w");
  if (features.has_qk_norm) names.push_back("norms of queries and keys");
  if (features.has_merged_attention) names.push_back("merged attention");
  if (features.has_windows) names.push_back("windows");
  if (features.has_score_softcap) names.push_back("a soft cap of scores");
  if (features.has_logit_softcap) names.push_back("a soft cap of logits");
  if (features.has_own_vector) {
    names.push_back("a token with a vector of its own");
  }
  return absl::StrJoin(names, ", ");
}

bool HasWindow(const StackShape& shape) {
  for (const std::optional<Window>& window : shape.windows) {
    if (window.has_value()) return true;
  }
  return false;
}

}  // namespace

Features FeaturesOf(const Architecture& architecture) {
  const StackShape& encoder = architecture.encoder;
  const StackShape& decoder = architecture.decoder;
  return {.is_gated = architecture.is_gated,
          .is_tied = architecture.is_tied,
          .has_grouped_encoder = encoder.num_kv_heads != encoder.num_heads,
          .has_unequal_widths = encoder.d_model != decoder.d_model,
          .has_source_embedding = architecture.has_source_embedding,
          .has_embedding_norm = architecture.has_embedding_norm,
          .has_final_norm = architecture.has_final_norm,
          .has_biases = architecture.has_biases,
          .has_bias_per_layer = architecture.positions.is_per_layer,
          .norms_add_one = architecture.norms_add_one,
          .has_qk_norm = architecture.has_qk_norm,
          .has_merged_attention = architecture.has_merged_attention,
          .has_windows = HasWindow(encoder) || HasWindow(decoder),
          .has_score_softcap =
              encoder.score_softcap != 0 || decoder.score_softcap != 0,
          .has_logit_softcap = architecture.logit_softcap != 0,
          .has_own_vector = architecture.own_vector_id.has_value(),
          .norm = architecture.norm,
          .norm_place = architecture.norm_place,
          .positions = architecture.positions.kind};
}

absl::Status CheckSupported(const Architecture& architecture) {
  const Features features = FeaturesOf(architecture);
  for (const TestedCombination& tested : TestedCombinations()) {
    if (tested.features == features) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "a model of type %s with %s is not supported: no test compares this "
      "combination with the reference implementation",
      architecture.family, Describe(features)));
}

}  // namespace sheaf
