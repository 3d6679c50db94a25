// SPDX-License-Identifier: Apache-2.0

// The table of combinations lies here because fixtures have names of families.

#include "engine/model/architecture_check.h"

namespace sheaf {
namespace {

// Layer norms after the sub-layers, and a norm of the embeddings.
constexpr Features kNormedAfter = {.is_tied = true,
                                   .has_final_norm = false,
                                   .has_biases = true,
                                   .norm = NormKind::kLayer,
                                   .norm_place = NormPlace::kAfter};
constexpr Features kNormedBefore = {
    .is_tied = true, .has_biases = true, .norm = NormKind::kLayer};

constexpr Features With(Features features, PositionKind positions) {
  features.positions = positions;
  return features;
}
constexpr Features WithEmbeddingNorm(Features features) {
  features.has_embedding_norm = true;
  return features;
}
constexpr Features WithUnequalWidths(Features features) {
  features.has_unequal_widths = true;
  return features;
}
constexpr Features WithSourceEmbedding(Features features) {
  features.has_source_embedding = true;
  return features;
}

constexpr Features WithOwnHead(Features features) {
  features.is_tied = false;
  return features;
}
constexpr Features WithGroupedEncoder(Features features) {
  features.has_grouped_encoder = true;
  return features;
}

// Norms on both sides, rotary positions, windows, and soft caps.
constexpr Features kCapped = {.is_gated = true,
                              .is_tied = true,
                              .has_source_embedding = true,
                              .norms_add_one = true,
                              .has_windows = true,
                              .has_score_softcap = true,
                              .has_logit_softcap = true,
                              .norm_place = NormPlace::kBoth,
                              .positions = PositionKind::kRotary};
// The same with merged attention instead of caps.
constexpr Features kMerged = {.is_gated = true,
                              .is_tied = true,
                              .has_grouped_encoder = true,
                              .norms_add_one = true,
                              .has_qk_norm = true,
                              .has_merged_attention = true,
                              .has_windows = true,
                              .has_own_vector = true,
                              .norm_place = NormPlace::kBoth,
                              .positions = PositionKind::kRotary};

constexpr PositionKind kLearned = PositionKind::kLearned;
constexpr PositionKind kSinusoidal = PositionKind::kSinusoidal;
constexpr PositionKind kToLast = PositionKind::kSinusoidalToLast;

constexpr TestedCombination kTested[] = {
    {{.is_tied = true}, "f16-weights"},
    {{}, "asymmetric-depth"},
    {{.is_gated = true, .is_tied = true}, "gqa-tied-bf16-asym"},
    {{.is_gated = true}, "wide-heads"},
    {{.is_gated = true, .has_bias_per_layer = true}, "umt5"},
    {WithEmbeddingNorm(With(kNormedAfter, kLearned)), "bart-cnn"},
    {WithEmbeddingNorm(With(kNormedBefore, kLearned)), "mbart50"},
    {With(kNormedAfter, kSinusoidal), "marian-opus"},
    {WithSourceEmbedding(With(kNormedAfter, kSinusoidal)),
     "marian-separate-vocab"},
    {WithOwnHead(WithSourceEmbedding(With(kNormedAfter, kSinusoidal))),
     "marian-own-head"},
    {With(kNormedBefore, kSinusoidal), "pegasus"},
    {With(kNormedBefore, kToLast), "nllb"},
    {kCapped, "t5gemma-mha-f16"},
    {WithGroupedEncoder(kCapped), "t5gemma-gqa-bf16"},
    {WithGroupedEncoder(WithUnequalWidths(kCapped)), "t5gemma"},
    {kMerged, "t5gemma2"},
};

}  // namespace

absl::Span<const TestedCombination> TestedCombinations() { return kTested; }

}  // namespace sheaf
