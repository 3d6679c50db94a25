// SPDX-License-Identifier: Apache-2.0

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
#include "base/process_limits.h"
#include "base/usage_error.h"
#include "client/commands.h"

using sheaf::DocumentFormatFlag;
using sheaf::LineBreaksFlag;
using sheaf::RepeatedString;
using sheaf::TokenIdList;

// The call.
ABSL_FLAG(std::string, server, "127.0.0.1:50051",
          "HOST:PORT of the server, or of several servers separated by commas; "
          "or unix:PATH.");
ABSL_FLAG(bool, tls, false,
          "Encrypts the connection. The other TLS flags imply it.");
ABSL_FLAG(std::string, tls_ca, "",
          "PEM file of the trusted authorities. Empty: the system's.");
ABSL_FLAG(std::string, tls_cert, "", "PEM file of the client's certificate.");
ABSL_FLAG(std::string, tls_key, "", "PEM file of the certificate's key.");
ABSL_FLAG(std::string, tls_server_name, "",
          "Name that the server's certificate must be issued for. Empty: the "
          "host.");
ABSL_FLAG(std::string, token_file, "",
          "File with the bearer token to send. Other users should not be able "
          "to read it.");
ABSL_FLAG(std::optional<int>, max_attempts, std::nullopt,
          "Maximum number of times that a call is sent if servers are "
          "unreachable or full, 1 to 5. Not given: 4, or 1 for load.");
ABSL_FLAG(std::string, model, "", "Name of the model. Empty: the server's.");
ABSL_FLAG(std::optional<absl::Duration>, timeout, std::nullopt,
          "Maximum time for one call, such as 500ms, 10s or 2m. Not given: the "
          "server's limit.");

// Input and output.
ABSL_FLAG(std::string, from, "",
          "Source language, such as en or zh-Hant. Empty or auto: the language "
          "that the model translates from to --to; if there are several, the "
          "one that the server detects in each text.");
ABSL_FLAG(bool, copy_target_language, false,
          "Copies sentences that are in the language of --to already.");
ABSL_FLAG(std::string, to, "", "Target language, such as de or zh-Hant.");
ABSL_FLAG(bool, stream, false, "Prints the text while it is generated.");
ABSL_FLAG(bool, json, false, "Prints one JSON object per result.");
ABSL_FLAG(std::string, input, "", "File to read instead of stdin.");
ABSL_FLAG(std::string, output, "",
          "File to write instead of stdout, one line per line of --input. "
          "Existing lines are kept, and work continues after them. If --format "
          "is not text, the file is written at the end, and work continues "
          "after the translations in OUTPUT.part.");
ABSL_FLAG(bool, overwrite, false, "Starts --output from the beginning.");
ABSL_FLAG(std::optional<LineBreaksFlag>, line_breaks, std::nullopt,
          "Translates all of stdin or of --input as one text, keeps its "
          "layout, and says what its line breaks mean: keep (each ends a "
          "sentence), paragraphs (the lines of a paragraph are joined) or "
          "automatic (the lines of hard-wrapped paragraphs are joined). Not "
          "given: line by line, or automatic for a TEXT argument.");
ABSL_FLAG(std::optional<DocumentFormatFlag>, format, std::nullopt,
          "Format of the input: text, markdown, html, xml, srt, vtt, po, xliff "
          "or json; a TEXT argument may be text, html or xml. A file in "
          "another format than text is translated as a whole, and its "
          "structure stays. Not given: that of the extension of --input, "
          "otherwise text.");
ABSL_FLAG(bool, retranslate, false,
          "Translates messages of PO and XLIFF files again that have a "
          "translation.");
ABSL_FLAG(bool, mark_for_review, true,
          "Marks translations in PO files as fuzzy and in XLIFF 1.2 files as "
          "needs-review-translation, so that they are not used unseen.");
ABSL_FLAG(std::optional<bool>, protect_spans, std::nullopt,
          "Keeps URLs, e-mail addresses, placeholders, code, paths, version "
          "numbers, @names and #tags as they are. Not given: the server's "
          "default, which is on.");
ABSL_FLAG(RepeatedString, do_not_translate, {},
          "Keeps this word or phrase as it is. May be given several times.");
ABSL_FLAG(RepeatedString, term, {},
          "Translates a term in this way: SOURCE=TARGET, or "
          "SOURCE=TARGET=TARGET... for several forms. A target that ends with "
          "\"*\" is the beginning of a word. May be given several times.");
ABSL_FLAG(std::string, glossary, "",
          "Name of a glossary of the server (--glossaries). Terms of --term "
          "win over its terms.");
ABSL_FLAG(std::optional<bool>, repair, std::nullopt,
          "Lets the server repair sentences that lost something, which may "
          "take further decodes. Not given: the server's default, which is "
          "on.");
ABSL_FLAG(bool, report, false,
          "Tells on stderr which sentences may be wrong, and why. With --json, "
          "each result has the report of every sentence instead.");
ABSL_FLAG(int32_t, concurrency, 8,
          "Maximum number of lines, or texts of a file, that are translated "
          "concurrently.");
ABSL_FLAG(std::optional<TokenIdList>, ids, std::nullopt,
          "Token ids to run the model on instead of a text, such as 5,6,7. The "
          "end token is not added.");

// DecodingOptions. If a flag is not given, the task's or the model's default
// applies.
ABSL_FLAG(std::optional<int32_t>, max_new_tokens, std::nullopt,
          "Maximum length of the output in tokens.");
ABSL_FLAG(std::optional<int32_t>, min_new_tokens, std::nullopt,
          "Number of tokens before which the end token is not chosen.");
ABSL_FLAG(std::optional<int32_t>, beam_size, std::nullopt,
          "Number of hypotheses kept at each step, up to 16. 1 means greedy "
          "decoding or sampling. Beams do not sample: --temperature must be "
          "0.");
ABSL_FLAG(std::optional<int32_t>, num_hypotheses, std::nullopt,
          "Number of hypotheses to return, 1 to beam_size. Several are printed "
          "as SCORE<tab>TEXT, best first: one per line for a TEXT argument, "
          "all on one line with tabs between them for lines of stdin or a "
          "file.");
ABSL_FLAG(std::optional<float>, length_penalty, std::nullopt,
          "Exponent of the length in a hypothesis' score, which is the sum of "
          "its log-probabilities / length^length_penalty. Above 0 it favours "
          "long hypotheses.");
ABSL_FLAG(
    std::optional<bool>, early_stopping, std::nullopt,
    "Stops as soon as beam_size hypotheses have ended. --noearly_stopping "
    "continues while a live hypothesis scores better than the worst of them.");
ABSL_FLAG(std::optional<float>, repetition_penalty, std::nullopt,
          "Values above 1 make tokens of the output less likely to be chosen "
          "again.");
ABSL_FLAG(std::optional<int32_t>, no_repeat_ngram_size, std::nullopt,
          "Length of a sequence of tokens that must not occur twice. 0: no "
          "such rule.");
ABSL_FLAG(std::optional<float>, temperature, std::nullopt,
          "0 decodes greedily, larger values sample.");
ABSL_FLAG(std::optional<int32_t>, top_k, std::nullopt,
          "Samples among this number of most likely tokens. 0: all.");
ABSL_FLAG(std::optional<float>, top_p, std::nullopt,
          "Samples among the most likely tokens whose probabilities sum to "
          "this. 1: all.");
ABSL_FLAG(std::optional<uint64_t>, seed, std::nullopt,
          "The same seed gives the same text (for load, also the same "
          "arrivals).");
ABSL_FLAG(RepeatedString, stop, {},
          "Ends the text before this string. May be given several times. "
          "Commas have no special meaning; C escapes such as \\n are "
          "understood.");
ABSL_FLAG(std::optional<TokenIdList>, target_prefix, std::nullopt,
          "Token ids that the output starts with, such as 5,6,7.");
ABSL_FLAG(std::optional<TokenIdList>, suppressed_tokens, std::nullopt,
          "Token ids that are never chosen, such as 5,6,7.");
ABSL_FLAG(std::optional<int32_t>, forced_bos_token_id, std::nullopt,
          "Token id at the first place of the output. -1: any.");
ABSL_FLAG(std::optional<int32_t>, forced_eos_token_id, std::nullopt,
          "Token id at the last place that --max_new_tokens allows. -1: any.");
ABSL_FLAG(std::optional<bool>, loop_guard, std::nullopt,
          "Ends an output that repeats itself: a token 32 times, or a phrase "
          "of 8 to 32 tokens 4 times. Not given: on, but off for generate.");

// Load.
ABSL_FLAG(std::optional<double>, rate, std::nullopt,
          "Average number of requests per second (Poisson arrivals). Not "
          "given: 1.");
ABSL_FLAG(std::optional<int32_t>, clients, std::nullopt,
          "Instead of --rate: keeps this number of requests in progress, each "
          "of which starts when one before it is done.");
ABSL_FLAG(double, seconds, 10, "Time during which requests arrive.");
ABSL_FLAG(bool, http, false,
          "Sends the requests to the HTTP front of the server instead, whose "
          "address is then --server. There are as many connections as "
          "requests in progress.");
ABSL_FLAG(bool, whole, false, "Asks for whole answers instead of streams.");
ABSL_FLAG(std::string, task, "translate", "translate, summarize or generate.");
ABSL_FLAG(std::string, text, "",
          "Text of every request. --input=FILE uses the lines of a file in "
          "turn instead. Neither: a built-in sentence.");
ABSL_FLAG(int32_t, source_tokens, 0,
          "With --task=generate: sends this number of token ids, random ones "
          "and the end token, instead of a text.");
ABSL_FLAG(int32_t, source_vocab_size, 1000,
          "The random ids of --source_tokens are 3 to source_vocab_size - 1.");

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

// Refuses a call for which gRPC would abort or hang. It needs 4 descriptors and
// one for the connection.
absl::Status CheckProcessLimits() {
  constexpr int32_t kFiles = 5;
  absl::Status status = CheckFreeDescriptors("a call", kFiles);
  status.Update(CheckThreads("a call", kCallThreads));
  return status;
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

bool AbslParseFlag(absl::string_view text, TokenIdList* flag,
                   std::string* error) {
  flag->ids.clear();
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(part, &id)) {
      *error = absl::StrCat("\"", part, "\" is not a token id");
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

bool AbslParseFlag(absl::string_view text, DocumentFormatFlag* flag,
                   std::string* error) {
  const std::optional<DocumentFormat> format = DocumentFormatOfName(text);
  if (format) {
    flag->value = *format;
    return true;
  }
  *error = absl::StrCat("it must be one of ", DocumentFormatNames());
  return false;
}

std::string AbslUnparseFlag(const DocumentFormatFlag& flag) {
  return std::string(NameOf(flag.value));
}

absl::StatusOr<CallSetup> CallSetupFromFlags() {
  absl::StatusOr<ClientOptions> server = ServerFromFlags();
  if (!server.ok()) return server.status();
  absl::StatusOr<Client> client = Client::Connect(*server);
  if (!client.ok()) return UsageError(client.status().message());
  absl::StatusOr<CallOptions> options = CallOptionsFromFlags();
  if (!options.ok()) return options.status();
  absl::StatusOr<v1::DecodingOptions> decoding = DecodingFromFlags();
  if (!decoding.ok()) return decoding.status();
  return CallSetup{*std::move(client), *options, *std::move(decoding)};
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
  absl::Status can_call = CheckProcessLimits();
  if (!can_call.ok()) return can_call;
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

absl::StatusOr<int> ConcurrencyFromFlags() {
  const int concurrency = absl::GetFlag(FLAGS_concurrency);
  if (concurrency < 1 || concurrency > kMaxConcurrency) {
    return UsageError(absl::StrCat("--concurrency is ", concurrency,
                                   "; it must be 1..", kMaxConcurrency));
  }
  return concurrency;
}

}  // namespace sheaf
