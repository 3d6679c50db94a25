// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/t5_config_keys.h"

namespace sheaf {
namespace {

using Fate = ConfigKey::Fate;

constexpr absl::string_view kTraining = "has an effect in training only";
constexpr absl::string_view kUnread = "the classes of T5 do not read it";

constexpr ConfigKey kKeys[] = {
    {"vocab_size", Fate::kRead, ""},
    {"d_model", Fate::kRead, ""},
    {"hidden_size", Fate::kRead, ""},
    {"d_kv", Fate::kRead, ""},
    {"head_dim", Fate::kRead, ""},
    {"d_ff", Fate::kRead, ""},
    {"num_layers", Fate::kRead, ""},
    {"num_hidden_layers", Fate::kRead, ""},
    {"num_decoder_layers", Fate::kRead, ""},
    {"num_heads", Fate::kRead, ""},
    {"num_attention_heads", Fate::kRead, ""},
    {"relative_attention_num_buckets", Fate::kRead, ""},
    {"relative_attention_max_distance", Fate::kRead, ""},
    {"layer_norm_epsilon", Fate::kRead, ""},
    {"feed_forward_proj", Fate::kRead, ""},
    {"dense_act_fn", Fate::kRead, ""},
    {"is_gated_act", Fate::kRead, ""},
    {"tie_word_embeddings", Fate::kRead, ""},
    {"scale_decoder_outputs", Fate::kRead, ""},
    {"n_positions", Fate::kRead, ""},

    {"chunk_size_feed_forward", Fate::kHarmless, kUnread},
    {"experts_implementation", Fate::kHarmless, kUnread},
    {"tie_last_hidden_states", Fate::kHarmless, "chooses what a call returns"},
    {"dropout_rate", Fate::kHarmless, kTraining},
    {"classifier_dropout", Fate::kHarmless, "for classifiers"},
    {"initializer_factor", Fate::kHarmless, kTraining},
    {"sep_token_id", Fate::kHarmless, kUnread},
    {"is_decoder", Fate::kHarmless, "each stack sets its own"},
    {"add_cross_attention", Fate::kHarmless, kUnread},
    {"cross_attention_hidden_size", Fate::kHarmless, kUnread},
    {"rope_parameters", Fate::kHarmless, kUnread},
    {"rope_scaling", Fate::kHarmless, kUnread},
};

}  // namespace

absl::Span<const ConfigKey> T5ConfigKeys() { return kKeys; }

}  // namespace sheaf
