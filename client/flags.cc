#include "client/flags.h"

#include <fstream>
#include <sstream>
#include <tuple>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/usage_error.h"

using sheaf::LineBreaksFlag;
using sheaf::RepeatedString;
using sheaf::TokenIdList;

// The call.
ABSL_FLAG(std::string, server, "127.0.0.1:50051",
          "HOST:PORT of the server, or of several, separated by commas; or "
          "unix:PATH.");
ABSL_FLAG(bool, tls, false, "Encrypts. The flags tls_... mean it too.");
ABSL_FLAG(std::string, tls_ca, "",
          "PEM file of the authorities to trust; empty for the system's.");
ABSL_FLAG(std::string, tls_cert, "",
          "PEM file of the client's own certificate.");
ABSL_FLAG(std::string, tls_key, "", "PEM file of its key.");
ABSL_FLAG(std::string, tls_server_name, "",
          "Whom the server's certificate must be for; empty for the host.");
ABSL_FLAG(std::string, token_file, "",
          "File with the bearer token to send, which no other user should be "
          "able to read.");
ABSL_FLAG(std::optional<int>, max_attempts, std::nullopt,
          "Times that a call is sent if servers are away or full, 1 to 5. Not "
          "given: 4, for load 1.");
ABSL_FLAG(std::string, model, "", "Model's name; empty for the server's own.");
ABSL_FLAG(std::optional<absl::Duration>, timeout, std::nullopt,
          "Longest time for one call, as 500ms, 10s or 2m. Not given: the "
          "server's limit.");

// What goes in and out.
ABSL_FLAG(std::string, from, "",
          "Source language, as en or zh-Hant. Empty or auto: the one that the "
          "model translates to --to from.");
ABSL_FLAG(std::string, to, "", "Target language, as de or zh-Hant.");
ABSL_FLAG(bool, stream, false, "Prints the text as it is generated.");
ABSL_FLAG(bool, json, false, "Prints one JSON object a result.");
ABSL_FLAG(std::string, input, "", "File to read instead of stdin.");
ABSL_FLAG(std::string, output, "",
          "File to write instead of stdout, a line for each line of --input. "
          "Lines that it has already are kept, and work goes on after them.");
ABSL_FLAG(bool, overwrite, false, "Starts --output anew.");
ABSL_FLAG(std::optional<LineBreaksFlag>, line_breaks, std::nullopt,
          "Translates all of stdin or of --input as one text, whose layout is "
          "kept, and says what its line breaks mean: keep (each ends a "
          "sentence), paragraphs (the lines of a paragraph are joined) or "
          "automatic (those of hard-wrapped paragraphs are). Not given: line "
          "by line; automatic for a TEXT argument.");
ABSL_FLAG(int32_t, concurrency, 8, "Lines to translate at the same time.");
ABSL_FLAG(std::optional<TokenIdList>, ids, std::nullopt,
          "Token ids to run the model on instead of a text, as 5,6,7. The end "
          "token is not added.");

// DecodingOptions. What is not given is the task's or the model's default.
ABSL_FLAG(std::optional<int32_t>, max_new_tokens, std::nullopt,
          "Longest output, in tokens.");
ABSL_FLAG(std::optional<int32_t>, min_new_tokens, std::nullopt,
          "The end token is not chosen before so many tokens.");
ABSL_FLAG(std::optional<int32_t>, beam_size, std::nullopt,
          "Hypotheses kept at each step, to 16; 1 is greedy or sampling. Beams "
          "do not sample: --temperature must be 0.");
ABSL_FLAG(std::optional<int32_t>, num_hypotheses, std::nullopt,
          "Hypotheses to return, 1 to beam_size. More than one are printed as "
          "SCORE<tab>TEXT, best first: each on its line for a TEXT argument, "
          "all on one line, with tabs between, for lines of stdin or a file.");
ABSL_FLAG(std::optional<float>, length_penalty, std::nullopt,
          "A hypothesis' score is the sum of its log-probabilities / "
          "length^this: above 0 longer ones gain.");
ABSL_FLAG(
    std::optional<bool>, early_stopping, std::nullopt,
    "Stops as soon as beam_size hypotheses have ended; --noearly_stopping "
    "goes on while one that lives scores better than the worst of them.");
ABSL_FLAG(std::optional<float>, repetition_penalty, std::nullopt,
          "Above 1 makes tokens of the output less likely to come again.");
ABSL_FLAG(std::optional<int32_t>, no_repeat_ngram_size, std::nullopt,
          "No run of so many tokens comes twice; 0 for no such rule.");
ABSL_FLAG(std::optional<float>, temperature, std::nullopt,
          "0 is greedy, more samples.");
ABSL_FLAG(std::optional<int32_t>, top_k, std::nullopt,
          "Samples among the likeliest so many tokens; 0 for all.");
ABSL_FLAG(std::optional<float>, top_p, std::nullopt,
          "Samples among the likeliest tokens that sum to this; 1 for all.");
ABSL_FLAG(std::optional<uint64_t>, seed, std::nullopt,
          "The same seed gives the same text (load: the same arrivals too).");
ABSL_FLAG(RepeatedString, stop, {},
          "Ends the text before this string. Give the flag again for several; "
          "commas are plain, C escapes as \\n are understood.");
ABSL_FLAG(std::optional<TokenIdList>, target_prefix, std::nullopt,
          "Token ids that the output starts with, as 5,6,7.");
ABSL_FLAG(std::optional<TokenIdList>, suppressed_tokens, std::nullopt,
          "Token ids that are never chosen, as 5,6,7.");
ABSL_FLAG(std::optional<int32_t>, forced_bos_token_id, std::nullopt,
          "Token id at the output's first place; -1 for any.");
ABSL_FLAG(std::optional<int32_t>, forced_eos_token_id, std::nullopt,
          "Token id at the last place that --max_new_tokens allows; -1 for "
          "any.");
ABSL_FLAG(std::optional<bool>, loop_guard, std::nullopt,
          "Ends an output that repeats itself: a token 32 times, a phrase of 8 "
          "to 32 tokens 4 times. Not given: on, but off for generate.");

// Load.
ABSL_FLAG(double, rate, 1, "Requests a second, on average (Poisson arrivals).");
ABSL_FLAG(double, seconds, 10, "For how long requests arrive.");
ABSL_FLAG(std::string, task, "translate", "translate, summarize or generate.");
ABSL_FLAG(std::string, text, "",
          "Text of every request; --input=FILE takes the file's lines by turns "
          "instead. Neither: a sentence of the program's own.");
ABSL_FLAG(int32_t, source_tokens, 0,
          "With --task=generate: sends so many token ids, random ones and the "
          "end token, instead of a text.");
ABSL_FLAG(int32_t, source_vocab_size, 1000,
          "The random ids of --source_tokens are in 3 to this - 1.");

namespace sheaf {
namespace {

constexpr int kMaxConcurrency = 256;

absl::StatusOr<std::string> ReadFile(absl::string_view flag,
                                     const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (file && !text.str().empty()) return text.str();
  return UsageError(absl::StrCat("--", flag, " is \"", path,
                                 "\"; it cannot be read or is empty"));
}

absl::Status AddStops(v1::DecodingOptions& decoding) {
  for (const std::string& text : absl::GetFlag(FLAGS_stop).values) {
    std::string error;
    if (!absl::CUnescape(text, decoding.add_stop(), &error)) {
      return UsageError(absl::StrCat("--stop=", text, ": ", error,
                                     "; write \\\\ for a backslash"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool AbslParseFlag(absl::string_view text, TokenIdList* flag,
                   std::string* error) {
  flag->ids.clear();
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(part, &id)) {
      *error = absl::StrCat("\"", part, "\" is no token id");
      return false;
    }
    flag->ids.push_back(id);
  }
  return true;
}

std::string AbslUnparseFlag(const TokenIdList& flag) {
  return absl::StrJoin(flag.ids, ",");
}

bool AbslParseFlag(absl::string_view text, LineBreaksFlag* flag,
                   std::string* error) {
  for (const v1::LineBreaks value :
       {v1::LINE_BREAKS_UNSPECIFIED, v1::LINE_BREAKS_KEEP,
        v1::LINE_BREAKS_PARAGRAPHS}) {
    flag->value = value;
    if (text == AbslUnparseFlag(*flag)) return true;
  }
  *error = "it must be automatic, keep or paragraphs";
  return false;
}

std::string AbslUnparseFlag(const LineBreaksFlag& flag) {
  switch (flag.value) {
    case v1::LINE_BREAKS_KEEP:
      return "keep";
    case v1::LINE_BREAKS_PARAGRAPHS:
      return "paragraphs";
    default:
      return "automatic";
  }
}

absl::StatusOr<v1::DecodingOptions> DecodingFromFlags() {
  v1::DecodingOptions decoding;
#define SHEAF_SET_IF_GIVEN(name)                      \
  if (const auto value = absl::GetFlag(FLAGS_##name)) \
  decoding.set_##name(*value)
  SHEAF_SET_IF_GIVEN(max_new_tokens);
  SHEAF_SET_IF_GIVEN(min_new_tokens);
  SHEAF_SET_IF_GIVEN(beam_size);
  SHEAF_SET_IF_GIVEN(num_hypotheses);
  SHEAF_SET_IF_GIVEN(length_penalty);
  SHEAF_SET_IF_GIVEN(early_stopping);
  SHEAF_SET_IF_GIVEN(repetition_penalty);
  SHEAF_SET_IF_GIVEN(no_repeat_ngram_size);
  SHEAF_SET_IF_GIVEN(temperature);
  SHEAF_SET_IF_GIVEN(top_k);
  SHEAF_SET_IF_GIVEN(top_p);
  SHEAF_SET_IF_GIVEN(seed);
  SHEAF_SET_IF_GIVEN(loop_guard);
  SHEAF_SET_IF_GIVEN(forced_bos_token_id);
  SHEAF_SET_IF_GIVEN(forced_eos_token_id);
#undef SHEAF_SET_IF_GIVEN
  if (absl::Status status = AddStops(decoding); !status.ok()) return status;
  if (const auto prefix = absl::GetFlag(FLAGS_target_prefix)) {
    decoding.mutable_target_prefix()->mutable_ids()->Add(prefix->ids.begin(),
                                                         prefix->ids.end());
  }
  if (const auto suppressed = absl::GetFlag(FLAGS_suppressed_tokens)) {
    decoding.mutable_suppressed_tokens()->Add(suppressed->ids.begin(),
                                              suppressed->ids.end());
  }
  return decoding;
}

absl::Status CheckStreamOfOne() {
  const int32_t num = absl::GetFlag(FLAGS_num_hypotheses).value_or(1);
  if (!absl::GetFlag(FLAGS_stream) || num <= 1) return absl::OkStatus();
  return UsageError(absl::StrCat(
      "--stream prints the best hypothesis alone; --num_hypotheses is ", num));
}

absl::StatusOr<CallOptions> CallOptionsFromFlags() {
  CallOptions options;
  if (const auto timeout = absl::GetFlag(FLAGS_timeout)) {
    if (*timeout <= absl::ZeroDuration()) {
      return UsageError(absl::StrCat("--timeout is ",
                                     absl::FormatDuration(*timeout),
                                     "; it must be more than 0"));
    }
    options.timeout = *timeout;
  }
  return options;
}

absl::StatusOr<ClientOptions> ServerFromFlags() {
  ClientOptions options;
  options.server = absl::GetFlag(FLAGS_server);
  options.max_attempts =
      absl::GetFlag(FLAGS_max_attempts).value_or(options.max_attempts);
  TlsOptions tls;
  tls.server_name = absl::GetFlag(FLAGS_tls_server_name);
  bool is_encrypted = absl::GetFlag(FLAGS_tls) || !tls.server_name.empty();
  for (const auto& [flag, path, text] :
       {std::tuple("tls_ca", absl::GetFlag(FLAGS_tls_ca), &tls.ca_pem),
        std::tuple("tls_cert", absl::GetFlag(FLAGS_tls_cert), &tls.cert_pem),
        std::tuple("tls_key", absl::GetFlag(FLAGS_tls_key), &tls.key_pem),
        std::tuple("token_file", absl::GetFlag(FLAGS_token_file),
                   &options.token)}) {
    if (path.empty()) continue;
    absl::StatusOr<std::string> read = ReadFile(flag, path);
    if (!read.ok()) return read.status();
    *text = *std::move(read);
    if (text != &options.token) is_encrypted = true;
  }
  absl::StripAsciiWhitespace(&options.token);
  if (is_encrypted) options.tls = std::move(tls);
  return options;
}

absl::StatusOr<Client> ClientFromFlags() {
  absl::StatusOr<ClientOptions> server = ServerFromFlags();
  if (!server.ok()) return server.status();
  absl::StatusOr<Client> client = Client::Connect(*server);
  if (!client.ok()) return UsageError(client.status().message());
  return client;
}

absl::StatusOr<int> ConcurrencyFromFlags() {
  const int concurrency = absl::GetFlag(FLAGS_concurrency);
  if (concurrency < 1 || concurrency > kMaxConcurrency) {
    return UsageError(absl::StrCat("--concurrency is ", concurrency,
                                   "; it must be 1..", kMaxConcurrency));
  }
  return concurrency;
}

}  // namespace sheaf
