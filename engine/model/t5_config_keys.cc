#include "engine/model/t5_config_keys.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

using nlohmann::json;
using Fate = T5ConfigKey::Fate;

constexpr absl::string_view kOutputs = "chooses what a call returns";
constexpr absl::string_view kTraining = "counts in training alone";
constexpr absl::string_view kLabels = "of classifiers";
constexpr absl::string_view kRecord = "a record of where the model comes from";
constexpr absl::string_view kSameProducts =
    "chooses how the same sums are computed";
constexpr absl::string_view kOtherFamilies = "T5's classes do not read it";
constexpr absl::string_view kDtype =
    "float32, float16, bfloat16 or float64: weights are read as numbers, not "
    "as codes";

constexpr T5ConfigKey kKeys[] = {
    {"model_type", Fate::kRead, ""},
    {"architectures", Fate::kRead, ""},
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
    {"is_encoder_decoder", Fate::kRead, ""},
    {"n_positions", Fate::kRead, ""},
    {"pad_token_id", Fate::kRead, ""},
    {"bos_token_id", Fate::kRead, ""},
    {"eos_token_id", Fate::kRead, ""},
    {"decoder_start_token_id", Fate::kRead, ""},
    {"task_specific_params", Fate::kGeneration, ""},
    {"prefix", Fate::kGeneration, ""},

    {"max_length", Fate::kGeneration, ""},
    {"min_length", Fate::kGeneration, ""},
    {"do_sample", Fate::kGeneration, ""},
    {"early_stopping", Fate::kGeneration, ""},
    {"num_beams", Fate::kGeneration, ""},
    {"num_beam_groups", Fate::kGeneration, ""},
    {"diversity_penalty", Fate::kGeneration, ""},
    {"temperature", Fate::kGeneration, ""},
    {"top_k", Fate::kGeneration, ""},
    {"top_p", Fate::kGeneration, ""},
    {"typical_p", Fate::kGeneration, ""},
    {"epsilon_cutoff", Fate::kGeneration, ""},
    {"eta_cutoff", Fate::kGeneration, ""},
    {"repetition_penalty", Fate::kGeneration, ""},
    {"encoder_repetition_penalty", Fate::kGeneration, ""},
    {"length_penalty", Fate::kGeneration, ""},
    {"no_repeat_ngram_size", Fate::kGeneration, ""},
    {"encoder_no_repeat_ngram_size", Fate::kGeneration, ""},
    {"bad_words_ids", Fate::kGeneration, ""},
    {"num_return_sequences", Fate::kGeneration, ""},
    {"forced_bos_token_id", Fate::kGeneration, ""},
    {"forced_eos_token_id", Fate::kGeneration, ""},
    {"remove_invalid_values", Fate::kGeneration, ""},
    {"exponential_decay_length_penalty", Fate::kGeneration, ""},
    {"suppress_tokens", Fate::kGeneration, ""},
    {"begin_suppress_tokens", Fate::kGeneration, ""},

    {"use_cache", Fate::kHarmless, kSameProducts},
    {"chunk_size_feed_forward", Fate::kHarmless, kOtherFamilies},
    {"attn_implementation", Fate::kHarmless, kSameProducts},
    {"_attn_implementation", Fate::kHarmless, kSameProducts},
    {"experts_implementation", Fate::kHarmless, kOtherFamilies},
    {"torchscript", Fate::kHarmless, kOutputs},
    {"return_dict", Fate::kHarmless, kOutputs},
    {"output_hidden_states", Fate::kHarmless, kOutputs},
    {"output_attentions", Fate::kHarmless, kOutputs},
    {"output_scores", Fate::kHarmless, kOutputs},
    {"return_dict_in_generate", Fate::kHarmless, kOutputs},
    {"tie_last_hidden_states", Fate::kHarmless, kOutputs},
    {"output_past", Fate::kHarmless, kOutputs},
    {"dropout_rate", Fate::kHarmless, kTraining},
    {"classifier_dropout", Fate::kHarmless, kLabels},
    {"initializer_factor", Fate::kHarmless, kTraining},
    {"gradient_checkpointing", Fate::kHarmless, kTraining},
    {"use_bfloat16", Fate::kHarmless, "of TensorFlow's classes"},
    {"tf_legacy_loss", Fate::kHarmless, "of TensorFlow's classes"},
    {"id2label", Fate::kHarmless, kLabels},
    {"label2id", Fate::kHarmless, kLabels},
    {"num_labels", Fate::kHarmless, kLabels},
    {"problem_type", Fate::kHarmless, kLabels},
    {"finetuning_task", Fate::kHarmless, kRecord},
    {"name_or_path", Fate::kHarmless, kRecord},
    {"_name_or_path", Fate::kHarmless, kRecord},
    {"_commit_hash", Fate::kHarmless, kRecord},
    {"transformers_version", Fate::kHarmless, kRecord},
    {"tokenizer_class", Fate::kHarmless, "the tokenizer's files say it"},
    {"sep_token_id", Fate::kHarmless, kOtherFamilies},
    {"is_decoder", Fate::kHarmless, "each stack sets its own"},
    {"add_cross_attention", Fate::kHarmless, kOtherFamilies},
    {"cross_attention_hidden_size", Fate::kHarmless, kOtherFamilies},
    {"rope_parameters", Fate::kHarmless, kOtherFamilies},
    {"rope_scaling", Fate::kHarmless, kOtherFamilies},

    {"auto_map", Fate::kWarns,
     "it names code that comes with the model, which may compute another "
     "model than this server does"},
    {"adapters", Fate::kWarns, "adapters are not applied"},

    {"dtype", Fate::kRefused, kDtype},
    {"torch_dtype", Fate::kRefused, kDtype},
    {"quantization_config", Fate::kRefused,
     "none: load the model, dequantize it and save it as float32, float16 or "
     "bfloat16 (this server has --weight_type)"},
    {"tie_encoder_decoder", Fate::kRefused,
     "false: the stacks have weights of their own"},
    {"pruned_heads", Fate::kRefused, "none: all layers have the same heads"},
    {"per_layer_config", Fate::kRefused, "none: all layers are alike"},
};

bool AsksForNothing(const json& value) {
  return value.is_null() || value == false || value == "" ||
         (value.is_structured() && value.empty());
}

// transformers 4 writes "float32" as torch_dtype, 5 as dtype; some files have
// "torch.float32".
bool IsReadDtype(const json& value) {
  if (!value.is_string()) return false;
  absl::string_view name = value.get_ref<const std::string&>();
  absl::ConsumePrefix(&name, "torch.");
  for (const absl::string_view read :
       {"float32", "float16", "bfloat16", "float64", "auto"}) {
    if (name == read) return true;
  }
  return false;
}

}  // namespace

absl::Span<const T5ConfigKey> T5ConfigKeys() { return kKeys; }

void JudgeT5ConfigKeys(KeyReader& reader, std::vector<std::string>& warnings) {
  for (const T5ConfigKey& key : kKeys) {
    if (key.fate != Fate::kWarns && key.fate != Fate::kRefused) continue;
    const json* value = reader.Find(key.name);
    if (value == nullptr || AsksForNothing(*value)) continue;
    if (key.fate == Fate::kWarns) {
      // Without the directory, which need not be UTF-8.
      warnings.push_back(
          absl::StrFormat("config.json: %s is %s, which is not followed: %s",
                          key.name, Shown(*value), key.note));
    } else if (key.note != kDtype || !IsReadDtype(*value)) {
      reader.Refuse(key.name, *value, key.note);
    }
  }
}

}  // namespace sheaf
