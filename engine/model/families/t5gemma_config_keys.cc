// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/t5gemma_config_keys.h"

namespace sheaf {
namespace {

using Fate = ConfigKey::Fate;

constexpr absl::string_view kTraining = "has an effect in training only";
constexpr absl::string_view kUnread = "the classes of T5Gemma do not read it";
constexpr absl::string_view kStacks = "the stacks have their own";
constexpr absl::string_view kImages = "for images, which no request has";

constexpr ConfigKey kKeys[] = {
    {"encoder", Fate::kRead, ""},
    {"decoder", Fate::kRead, ""},

    {"tie_word_embeddings", Fate::kHarmless,
     "the checkpoint's tensors say whether the head is the table"},
    {"vocab_size", Fate::kHarmless, kStacks},
    {"eoi_token_index", Fate::kHarmless, "the encoder's is used"},
    {"image_token_index", Fate::kHarmless, kImages},
    {"dropout_rate", Fate::kHarmless, kTraining},
    {"attention_dropout", Fate::kHarmless, kTraining},
    {"classifier_dropout_rate", Fate::kHarmless, "for classifiers"},
    {"initializer_range", Fate::kHarmless, kTraining},
    {"chunk_size_feed_forward", Fate::kHarmless, kUnread},
    {"is_decoder", Fate::kHarmless, "each stack sets its own"},
    {"add_cross_attention", Fate::kHarmless, kUnread},
    {"cross_attention_hidden_size", Fate::kHarmless, kUnread},
    {"sep_token_id", Fate::kHarmless, kUnread},
};

constexpr ConfigKey kStackKeys[] = {
    {"vocab_size", Fate::kRead, ""},
    {"hidden_size", Fate::kRead, ""},
    {"intermediate_size", Fate::kRead, ""},
    {"num_hidden_layers", Fate::kRead, ""},
    {"num_attention_heads", Fate::kRead, ""},
    {"num_key_value_heads", Fate::kRead, ""},
    {"head_dim", Fate::kRead, ""},
    {"hidden_activation", Fate::kRead, ""},
    {"max_position_embeddings", Fate::kRead, ""},
    {"rms_norm_eps", Fate::kRead, ""},
    {"query_pre_attn_scalar", Fate::kRead, ""},
    {"layer_types", Fate::kRead, ""},
    {"sliding_window", Fate::kRead, ""},
    {"sliding_window_pattern", Fate::kRead, ""},
    {"rope_parameters", Fate::kRead, ""},
    {"rope_scaling", Fate::kRead, ""},
    {"rope_theta", Fate::kRead, ""},
    {"rope_local_base_freq", Fate::kRead, ""},
    {"attn_logit_softcapping", Fate::kRead, ""},
    {"final_logit_softcapping", Fate::kRead, ""},

    {"attention_bias", Fate::kRefused, "false: products have no biases"},
    {"partial_rotary_factor", Fate::kRefused, "none: whole heads turn"},

    {"tie_word_embeddings", Fate::kHarmless, "the whole model's is used"},
    {"attention_dropout", Fate::kHarmless, kTraining},
    {"dropout_rate", Fate::kHarmless, kTraining},
    {"initializer_range", Fate::kHarmless, kTraining},
    {"is_decoder", Fate::kHarmless, "each stack sets its own"},
    {"add_cross_attention", Fate::kHarmless, kUnread},
    {"cross_attention_hidden_size", Fate::kHarmless, kUnread},
    {"use_bidirectional_attention", Fate::kHarmless, kUnread},
    {"chunk_size_feed_forward", Fate::kHarmless, kUnread},
    {"sep_token_id", Fate::kHarmless, kUnread},
};

constexpr ConfigKey kEncoderKeys[] = {
    {"text_config", Fate::kRead, ""},
    {"eoi_token_index", Fate::kRead, ""},

    {"vision_config", Fate::kHarmless, kImages},
    {"mm_tokens_per_image", Fate::kHarmless, kImages},
    {"boi_token_index", Fate::kHarmless, kImages},
    {"image_token_index", Fate::kHarmless, kImages},
    {"tie_word_embeddings", Fate::kHarmless, "the whole model's is used"},
    {"attention_dropout", Fate::kHarmless, kTraining},
    {"dropout_rate", Fate::kHarmless, kTraining},
    {"initializer_range", Fate::kHarmless, kTraining},
};

}  // namespace

absl::Span<const ConfigKey> T5GemmaConfigKeys() { return kKeys; }
absl::Span<const ConfigKey> T5GemmaStackKeys() { return kStackKeys; }
absl::Span<const ConfigKey> T5Gemma2EncoderKeys() { return kEncoderKeys; }

}  // namespace sheaf
