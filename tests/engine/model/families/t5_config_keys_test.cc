// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/t5_config_keys.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/description.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/model/families/key_tables.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

absl::StatusOr<ModelDescription> Parse(const std::string& type,
                                       const std::string& key,
                                       const std::string& value) {
  absl::StatusOr<ConfigFiles> files = ParseConfigFiles(
      absl::StrCat(R"({"model_type": ")", type,
                   R"(", "vocab_size": 100, "d_model": 16, "d_kv": 4,
                      "d_ff": 32, "num_layers": 2, "num_heads": 6, ")",
                   key, "\": ", value, "}"),
      std::nullopt, "dir");
  if (!files.ok()) return files.status();
  return DescribeModel(*std::move(files));
}

enum Outcome { kSilent, kWarning, kRefusal };

struct Row {
  const char* key;
  const char* value;
  Outcome outcome;
  const char* text = "";  // in the warning or refusal, next to the key
};

// Effects of keys that are read are in t5_test.cc and tensor_match_test.cc.
// The effect of each value in the reference was found by loading a model with
// it and comparing logits.
constexpr Row kRows[] = {
    {"dropout_rate", "0.5", kSilent},
    {"classifier_dropout", "0.4", kSilent},
    {"initializer_factor", "3.0", kSilent},
    {"use_cache", "false", kSilent},
    {"is_decoder", "true", kSilent},
    {"chunk_size_feed_forward", "2", kSilent},
    {"n_positions", "512", kSilent},
    {"output_past", "true", kSilent},
    {"add_cross_attention", "true", kSilent},
    {"cross_attention_hidden_size", "99", kSilent},
    {"attn_implementation", "\"eager\"", kSilent},
    {"output_hidden_states", "true", kSilent},
    {"output_attentions", "true", kSilent},
    {"return_dict", "false", kSilent},
    {"torchscript", "true", kSilent},
    {"gradient_checkpointing", "true", kSilent},
    {"use_bfloat16", "true", kSilent},
    {"id2label", R"({"0": "a"})", kSilent},
    {"num_labels", "9", kSilent},
    {"problem_type", "\"regression\"", kSilent},
    {"finetuning_task", "\"x\"", kSilent},
    {"transformers_version", "\"4.57.6\"", kSilent},
    {"_name_or_path", "\"google/flan-t5-small\"", kSilent},
    {"tokenizer_class", "\"T5Tokenizer\"", kSilent},
    {"bos_token_id", "7", kSilent},
    {"sep_token_id", "7", kSilent},
    {"rope_scaling", R"({"type": "linear", "factor": 2.0})", kSilent},
    {"task_specific_params", R"({"summarization": {"num_beams": 4}})", kSilent},
    {"num_beams", "4", kSilent},
    {"bad_words_ids", "[[3]]", kSilent},
    {"forced_bos_token_id", "3", kSilent},
    // Keys of other programs.
    {"layer_norm_eps", "0.5", kSilent},
    {"max_position_embeddings", "2", kSilent},
    {"model_max_length", "3", kSilent},
    {"x", "{}", kSilent},

    {"hidden_size", "16", kSilent},
    {"hidden_size", "8", kRefusal, "value of d_model"},
    {"head_dim", "4", kSilent},
    {"head_dim", "2", kRefusal, "value of d_kv"},
    {"num_attention_heads", "6", kSilent},
    {"num_attention_heads", "4", kRefusal, "value of num_heads"},
    {"num_hidden_layers", "2", kSilent},
    {"num_hidden_layers", "3", kRefusal, "value of num_layers"},

    {"is_encoder_decoder", "true", kSilent},
    {"is_encoder_decoder", "false", kRefusal, "allowed is true"},
    {"feed_forward_proj", "\"gated-gelu\"", kSilent},
    {"feed_forward_proj", "\"gated-swish\"", kSilent},
    {"feed_forward_proj", "\"gated-tanh\"", kRefusal, "one of relu, gelu,"},
    {"feed_forward_proj", "\"gated-gelu-new\"", kRefusal, "one of relu, gelu,"},
    {"dense_act_fn", "\"gelu_new\"", kSilent},
    {"dense_act_fn", "\"mish\"", kRefusal, "one of relu, gelu,"},
    {"dense_act_fn", "null", kRefusal, "null"},
    {"is_gated_act", "true", kSilent},
    {"is_gated_act", "null", kRefusal, "null"},
    {"is_gated_act", "\"true\"", kRefusal, "true or false"},
    {"scale_decoder_outputs", "false", kSilent},
    {"scale_decoder_outputs", "0", kRefusal, "true or false"},
    {"tie_word_embeddings", "false", kSilent},
    {"tie_word_embeddings", "0", kRefusal, "true or false"},

    {"dtype", "\"bfloat16\"", kSilent},
    {"dtype", "null", kSilent},
    {"dtype", "\"int8\"", kRefusal, "float32, float16, bfloat16"},
    {"torch_dtype", "\"float32\"", kSilent},
    {"torch_dtype", "\"torch.float16\"", kSilent},
    {"torch_dtype", "\"float8_e4m3fn\"", kRefusal,
     "float32, float16, bfloat16"},
    {"torch_dtype", "8", kRefusal, "float32, float16, bfloat16"},
    {"quantization_config", "null", kSilent},
    {"quantization_config", R"({"quant_method": "bitsandbytes"})", kRefusal,
     "dequantize"},
    {"tie_encoder_decoder", "false", kSilent},
    {"tie_encoder_decoder", "true", kRefusal, "allowed is false"},
    {"pruned_heads", "{}", kSilent},
    {"pruned_heads", R"({"0": [0]})", kRefusal, "same heads"},
    {"per_layer_config", "null", kSilent},
    {"per_layer_config", R"({"0": {"d_ff": 24}})", kRefusal, "alike"},

    {"prefix", "null", kSilent},
    {"prefix", "\"\"", kSilent},
    {"prefix", "\"summarize: \"", kSilent},
    {"auto_map", R"({"AutoModel": "x.Y"})", kWarning, "code"},
    {"adapters", "{}", kSilent},
    {"adapters", R"({"adapters": {}})", kWarning, "not applied"},
};

TEST(T5ConfigKeysTest, EachKeyAndValueIsSilentOrWarnsOrIsRefused) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(absl::StrCat(row.key, ": ", row.value));
    for (const std::string type : {"t5", "mt5", "umt5"}) {
      const auto config = Parse(type, row.key, row.value);
      if (row.outcome == kRefusal) {
        EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
        EXPECT_THAT(config.status().message(),
                    AllOf(HasSubstr(absl::StrCat("config.json: ", row.key)),
                          HasSubstr(row.text)));
        continue;
      }
      ASSERT_TRUE(config.ok()) << config.status();
      if (row.outcome == kSilent) {
        EXPECT_THAT(config->warnings, IsEmpty());
      } else {
        EXPECT_THAT(
            config->warnings,
            ElementsAre(AllOf(HasSubstr(absl::StrCat("config.json: ", row.key)),
                              HasSubstr(row.text))));
      }
    }
  }
}

// The keys of to_dict() of T5Config(), MT5Config() and UMT5Config() in
// transformers 4.57.6 and 5.24.0.
constexpr char kSavedKeys[] = R"(
vocab_size d_model d_kv d_ff num_layers num_decoder_layers num_heads
relative_attention_num_buckets relative_attention_max_distance dropout_rate
classifier_dropout layer_norm_epsilon initializer_factor feed_forward_proj
use_cache dense_act_fn is_gated_act return_dict output_hidden_states torchscript
dtype pruned_heads tie_word_embeddings chunk_size_feed_forward
is_encoder_decoder is_decoder cross_attention_hidden_size add_cross_attention
tie_encoder_decoder architectures finetuning_task id2label label2id
task_specific_params problem_type tokenizer_class prefix bos_token_id
pad_token_id eos_token_id sep_token_id decoder_start_token_id max_length
min_length do_sample early_stopping num_beams temperature top_k top_p typical_p
repetition_penalty length_penalty no_repeat_ngram_size
encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores
return_dict_in_generate forced_bos_token_id forced_eos_token_id
remove_invalid_values exponential_decay_length_penalty suppress_tokens
begin_suppress_tokens num_beam_groups diversity_penalty _name_or_path
transformers_version tf_legacy_loss use_bfloat16 model_type output_attentions
scale_decoder_outputs)";

TEST(T5ConfigKeysTest, TheTablesHaveEachKeyThatTheReferenceSavesOnce) {
  ExpectKeyTables(T5ConfigKeys(), kSavedKeys);
}

// 4.57 scales the output of an mT5 with this key, 5.24 does not, and saves it
// so for each.
TEST(T5ConfigKeysTest, ATiedMt5OfAnOlderVersionWarns) {
  const auto warnings = [](const std::string& type, const std::string& tie,
                           const std::string& version) {
    return Parse(type, "tie_word_embeddings",
                 absl::StrCat(tie, ", \"transformers_version\": \"", version,
                              "\""))
        .value()
        .warnings;
  };
  EXPECT_THAT(warnings("mt5", "true", "4.57.6"),
              ElementsAre(HasSubstr("tie_word_embeddings is true")));
  EXPECT_THAT(warnings("mt5", "false", "4.57.6"), IsEmpty());
  EXPECT_THAT(warnings("mt5", "true", "5.24.0"), IsEmpty());
  EXPECT_THAT(warnings("t5", "true", "4.57.6"), IsEmpty());
}

}  // namespace
}  // namespace sheaf
