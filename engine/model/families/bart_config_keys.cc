// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/bart_config_keys.h"

namespace sheaf {
namespace {

using Fate = ConfigKey::Fate;

constexpr absl::string_view kTraining = "has an effect in training only";
constexpr absl::string_view kUnread =
    "the classes of these types do not read it";

constexpr ConfigKey kKeys[] = {
    {"vocab_size", Fate::kRead, ""},
    {"decoder_vocab_size", Fate::kRead, ""},
    {"share_encoder_decoder_embeddings", Fate::kRead, ""},
    {"max_position_embeddings", Fate::kRead, ""},
    {"d_model", Fate::kRead, ""},
    {"hidden_size", Fate::kRead, ""},
    {"encoder_layers", Fate::kRead, ""},
    {"encoder_attention_heads", Fate::kRead, ""},
    {"num_attention_heads", Fate::kRead, ""},
    {"encoder_ffn_dim", Fate::kRead, ""},
    {"decoder_layers", Fate::kRead, ""},
    {"decoder_attention_heads", Fate::kRead, ""},
    {"decoder_ffn_dim", Fate::kRead, ""},
    {"activation_function", Fate::kRead, ""},
    {"scale_embedding", Fate::kRead, ""},
    {"normalize_before", Fate::kRead, ""},
    {"normalize_embedding", Fate::kRead, ""},
    {"add_final_layer_norm", Fate::kRead, ""},
    {"static_position_embeddings", Fate::kRead, ""},

    {"tie_word_embeddings", Fate::kHarmless,
     "the checkpoint's tensors say whether the head is the table"},
    // transformers 5 takes it for encoder_layers, 4 does not. Models that were
    // made from the layers of a larger one may have the larger one's number.
    {"num_hidden_layers", Fate::kHarmless,
     "encoder_layers and the checkpoint's tensors say it"},
    {"encoder_layerdrop", Fate::kHarmless, kTraining},
    {"decoder_layerdrop", Fate::kHarmless, kTraining},
    {"dropout", Fate::kHarmless, kTraining},
    {"attention_dropout", Fate::kHarmless, kTraining},
    {"activation_dropout", Fate::kHarmless, kTraining},
    {"classifier_dropout", Fate::kHarmless, "for classifiers"},
    {"classif_dropout", Fate::kHarmless, "for classifiers"},
    {"init_std", Fate::kHarmless, kTraining},
    {"is_decoder", Fate::kHarmless, "each stack sets its own"},
    {"add_bias_logits", Fate::kHarmless, kUnread},
    {"extra_pos_embeddings", Fate::kHarmless, kUnread},
    {"force_bos_token_to_be_generated", Fate::kHarmless, kUnread},
    {"save_step", Fate::kHarmless, kUnread},
    {"chunk_size_feed_forward", Fate::kHarmless, kUnread},
    {"add_cross_attention", Fate::kHarmless, kUnread},
    {"cross_attention_hidden_size", Fate::kHarmless, kUnread},
    {"sep_token_id", Fate::kHarmless, kUnread},
};

}  // namespace

absl::Span<const ConfigKey> BartConfigKeys() { return kKeys; }

}  // namespace sheaf
