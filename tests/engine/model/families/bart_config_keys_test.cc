// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/bart_config_keys.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/model/families/key_tables.h"

namespace sheaf {
namespace {

// The keys of to_dict() of BartConfig(), MBartConfig(), MarianConfig(),
// M2M100Config() and PegasusConfig() in transformers 4.57.6 and 5.24.0, and
// those that older versions saved.
constexpr char kSavedKeys[] = R"(
_name_or_path activation_dropout activation_function add_cross_attention
architectures attention_dropout bad_words_ids begin_suppress_tokens
bos_token_id chunk_size_feed_forward classifier_dropout
cross_attention_hidden_size d_model decoder_attention_heads decoder_ffn_dim
decoder_layerdrop decoder_layers decoder_start_token_id decoder_vocab_size
diversity_penalty do_sample dropout dtype early_stopping
encoder_attention_heads encoder_ffn_dim encoder_layerdrop encoder_layers
encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty
finetuning_task forced_bos_token_id forced_eos_token_id id2label init_std
is_decoder is_encoder_decoder label2id length_penalty max_length
max_position_embeddings min_length model_type no_repeat_ngram_size
num_beam_groups num_beams num_hidden_layers num_return_sequences
output_attentions output_hidden_states output_scores pad_token_id prefix
problem_type pruned_heads remove_invalid_values repetition_penalty return_dict
return_dict_in_generate scale_embedding sep_token_id
share_encoder_decoder_embeddings suppress_tokens task_specific_params
temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings
tokenizer_class top_k top_p torchscript transformers_version typical_p
use_bfloat16 use_cache vocab_size
add_bias_logits add_final_layer_norm classif_dropout extra_pos_embeddings
normalize_before normalize_embedding output_past static_position_embeddings
force_bos_token_to_be_generated)";

TEST(BartConfigKeysTest, TheTablesHaveEachKeyThatTheReferenceSavesOnce) {
  ExpectKeyTables(BartConfigKeys(), kSavedKeys);
}

}  // namespace
}  // namespace sheaf
