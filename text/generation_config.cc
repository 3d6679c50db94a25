// SPDX-License-Identifier: Apache-2.0

#include "text/generation_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/key_reader.h"
#include "nlohmann/json.hpp"
#include "text/generation_key_table.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr int32_t kDefaultTopK = 50;  // the reference's, when it samples

constexpr size_t kMaxKeyBytes = 80;  // in a message

std::string Warning(absl::string_view where, absl::string_view key,
                    const json& value, absl::string_view effect) {
  return absl::StrFormat("%s: %s is %s; %s", where,
                         absl::CHexEscape(key.substr(0, kMaxKeyBytes)),
                         Shown(value), effect);
}

// Reads keys from several objects and keeps the first error.
class DefaultsReader {
 public:
  DefaultsReader(absl::Span<const GenerationKeys> sources, int32_t vocab_size)
      : sources_(sources), vocab_size_(vocab_size) {}

  const absl::Status& status() const { return status_; }

  std::optional<int32_t> Integer(
      const char* key, int32_t min,
      int32_t max = std::numeric_limits<int32_t>::max()) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (const auto integer = AsInteger(*value, min, max)) return integer;
    Refuse(key, absl::StrFormat("a whole number from %d to %d", min, max));
    return std::nullopt;
  }

  std::optional<float> Number(const char* key, double min, double max) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) {
      const double number = value->get<double>();
      if (std::isfinite(number) && number >= min && number <= max) {
        return static_cast<float>(number);
      }
    }
    Refuse(key, absl::StrFormat("a number from %g to %g", min, max));
    return std::nullopt;
  }

  std::optional<EarlyStopping> Early(const char* key) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) {
      return value->get<bool>() ? EarlyStopping::kYes : EarlyStopping::kNo;
    }
    if (*value == "never") return EarlyStopping::kNever;
    Refuse(key, "true, false or \"never\"");
    return std::nullopt;
  }

  std::optional<bool> Flag(const char* key) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    Refuse(key, "true or false");
    return std::nullopt;
  }

  std::optional<int32_t> Token(const char* key) {
    return Integer(key, 0, vocab_size_ - 1);
  }

  // One token, or the lowest of a list, which greedy decoding takes.
  std::optional<int32_t> LowestToken(const char* key) {
    const json* value = Find(key);
    if (value == nullptr || !value->is_array()) return Token(key);
    std::optional<int32_t> lowest;
    for (const json& each : *value) {
      const auto id = AsInteger(each, 0, vocab_size_ - 1);
      if (!id) {
        Refuse(key, absl::StrFormat("token ids from 0 to %d", vocab_size_ - 1));
        return std::nullopt;
      }
      lowest = std::min(lowest.value_or(*id), *id);
    }
    return lowest;
  }

  // Ids outside the vocabulary are left out, because they are never chosen.
  std::vector<int32_t> Tokens(const char* key) {
    std::vector<int32_t> ids;
    const json* value = Find(key);
    if (value == nullptr) return ids;
    bool is_right = value->is_array();
    for (size_t i = 0; is_right && i < value->size(); ++i) {
      const auto id = AsInteger((*value)[i], kLeast, kMost);
      is_right = id.has_value();
      if (is_right && *id >= 0 && *id < vocab_size_) ids.push_back(*id);
    }
    if (!is_right) Refuse(key, "a list of token ids");
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }

  std::shared_ptr<const BadWords> Words(const char* key) {
    const json* value = Find(key);
    if (value == nullptr) return nullptr;
    BadWords words;
    bool is_right = value->is_array() && value->size() <= kMaxBadWords;
    for (size_t i = 0; is_right && i < value->size(); ++i) {
      const json& word = (*value)[i];
      is_right =
          word.is_array() && !word.empty() && word.size() <= kMaxBadWordTokens;
      words.emplace_back();
      for (size_t k = 0; is_right && k < word.size(); ++k) {
        const auto id = AsInteger(word[k], 0, vocab_size_ - 1);
        is_right = id.has_value();
        if (is_right) words.back().push_back(*id);
      }
    }
    if (!is_right) {
      Refuse(key,
             absl::StrFormat("a list of at most %d lists of 1 to %d token ids "
                             "from 0 to %d",
                             kMaxBadWords, kMaxBadWordTokens, vocab_size_ - 1));
    }
    if (!is_right || words.empty()) return nullptr;
    return std::make_shared<const BadWords>(std::move(words));
  }

  // The number of tokens without the start token, which `key` counts and
  // `new_key` does not.
  std::optional<int32_t> Length(const char* new_key, const char* key,
                                int32_t min) {
    const size_t new_index = IndexOf(new_key), index = IndexOf(key);
    const std::optional<int32_t> new_tokens = Integer(new_key, min);
    const std::optional<int32_t> length = Integer(key, min);
    if (new_tokens && (!length || new_index <= index)) return new_tokens;
    if (length) return std::max(min, *length - 1);
    return std::nullopt;
  }

 private:
  static constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
  static constexpr int32_t kMost = std::numeric_limits<int32_t>::max();

  static std::optional<int32_t> AsInteger(const json& value, int32_t min,
                                          int32_t max) {
    if (!value.is_number_integer()) return std::nullopt;
    if (value.is_number_unsigned() &&
        value.get<uint64_t>() > static_cast<uint64_t>(kMost)) {
      return std::nullopt;
    }
    const int64_t integer = value.get<int64_t>();
    if (integer < min || integer > max) return std::nullopt;
    return static_cast<int32_t>(integer);
  }

  // The index of the first source that has the key.
  size_t IndexOf(const char* key) const {
    size_t i = 0;
    while (i < sources_.size() && !sources_[i].object->contains(key)) ++i;
    return i;
  }

  const json* Find(const char* key) const {
    const size_t i = IndexOf(key);
    if (i == sources_.size()) return nullptr;
    const json& value = (*sources_[i].object)[key];
    return value.is_null() ? nullptr : &value;
  }

  void Refuse(const char* key, absl::string_view allowed) {
    if (!status_.ok()) return;
    const GenerationKeys& source = sources_[IndexOf(key)];
    status_ = absl::InvalidArgumentError(
        absl::StrFormat("%s: %s is %s; allowed is %s", source.where, key,
                        Shown((*source.object)[key]), allowed));
  }

  const absl::Span<const GenerationKeys> sources_;
  const int32_t vocab_size_;
  absl::Status status_;
};

void ReadSampling(DefaultsReader& reader, DecodingDefaults& defaults) {
  const std::optional<bool> do_sample = reader.Flag("do_sample");
  if (do_sample == false) defaults.temperature = 0.0f;
  if (do_sample != true) return;
  defaults.temperature =
      reader.Number("temperature", 0, kMaxTemperature).value_or(1.0f);
  defaults.top_k = reader.Integer("top_k", 0).value_or(kDefaultTopK);
  defaults.top_p = reader.Number("top_p", 1e-6, 1);
  defaults.min_p = reader.Number("min_p", 0, 1);
}

// Warns of keys that have no effect because of others.
void WarnOfCombinations(const DecodingDefaults& defaults,
                        const GenerationKeys& source,
                        std::vector<std::string>& warnings) {
  const json& object = *source.object;
  const auto warn = [&](const std::string& key, absl::string_view effect) {
    warnings.push_back(Warning(source.where, key, object[key], effect));
  };
  const int32_t beam_size = defaults.beam_size.value_or(1);
  const int32_t num_hypotheses = defaults.num_hypotheses.value_or(1);
  const bool samples = defaults.temperature.value_or(0) > 0;
  for (const GenerationKey& key : AllGenerationKeys()) {
    if (key.use != KeyUse::kSampling || !object.contains(key.name)) continue;
    if (!samples && !IsNeutral(key, object[key.name])) {
      warn(key.name,
           "it has no effect, because do_sample is not true and so nothing is "
           "sampled");
    }
  }
  if (samples && beam_size > 1) {
    for (const char* key : {"do_sample", "num_beams"}) {
      if (!object.contains(key)) continue;
      warn(key,
           "do_sample has no effect with num_beams above 1, because beams do "
           "not sample here");
      break;
    }
  }
  if (beam_size > kMaxBeams && object.contains("num_beams")) {
    warn("num_beams", absl::StrFormat("a search has at most %d", kMaxBeams));
  }
  if (num_hypotheses > beam_size && object.contains("num_return_sequences")) {
    warn("num_return_sequences",
         absl::StrFormat("outputs are at most num_beams, which is %d",
                         beam_size));
  }
  if (object.contains("forced_eos_token_id") &&
      object["forced_eos_token_id"].is_array() &&
      object["forced_eos_token_id"].size() > 1) {
    warn("forced_eos_token_id", "only the lowest of them is forced");
  }
}

// Warns of the keys of the first source that are not followed or not known.
void WarnOfKeys(absl::Span<const GenerationKeys> sources, KeyHolder holder,
                std::vector<std::string>& warnings) {
  const GenerationKeys& source = sources.front();
  const bool is_task = holder == KeyHolder::kTask;
  for (const auto& item : source.object->items()) {
    const std::string& name = item.key();
    const json& value = item.value();
    const GenerationKey* key = FindGenerationKey(name);
    std::string effect;
    if (key == nullptr) {
      const bool is_prompt = is_task && name == "prefix";
      if (holder == KeyHolder::kModelConfig || is_prompt || value.is_null()) {
        continue;
      }
      effect = "this key is not known and has no effect";
    } else if (key->use == KeyUse::kNotFollowed) {
      if (IsNeutral(*key, value)) continue;
      effect = absl::StrCat("not followed: ", key->effect);
    } else if (key->use == KeyUse::kModelsToken && is_task) {
      const auto has_it = [&](const GenerationKeys& other) {
        return other.object->value(name, json()) == value;
      };
      const auto models = sources.subspan(1);
      if (value.is_null() ||
          std::any_of(models.begin(), models.end(), has_it)) {
        continue;
      }
      effect = "a task does not change it; the model's own holds";
    } else {
      continue;
    }
    warnings.push_back(Warning(source.where, name, value, effect));
  }
}

// The reference refuses this too, because no token could be chosen.
absl::Status CheckForcedFirst(const DecodingDefaults& defaults,
                              const std::string& where) {
  const std::optional<int32_t>& forced = defaults.forced_first_token;
  if (!forced ||
      !std::binary_search(defaults.suppressed_tokens.begin(),
                          defaults.suppressed_tokens.end(), *forced)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: forced_bos_token_id is %d; allowed is a token that suppress_tokens "
      "does not have",
      where, *forced));
}

}  // namespace

absl::StatusOr<DecodingDefaults> ReadGenerationKeys(
    absl::Span<const GenerationKeys> sources, KeyHolder holder,
    int32_t vocab_size, std::vector<std::string>& warnings) {
  DefaultsReader reader(sources, vocab_size);
  DecodingDefaults defaults;
  defaults.max_new_tokens = reader.Length("max_new_tokens", "max_length", 1);
  defaults.min_new_tokens = reader.Length("min_new_tokens", "min_length", 0);
  defaults.beam_size = reader.Integer("num_beams", 1);
  defaults.num_hypotheses = reader.Integer("num_return_sequences", 1);
  defaults.length_penalty =
      reader.Number("length_penalty", -kMaxLengthPenalty, kMaxLengthPenalty);
  defaults.early_stopping = reader.Early("early_stopping");
  defaults.repetition_penalty = reader.Number(
      "repetition_penalty", kMinRepetitionPenalty, kMaxRepetitionPenalty);
  defaults.no_repeat_ngram_size =
      reader.Integer("no_repeat_ngram_size", 0, kMaxNgramSize);
  defaults.forced_first_token = reader.Token("forced_bos_token_id");
  defaults.forced_last_token = reader.LowestToken("forced_eos_token_id");
  defaults.bad_words = reader.Words("bad_words_ids");
  defaults.suppressed_tokens = reader.Tokens("suppress_tokens");
  defaults.first_suppressed_tokens = reader.Tokens("begin_suppress_tokens");
  defaults.is_renormalized = reader.Flag("renormalize_logits").value_or(false);
  ReadSampling(reader, defaults);
  if (!reader.status().ok()) return reader.status();
  const GenerationKeys& source = sources.front();
  if (absl::Status status = CheckForcedFirst(defaults, source.where);
      !status.ok()) {
    return status;
  }
  WarnOfKeys(sources, holder, warnings);
  WarnOfCombinations(defaults, source, warnings);
  return defaults;
}

bool CountsModelConfig(const json& generation_config) {
  return generation_config.value("_from_model_config", json()) == true;
}

void WarnOfModelConfigKeys(const json& config, const json& generation_config,
                           std::vector<std::string>& warnings) {
  const bool counts = CountsModelConfig(generation_config);
  for (const auto& [name, value] : config.items()) {
    const GenerationKey* key = FindGenerationKey(name);
    if (key == nullptr || IsNeutral(*key, value)) continue;
    if (key->use == KeyUse::kModelsToken || key->use == KeyUse::kHarmless) {
      continue;
    }
    if (generation_config.value(name, json()) == value) continue;
    std::string effect =
        "it has no effect, because there is a generation_config.json, which "
        "counts alone";
    if (counts && generation_config.contains(name)) {
      effect = "it has no effect, because generation_config.json has its own";
    } else if (counts && key->use == KeyUse::kNotFollowed) {
      effect = absl::StrCat("not followed: ", key->effect);
    } else if (counts) {
      effect =
          "it counts, because generation_config.json says _from_model_config "
          "and has no such key, but transformers 5 does not read it";
    }
    warnings.push_back(Warning("config.json", name, value, effect));
  }
}

}  // namespace sheaf
