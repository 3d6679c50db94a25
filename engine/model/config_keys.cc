// SPDX-License-Identifier: Apache-2.0

#include "engine/model/config_keys.h"

#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

using nlohmann::json;
using Fate = ConfigKey::Fate;

constexpr absl::string_view kOutputs = "chooses what a call returns";
constexpr absl::string_view kTraining = "has an effect in training only";
constexpr absl::string_view kLabels = "for classifiers";
constexpr absl::string_view kRecord = "a record of where the model comes from";
constexpr absl::string_view kTensorFlow = "for TensorFlow's classes";
constexpr absl::string_view kSameProducts =
    "chooses how the same sums are computed";
constexpr absl::string_view kDtype =
    "float32, float16, bfloat16 or float64: weights are read as numbers, not "
    "as codes";

constexpr ConfigKey kKeys[] = {
    {"model_type", Fate::kRead, ""},
    {"architectures", Fate::kRead, ""},
    {"is_encoder_decoder", Fate::kRead, ""},
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
    {"attn_implementation", Fate::kHarmless, kSameProducts},
    {"_attn_implementation", Fate::kHarmless, kSameProducts},
    {"torchscript", Fate::kHarmless, kOutputs},
    {"return_dict", Fate::kHarmless, kOutputs},
    {"output_hidden_states", Fate::kHarmless, kOutputs},
    {"output_attentions", Fate::kHarmless, kOutputs},
    {"output_scores", Fate::kHarmless, kOutputs},
    {"return_dict_in_generate", Fate::kHarmless, kOutputs},
    {"output_past", Fate::kHarmless, kOutputs},
    {"gradient_checkpointing", Fate::kHarmless, kTraining},
    {"use_bfloat16", Fate::kHarmless, kTensorFlow},
    {"tf_legacy_loss", Fate::kHarmless, kTensorFlow},
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

absl::Span<const ConfigKey> CommonConfigKeys() { return kKeys; }

void JudgeCommonKeys(KeyReader& reader, std::vector<std::string>& warnings) {
  for (const ConfigKey& key : kKeys) {
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
