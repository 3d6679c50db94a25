#include "server/decoding_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <random>

#include "absl/strings/str_format.h"
#include "server/field_error.h"

namespace sheaf {
namespace {

constexpr int32_t kDefaultMaxNewTokens = 256;

static_assert(kMaxBeams == kMaxBeamSize);  // as the model's files are told

// With as many digits as tell it from its neighbours: 0.7, 1.0000001.
std::string Shown(float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  return std::string(digits, end);
}

// Checks the fields one by one and keeps the first complaint.
class Checker {
 public:
  const absl::Status& status() const { return status_; }

  // The message begins with the field.
  void Complain(std::string message) {
    if (status_.ok()) {
      status_ = NamesField(absl::InvalidArgumentError("decoding." + message));
    }
  }

  void InRange(const char* field, int64_t value, int64_t min, int64_t max) {
    if (value >= min && value <= max) return;
    Complain(absl::StrFormat("%s is %d; this server allows %d..%d", field,
                             value, min, max));
  }

  // NaN is in no range.
  void IsWithin(const char* field, float value, float min, float max) {
    if (value >= min && value <= max) return;
    Complain(absl::StrFormat("%s is %s; this server allows %g..%g", field,
                             Shown(value), min, max));
  }

  // 0 itself is not allowed.
  void IsAbove0(const char* field, float value, float max) {
    if (value > 0 && value <= max) return;
    Complain(absl::StrFormat("%s is %s; this server allows more than 0, to %g",
                             field, Shown(value), max));
  }

  template <typename Ids>
  void AreTokens(const char* field, const Ids& ids, int32_t vocab_size) {
    for (int i = 0; i < ids.size(); ++i) {
      if (ids[i] >= 0 && ids[i] < vocab_size) continue;
      return Complain(absl::StrFormat("%s[%d] is %d; the vocabulary is 0..%d",
                                      field, i, ids[i], vocab_size - 1));
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

void CheckStops(const v1::DecodingOptions& options,
                const DecodingLimits& limits, Checker& checker) {
  if (options.stop_size() > limits.max_stops) {
    checker.Complain(
        absl::StrFormat("stop has %d sequences; this server allows 0..%d",
                        options.stop_size(), limits.max_stops));
  }
  for (int i = 0; i < options.stop_size(); ++i) {
    const size_t bytes = options.stop(i).size();
    if (bytes >= 1 && bytes <= static_cast<size_t>(limits.max_stop_bytes)) {
      continue;
    }
    checker.Complain(
        absl::StrFormat("stop[%d] has %d bytes; this server allows 1..%d", i,
                        bytes, limits.max_stop_bytes));
  }
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

// Beams, or sampling, or neither.
void SetSearch(const v1::DecodingOptions& options,
               const DecodingDefaults& defaults, const DecodingLimits& limits,
               Checker& checker, SamplingParams& sampling) {
  const bool wants_sampling = options.temperature() > 0;
  // A default is the model's author's wish: within the limit, no error.
  sampling.beam_size =
      options.has_beam_size() ? options.beam_size()
      : wants_sampling
          ? 1
          : std::min(defaults.beam_size.value_or(1), limits.max_beam_size);
  checker.InRange("beam_size", sampling.beam_size, 1, limits.max_beam_size);
  sampling.temperature = options.has_temperature() ? options.temperature()
                         : sampling.beam_size > 1
                             ? 0.0f
                             : defaults.temperature.value_or(0.0f);
  checker.IsWithin("temperature", sampling.temperature, 0.0f, kMaxTemperature);
  sampling.num_hypotheses =
      options.has_num_hypotheses()
          ? options.num_hypotheses()
          : std::min(defaults.num_hypotheses.value_or(1), sampling.beam_size);
  checker.InRange("num_hypotheses", sampling.num_hypotheses, 1,
                  limits.max_beam_size);
  sampling.search_end =
      options.has_early_stopping()
          ? ToSearchEnd(options.early_stopping() ? EarlyStopping::kYes
                                                 : EarlyStopping::kNo)
          : ToSearchEnd(defaults.early_stopping.value_or(EarlyStopping::kNo));
  sampling.length_penalty = options.has_length_penalty()
                                ? options.length_penalty()
                                : defaults.length_penalty.value_or(1.0f);
  checker.IsWithin("length_penalty", sampling.length_penalty,
                   -kMaxLengthPenalty, kMaxLengthPenalty);
}

// -1 is none, in a request too.
void SetForcedTokens(const v1::DecodingOptions& options,
                     const DecodingDefaults& defaults,
                     const DecodingLimits& limits, Checker& checker,
                     SamplingParams& sampling) {
  sampling.forced_first_token = options.has_forced_bos_token_id()
                                    ? options.forced_bos_token_id()
                                    : defaults.forced_first_token.value_or(-1);
  checker.InRange("forced_bos_token_id", sampling.forced_first_token, -1,
                  limits.vocab_size - 1);
  if (options.has_forced_bos_token_id() &&
      !limits.allows_output(options.forced_bos_token_id())) {
    checker.Complain(absl::StrFormat(
        "forced_bos_token_id is %d, which begins or ends a text; allowed is "
        "what stands within one, or -1 for none",
        options.forced_bos_token_id()));
  }
  sampling.forced_last_token = options.has_forced_eos_token_id()
                                   ? options.forced_eos_token_id()
                                   : defaults.forced_last_token.value_or(-1);
  checker.InRange("forced_eos_token_id", sampling.forced_last_token, -1,
                  limits.vocab_size - 1);
}

// Fields whose own values are right may still not go together.
void CheckTogether(const v1::DecodingOptions& options,
                   const SamplingParams& sampling, Checker& checker) {
  if (sampling.beam_size > 1 && sampling.temperature > 0) {
    checker.Complain(absl::StrFormat(
        "temperature is %s; with beam_size %d, which does not sample, only 0 "
        "is allowed",
        Shown(sampling.temperature), sampling.beam_size));
  }
  if (sampling.num_hypotheses > sampling.beam_size) {
    checker.Complain(absl::StrFormat(
        "num_hypotheses is %d; with beam_size %d, 1..%d is allowed",
        sampling.num_hypotheses, sampling.beam_size, sampling.beam_size));
  }
  if (options.has_min_new_tokens() &&
      sampling.min_new_tokens > sampling.max_new_tokens) {
    checker.Complain(absl::StrFormat(
        "min_new_tokens is %d; with max_new_tokens %d, 0..%d is allowed",
        sampling.min_new_tokens, sampling.max_new_tokens,
        sampling.max_new_tokens));
  }
  const int32_t forced = sampling.forced_first_token;
  if (options.forced_bos_token_id() >= 0 && options.has_forced_bos_token_id() &&
      options.target_prefix().ids_size() > 0 &&
      options.target_prefix().ids(0) != forced) {
    checker.Complain(absl::StrFormat(
        "forced_bos_token_id is %d; with target_prefix.ids[0] %d, %d or -1 is "
        "allowed",
        forced, options.target_prefix().ids(0),
        options.target_prefix().ids(0)));
  }
  if (options.target_prefix().ids_size() == 0 &&
      std::binary_search(sampling.suppressed_tokens.begin(),
                         sampling.suppressed_tokens.end(), forced)) {
    checker.Complain(absl::StrFormat(
        "suppressed_tokens has %d, which is the first token that %s forces; "
        "forced_bos_token_id -1 forces none",
        forced,
        options.has_forced_bos_token_id() ? "forced_bos_token_id"
                                          : "the model"));
  }
  const int32_t prefix_size = options.target_prefix().ids_size();
  if (prefix_size >= sampling.max_new_tokens) {
    checker.Complain(absl::StrFormat(
        "target_prefix has %d tokens; with max_new_tokens %d, which counts "
        "them, 0..%d is allowed",
        prefix_size, sampling.max_new_tokens, sampling.max_new_tokens - 1));
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
  Checker checker;
  CheckedOptions out;
  SamplingParams& sampling = out.sampling;

  // A default is the model's author's wish: within the limit, no error.
  sampling.max_new_tokens =
      options.has_max_new_tokens()
          ? options.max_new_tokens()
          : std::min(defaults.max_new_tokens.value_or(kDefaultMaxNewTokens),
                     limits.max_new_tokens);
  checker.InRange("max_new_tokens", sampling.max_new_tokens, 1,
                  limits.max_new_tokens);
  sampling.min_new_tokens = options.has_min_new_tokens()
                                ? options.min_new_tokens()
                                : std::min(defaults.min_new_tokens.value_or(0),
                                           sampling.max_new_tokens);
  checker.InRange("min_new_tokens", sampling.min_new_tokens, 0,
                  limits.max_new_tokens);
  SetSearch(options, defaults, limits, checker, sampling);
  sampling.repetition_penalty =
      options.has_repetition_penalty()
          ? options.repetition_penalty()
          : defaults.repetition_penalty.value_or(1.0f);
  checker.IsWithin("repetition_penalty", sampling.repetition_penalty,
                   kMinRepetitionPenalty, kMaxRepetitionPenalty);
  sampling.no_repeat_ngram_size =
      options.has_no_repeat_ngram_size()
          ? options.no_repeat_ngram_size()
          : defaults.no_repeat_ngram_size.value_or(0);
  checker.InRange("no_repeat_ngram_size", sampling.no_repeat_ngram_size, 0,
                  kMaxNgramSize);
  sampling.top_k =
      options.has_top_k() ? options.top_k() : defaults.top_k.value_or(0);
  checker.InRange("top_k", sampling.top_k, 0,
                  std::numeric_limits<int32_t>::max());
  sampling.top_p =
      options.has_top_p() ? options.top_p() : defaults.top_p.value_or(1.0f);
  checker.IsAbove0("top_p", sampling.top_p, 1.0f);
  sampling.seed = options.has_seed() ? options.seed() : RandomSeed();
  sampling.has_loop_guard =
      options.has_loop_guard() ? options.loop_guard() : limits.has_loop_guard;
  sampling.min_p = defaults.min_p.value_or(0.0f);
  sampling.bad_words = defaults.bad_words;
  sampling.first_suppressed_tokens = defaults.first_suppressed_tokens;
  sampling.is_renormalized = defaults.is_renormalized;
  SetForcedTokens(options, defaults, limits, checker, sampling);

  const auto& prefix = options.target_prefix().ids();
  checker.AreTokens("target_prefix.ids", prefix, limits.vocab_size);
  for (int i = 0; i < prefix.size(); ++i) {
    if (limits.allows_output(prefix[i])) continue;
    checker.Complain(absl::StrFormat(
        "target_prefix.ids[%d] is %d, which begins or ends a text; allowed is "
        "what stands within one",
        i, prefix[i]));
  }
  out.target_prefix.assign(prefix.begin(), prefix.end());
  const auto& suppressed = options.suppressed_tokens();
  checker.AreTokens("suppressed_tokens", suppressed, limits.vocab_size);
  sampling.suppressed_tokens = Distinct(suppressed, defaults.suppressed_tokens);
  if (static_cast<int64_t>(sampling.suppressed_tokens.size()) >=
      limits.vocab_size) {
    checker.Complain("suppressed_tokens has the whole vocabulary");
  }

  CheckStops(options, limits, checker);
  out.stop.assign(options.stop().begin(), options.stop().end());
  if (checker.status().ok()) CheckTogether(options, sampling, checker);
  if (!checker.status().ok()) return checker.status();
  return out;
}

}  // namespace sheaf
