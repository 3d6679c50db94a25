// SPDX-License-Identifier: Apache-2.0

#include "server/decoding_options.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/field_error.h"

namespace sheaf {
namespace {

constexpr int32_t kDefaultMaxNewTokens = 256;

// The limit for a model's files is the limit for requests.
static_assert(kMaxBeams == kMaxBeamSize);

std::string Shown(int32_t value) { return absl::StrCat(value); }

// With as many digits as tell it from its neighbours: 0.7, 1.0000001.
std::string Shown(float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  return std::string(digits, end);
}

template <typename T>
std::optional<T> Asked(bool is_asked, T value) {
  return is_asked ? std::optional<T>(value) : std::nullopt;
}

template <typename T>
T Pick(const std::optional<T>& asked, const std::optional<T>& by_default,
       T builtin) {
  return asked.value_or(by_default.value_or(builtin));
}

// One number of DecodingOptions.
template <typename T>
struct Field {
  const char* name;
  std::optional<T> asked;       // by the request
  std::optional<T> by_default;  // by the task or the model
  T builtin;
  T min, max;
  // A value that the request does not ask for is limited to this, because the
  // client is not at fault.
  T max_unasked = max;
};

// Reads the fields one by one and keeps the first error.
class FieldReader {
 public:
  const absl::Status& status() const { return status_; }

  template <typename... Args>
  void Refuse(absl::string_view field, const absl::FormatSpec<Args...>& format,
              const Args&... args) {
    if (!status_.ok()) return;
    status_ = FieldError(absl::StatusCode::kInvalidArgument,
                         absl::StrCat("decoding.", field), format, args...);
  }

  template <typename T>
  T Read(const Field<T>& field) {
    T value = Pick(field.asked, field.by_default, field.builtin);
    if (!field.asked.has_value()) value = std::min(value, field.max_unasked);
    // NaN is in no range.
    if (!(value >= field.min && value <= field.max)) {
      Refuse(field.name, "is %s; this server allows %s..%s", Shown(value),
             Shown(field.min), Shown(field.max));
    }
    return value;
  }

  template <typename Ids>
  void CheckTokens(const char* field, const Ids& ids, int32_t vocab_size) {
    for (int i = 0; i < ids.size(); ++i) {
      if (ids[i] >= 0 && ids[i] < vocab_size) continue;
      return Refuse(absl::StrFormat("%s[%d]", field, i),
                    "is %d; the vocabulary is 0..%d", ids[i], vocab_size - 1);
    }
  }

 private:
  absl::Status status_;
};

uint64_t RandomSeed() {
  thread_local std::mt19937_64 generator{std::random_device()()};
  return generator();
}

template <typename Ids>
std::vector<int32_t> Distinct(const Ids& ids,
                              const std::vector<int32_t>& more) {
  std::vector<int32_t> out(ids.begin(), ids.end());
  out.insert(out.end(), more.begin(), more.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

SearchEnd ToSearchEnd(EarlyStopping early_stopping) {
  switch (early_stopping) {
    case EarlyStopping::kYes:
      return SearchEnd::kImmediately;
    case EarlyStopping::kNo:
      return SearchEnd::kNoLiveBeamBetter;
    case EarlyStopping::kNever:
      return SearchEnd::kNoLiveBeamCanWin;
  }
  return SearchEnd::kNoLiveBeamBetter;
}

void ReadLengths(const v1::DecodingOptions& options,
                 const DecodingDefaults& defaults, const DecodingLimits& limits,
                 FieldReader& reader, SamplingParams& sampling) {
  // The start token and all tokens but the last have a position.
  int32_t most = limits.max_new_tokens;
  if (limits.max_positions > 0 && limits.max_positions < most) {
    most = limits.max_positions;
    if (options.max_new_tokens() > most) {
      reader.Refuse("max_new_tokens",
                    "is %d; this model has %d positions and allows 1..%d",
                    options.max_new_tokens(), most, most);
    }
  }
  sampling.max_new_tokens = reader.Read<int32_t>(
      {.name = "max_new_tokens",
       .asked = Asked(options.has_max_new_tokens(), options.max_new_tokens()),
       .by_default = defaults.max_new_tokens,
       .builtin = kDefaultMaxNewTokens,
       .min = 1,
       .max = most});
  sampling.min_new_tokens = reader.Read<int32_t>(
      {.name = "min_new_tokens",
       .asked = Asked(options.has_min_new_tokens(), options.min_new_tokens()),
       .by_default = defaults.min_new_tokens,
       .builtin = 0,
       .min = 0,
       .max = most,
       .max_unasked = sampling.max_new_tokens});
}

// Beams, or sampling, or neither.
void ReadSearch(const v1::DecodingOptions& options,
                const DecodingDefaults& defaults, const DecodingLimits& limits,
                FieldReader& reader, SamplingParams& sampling) {
  const bool asks_for_sampling = options.temperature() > 0;
  sampling.beam_size = reader.Read<int32_t>(
      {.name = "beam_size",
       .asked = Asked(options.has_beam_size(), options.beam_size()),
       .by_default = asks_for_sampling ? 1 : defaults.beam_size,
       .builtin = 1,
       .min = 1,
       .max = limits.max_beam_size});
  sampling.temperature = reader.Read<float>(
      {.name = "temperature",
       .asked = Asked(options.has_temperature(), options.temperature()),
       .by_default = sampling.beam_size > 1 ? 0.0f : defaults.temperature,
       .builtin = 0.0f,
       .min = 0.0f,
       .max = kMaxTemperature});
  sampling.num_hypotheses = reader.Read<int32_t>(
      {.name = "num_hypotheses",
       .asked = Asked(options.has_num_hypotheses(), options.num_hypotheses()),
       .by_default = defaults.num_hypotheses,
       .builtin = 1,
       .min = 1,
       .max = limits.max_beam_size,
       .max_unasked = sampling.beam_size});
  sampling.length_penalty = reader.Read<float>(
      {.name = "length_penalty",
       .asked = Asked(options.has_length_penalty(), options.length_penalty()),
       .by_default = defaults.length_penalty,
       .builtin = 1.0f,
       .min = -kMaxLengthPenalty,
       .max = kMaxLengthPenalty});
  const std::optional<EarlyStopping> early_stopping = Asked(
      options.has_early_stopping(),
      options.early_stopping() ? EarlyStopping::kYes : EarlyStopping::kNo);
  sampling.search_end = ToSearchEnd(
      Pick(early_stopping, defaults.early_stopping, EarlyStopping::kNo));
}

void ReadRepetition(const v1::DecodingOptions& options,
                    const DecodingDefaults& defaults, FieldReader& reader,
                    SamplingParams& sampling) {
  sampling.repetition_penalty =
      reader.Read<float>({.name = "repetition_penalty",
                          .asked = Asked(options.has_repetition_penalty(),
                                         options.repetition_penalty()),
                          .by_default = defaults.repetition_penalty,
                          .builtin = 1.0f,
                          .min = kMinRepetitionPenalty,
                          .max = kMaxRepetitionPenalty});
  sampling.no_repeat_ngram_size =
      reader.Read<int32_t>({.name = "no_repeat_ngram_size",
                            .asked = Asked(options.has_no_repeat_ngram_size(),
                                           options.no_repeat_ngram_size()),
                            .by_default = defaults.no_repeat_ngram_size,
                            .builtin = 0,
                            .min = 0,
                            .max = kMaxNgramSize});
}

void ReadSampling(const v1::DecodingOptions& options,
                  const DecodingDefaults& defaults, FieldReader& reader,
                  SamplingParams& sampling) {
  sampling.top_k = reader.Read<int32_t>(
      {.name = "top_k",
       .asked = Asked(options.has_top_k(), options.top_k()),
       .by_default = defaults.top_k,
       .builtin = 0,
       .min = 0,
       .max = std::numeric_limits<int32_t>::max()});
  sampling.top_p =
      Pick(Asked(options.has_top_p(), options.top_p()), defaults.top_p, 1.0f);
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    reader.Refuse("top_p", "is %s; this server allows more than 0, to 1",
                  Shown(sampling.top_p));
  }
  sampling.min_p = defaults.min_p.value_or(0.0f);
  sampling.seed = options.has_seed() ? options.seed() : RandomSeed();
}

// -1 is none, in a request too.
void ReadForcedTokens(const v1::DecodingOptions& options,
                      const DecodingDefaults& defaults,
                      const DecodingLimits& limits, FieldReader& reader,
                      SamplingParams& sampling) {
  sampling.forced_first_token =
      reader.Read<int32_t>({.name = "forced_bos_token_id",
                            .asked = Asked(options.has_forced_bos_token_id(),
                                           options.forced_bos_token_id()),
                            .by_default = limits.target_language_id >= 0
                                              ? limits.target_language_id
                                              : defaults.forced_first_token,
                            .builtin = -1,
                            .min = -1,
                            .max = limits.vocab_size - 1});
  if (options.has_forced_bos_token_id() &&
      !limits.allows_output(options.forced_bos_token_id())) {
    reader.Refuse("forced_bos_token_id",
                  "is %d, which begins or ends a text; allowed is a token "
                  "within a text, or -1 for none",
                  options.forced_bos_token_id());
  }
  sampling.forced_last_token =
      reader.Read<int32_t>({.name = "forced_eos_token_id",
                            .asked = Asked(options.has_forced_eos_token_id(),
                                           options.forced_eos_token_id()),
                            .by_default = defaults.forced_last_token,
                            .builtin = -1,
                            .min = -1,
                            .max = limits.vocab_size - 1});
}

void ReadTokenLists(const v1::DecodingOptions& options,
                    const DecodingDefaults& defaults,
                    const DecodingLimits& limits, FieldReader& reader,
                    SamplingParams& sampling) {
  const auto& prefix = options.target_prefix().ids();
  reader.CheckTokens("target_prefix.ids", prefix, limits.vocab_size);
  for (int i = 0; i < prefix.size(); ++i) {
    if (limits.allows_output(prefix[i])) continue;
    reader.Refuse(absl::StrFormat("target_prefix.ids[%d]", i),
                  "is %d, which begins or ends a text; allowed is a token "
                  "within a text",
                  prefix[i]);
  }
  const auto& suppressed = options.suppressed_tokens();
  reader.CheckTokens("suppressed_tokens", suppressed, limits.vocab_size);
  sampling.suppressed_tokens = Distinct(suppressed, defaults.suppressed_tokens);
  if (static_cast<int64_t>(sampling.suppressed_tokens.size()) >=
      limits.vocab_size) {
    reader.Refuse("suppressed_tokens", "has the whole vocabulary");
  }
  sampling.first_suppressed_tokens = defaults.first_suppressed_tokens;
  sampling.bad_words = defaults.bad_words;
}

std::vector<std::string> ReadStops(const v1::DecodingOptions& options,
                                   const DecodingLimits& limits,
                                   FieldReader& reader) {
  if (options.stop_size() > limits.max_stops) {
    reader.Refuse("stop", "has %d sequences; this server allows 0..%d",
                  options.stop_size(), limits.max_stops);
  }
  for (int i = 0; i < options.stop_size(); ++i) {
    const size_t bytes = options.stop(i).size();
    if (bytes >= 1 && bytes <= static_cast<size_t>(limits.max_stop_bytes)) {
      continue;
    }
    reader.Refuse(absl::StrFormat("stop[%d]", i),
                  "has %d bytes; this server allows 1..%d", bytes,
                  limits.max_stop_bytes);
  }
  return {options.stop().begin(), options.stop().end()};
}

// The prefix of the request. If it has one, and nothing to the contrary, the
// token of the target language comes before it.
std::vector<int32_t> PrefixOf(const v1::DecodingOptions& options,
                              const DecodingLimits& limits) {
  const auto& ids = options.target_prefix().ids();
  std::vector<int32_t> prefix;
  const int32_t language = limits.target_language_id;
  if (!ids.empty() && language >= 0 && ids[0] != language &&
      !options.has_forced_bos_token_id()) {
    prefix.push_back(language);
  }
  prefix.insert(prefix.end(), ids.begin(), ids.end());
  return prefix;
}

void CheckForcedFirst(const v1::DecodingOptions& options,
                      const SamplingParams& sampling, FieldReader& reader) {
  const int32_t forced = sampling.forced_first_token;
  const auto& prefix = options.target_prefix().ids();
  if (options.has_forced_bos_token_id() && forced >= 0 && !prefix.empty() &&
      prefix[0] != forced) {
    reader.Refuse("forced_bos_token_id",
                  "is %d; with target_prefix.ids[0] %d, %d or -1 is allowed",
                  forced, prefix[0], prefix[0]);
  }
  if (prefix.empty() &&
      std::binary_search(sampling.suppressed_tokens.begin(),
                         sampling.suppressed_tokens.end(), forced)) {
    reader.Refuse("suppressed_tokens",
                  "has %d, which is the first token that %s forces; "
                  "forced_bos_token_id -1 forces none",
                  forced,
                  options.has_forced_bos_token_id() ? "forced_bos_token_id"
                                                    : "the model");
  }
}

// Checks combinations of values that are valid one by one.
void CheckTogether(const v1::DecodingOptions& options,
                   const CheckedOptions& checked, FieldReader& reader) {
  const SamplingParams& sampling = checked.sampling;
  if (sampling.beam_size > 1 && sampling.temperature > 0) {
    reader.Refuse("temperature",
                  "is %s; with beam_size %d, which does not sample, only 0 is "
                  "allowed",
                  Shown(sampling.temperature), sampling.beam_size);
  }
  if (sampling.num_hypotheses > sampling.beam_size) {
    reader.Refuse(
        "num_hypotheses", "is %d; with beam_size %d, 1..%d is allowed",
        sampling.num_hypotheses, sampling.beam_size, sampling.beam_size);
  }
  if (options.has_min_new_tokens() &&
      sampling.min_new_tokens > sampling.max_new_tokens) {
    reader.Refuse("min_new_tokens",
                  "is %d; with max_new_tokens %d, 0..%d is allowed",
                  sampling.min_new_tokens, sampling.max_new_tokens,
                  sampling.max_new_tokens);
  }
  CheckForcedFirst(options, sampling, reader);
  const int32_t prefix_size =
      static_cast<int32_t>(checked.target_prefix.size());
  if (prefix_size >= sampling.max_new_tokens) {
    const bool has_language = prefix_size > options.target_prefix().ids_size();
    reader.Refuse("target_prefix",
                  "has %d tokens%s; with max_new_tokens %d, which counts them, "
                  "0..%d is allowed",
                  prefix_size,
                  has_language ? " with that of the target language" : "",
                  sampling.max_new_tokens, sampling.max_new_tokens - 1);
  }
}

}  // namespace

bool DecodingLimits::allows_output(int32_t id) const {
  return std::find(no_output_ids.begin(), no_output_ids.end(), id) ==
         no_output_ids.end();
}

absl::StatusOr<CheckedOptions> CheckDecodingOptions(
    const v1::DecodingOptions& options, const DecodingDefaults& defaults,
    const DecodingLimits& limits) {
  FieldReader reader;
  CheckedOptions out;
  SamplingParams& sampling = out.sampling;
  ReadLengths(options, defaults, limits, reader, sampling);
  ReadSearch(options, defaults, limits, reader, sampling);
  ReadRepetition(options, defaults, reader, sampling);
  ReadSampling(options, defaults, reader, sampling);
  ReadForcedTokens(options, defaults, limits, reader, sampling);
  ReadTokenLists(options, defaults, limits, reader, sampling);
  sampling.is_renormalized = defaults.is_renormalized;
  sampling.has_loop_guard =
      options.has_loop_guard() ? options.loop_guard() : limits.has_loop_guard;
  out.target_prefix = PrefixOf(options, limits);
  out.stop = ReadStops(options, limits, reader);
  if (reader.status().ok()) CheckTogether(options, out, reader);
  if (!reader.status().ok()) return reader.status();
  return out;
}

}  // namespace sheaf
