// SPDX-License-Identifier: Apache-2.0

#include "text/generation_key_table.h"

#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr GenerationKey kKeys[] = {
    {"max_length", KeyUse::kRead, "[20]", ""},
    {"max_new_tokens", KeyUse::kRead, "[]", ""},
    {"min_length", KeyUse::kRead, "[0]", ""},
    {"min_new_tokens", KeyUse::kRead, "[0]", ""},
    {"early_stopping", KeyUse::kRead, "[false]", ""},
    {"do_sample", KeyUse::kRead, "[false]", ""},
    {"num_beams", KeyUse::kRead, "[1]", ""},
    {"num_return_sequences", KeyUse::kRead, "[1]", ""},
    {"length_penalty", KeyUse::kRead, "[1]", ""},
    {"repetition_penalty", KeyUse::kRead, "[1]", ""},
    {"no_repeat_ngram_size", KeyUse::kRead, "[0]", ""},
    {"bad_words_ids", KeyUse::kRead, "[[]]", ""},
    {"renormalize_logits", KeyUse::kRead, "[false]", ""},
    {"forced_bos_token_id", KeyUse::kRead, "[]", ""},
    {"forced_eos_token_id", KeyUse::kRead, "[]", ""},
    {"suppress_tokens", KeyUse::kRead, "[[]]", ""},
    {"begin_suppress_tokens", KeyUse::kRead, "[[]]", ""},
    {"temperature", KeyUse::kSampling, "[1]", ""},
    {"top_k", KeyUse::kSampling, "[50, 0]", ""},
    {"top_p", KeyUse::kSampling, "[1]", ""},
    {"min_p", KeyUse::kSampling, "[0]", ""},

    {"decoder_start_token_id", KeyUse::kModelsToken, "[]", ""},
    {"bos_token_id", KeyUse::kModelsToken, "[]", ""},
    {"eos_token_id", KeyUse::kModelsToken, "[]", ""},
    {"pad_token_id", KeyUse::kModelsToken, "[]", ""},

    {"use_cache", KeyUse::kHarmless, "[]", "a cache changes the time alone"},
    {"cache_config", KeyUse::kHarmless, "[]", "about the cache"},
    {"max_cache_len", KeyUse::kHarmless, "[]", "about the cache"},
    {"return_legacy_cache", KeyUse::kHarmless, "[]", "about the cache"},
    {"prefill_chunk_size", KeyUse::kHarmless, "[]", "changes the time alone"},
    {"compile_config", KeyUse::kHarmless, "[]", "changes the time alone"},
    {"disable_compile", KeyUse::kHarmless, "[]", "changes the time alone"},
    {"continuous_batching_config", KeyUse::kHarmless, "[]",
     "changes the time alone"},
    {"remove_invalid_values", KeyUse::kHarmless, "[]",
     "logits that are no numbers give a token here as well"},
    {"output_attentions", KeyUse::kHarmless, "[]", "about what is returned"},
    {"output_hidden_states", KeyUse::kHarmless, "[]", "about what is returned"},
    {"output_scores", KeyUse::kHarmless, "[]", "about what is returned"},
    {"output_logits", KeyUse::kHarmless, "[]", "about what is returned"},
    {"return_dict_in_generate", KeyUse::kHarmless, "[]",
     "about what is returned"},
    {"transformers_version", KeyUse::kHarmless, "[]", "who wrote the file"},
    {"_from_model_config", KeyUse::kHarmless, "[]", "who wrote the file"},
    {"_commit_hash", KeyUse::kHarmless, "[]", "who wrote the file"},

    {"max_time", KeyUse::kNotFollowed, "[]",
     "a request's deadline alone limits the time"},
    {"stop_strings", KeyUse::kNotFollowed, "[]",
     "outputs do not end there unless a request's stop says so"},
    {"num_beam_groups", KeyUse::kNotFollowed, "[0, 1]",
     "all beams are in one group"},
    {"diversity_penalty", KeyUse::kNotFollowed, "[0]",
     "beams are not kept apart"},
    {"penalty_alpha", KeyUse::kNotFollowed, "[0]",
     "there is no contrastive search"},
    {"dola_layers", KeyUse::kNotFollowed, "[]",
     "layers are not contrasted with one another"},
    {"constraints", KeyUse::kNotFollowed, "[[]]",
     "outputs need not meet these constraints"},
    {"force_words_ids", KeyUse::kNotFollowed, "[[]]",
     "outputs need not have these words"},
    {"guidance_scale", KeyUse::kNotFollowed, "[1]",
     "the output is not guided by a second prompt"},
    {"sequence_bias", KeyUse::kNotFollowed, "[{}, []]",
     "the scores of these tokens are the model's own"},
    {"encoder_repetition_penalty", KeyUse::kNotFollowed, "[1]",
     "tokens of the source are as likely as the model makes them"},
    {"encoder_no_repeat_ngram_size", KeyUse::kNotFollowed, "[0]",
     "outputs may repeat runs of the source's tokens"},
    {"typical_p", KeyUse::kNotFollowed, "[1]", "samples are not cut by it"},
    {"epsilon_cutoff", KeyUse::kNotFollowed, "[0]",
     "samples are not cut by it"},
    {"eta_cutoff", KeyUse::kNotFollowed, "[0]", "samples are not cut by it"},
    {"top_h", KeyUse::kNotFollowed, "[]", "samples are not cut by it"},
    {"exponential_decay_length_penalty", KeyUse::kNotFollowed, "[]",
     "the end does not become likelier with length"},
    {"watermarking_config", KeyUse::kNotFollowed, "[]",
     "outputs have no watermark"},
    {"token_healing", KeyUse::kNotFollowed, "[false]",
     "a prompt's last tokens stay as they are"},
    {"low_memory", KeyUse::kNotFollowed, "[false]",
     "the search is the usual one, with the same output"},
    {"cache_implementation", KeyUse::kNotFollowed, "[\"dynamic\", \"hybrid\"]",
     "the cache is this server's own, with the same output"},
    {"use_mtp", KeyUse::kNotFollowed, "[false]",
     "tokens are computed one by one"},
    {"prompt_lookup_num_tokens", KeyUse::kNotFollowed, "[]",
     "tokens are computed one by one, with the same output"},
    {"max_matching_ngram_size", KeyUse::kNotFollowed, "[2]",
     "tokens are computed one by one, with the same output"},
    {"is_assistant", KeyUse::kNotFollowed, "[false]",
     "the model is served by itself"},
    {"num_assistant_tokens", KeyUse::kNotFollowed, "[5, 20]",
     "there is no assistant model; the output is the same"},
    {"num_assistant_tokens_schedule", KeyUse::kNotFollowed,
     "[\"constant\", \"heuristic\"]",
     "there is no assistant model; the output is the same"},
    {"assistant_confidence_threshold", KeyUse::kNotFollowed, "[0.4]",
     "there is no assistant model; the output is the same"},
    {"assistant_early_exit", KeyUse::kNotFollowed, "[]",
     "there is no assistant model; the output is the same"},
    {"assistant_lookbehind", KeyUse::kNotFollowed, "[10]",
     "there is no assistant model; the output is the same"},
    {"target_lookbehind", KeyUse::kNotFollowed, "[10]",
     "there is no assistant model; the output is the same"},
    {"assistant_ensemble_weight", KeyUse::kNotFollowed, "[]",
     "there is no assistant model; the output is the model's own"},
    {"speculation_type", KeyUse::kNotFollowed, "[]",
     "there is no assistant model; the output is the same"},
};

}  // namespace

absl::Span<const GenerationKey> AllGenerationKeys() { return kKeys; }

const GenerationKey* FindGenerationKey(const std::string& name) {
  for (const GenerationKey& key : kKeys) {
    if (name == key.name) return &key;
  }
  return nullptr;
}

bool IsNeutral(const GenerationKey& key, const json& value) {
  if (value.is_null()) return true;
  for (const json& neutral : json::parse(key.neutral)) {
    if (value == neutral) return true;  // 1 equals 1.0
  }
  return false;
}

}  // namespace sheaf
