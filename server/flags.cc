// SPDX-License-Identifier: Apache-2.0

#include "server/flags.h"

#include <algorithm>
#include <limits>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "engine/thread_team.h"
#include "server/model_dir.h"

ABSL_FLAG(std::string, model, "",
          "Model directory. Empty: the model that comes with the program.");
ABSL_FLAG(
    std::string, model_name, "",
    "Name of the model in requests, answers and metrics. Empty: the name of "
    "the model directory, or in Hugging Face's cache of the repository.");
ABSL_FLAG(bool, shortlist, false,
          "Reads shortlist.safetensors of the model directory (sheaf-convert "
          "--shortlist). An output then has only the tokens that it lists for "
          "the source, which makes decode steps faster and may change answers. "
          "Scores are relative to those tokens.");
ABSL_FLAG(std::string, tasks, "",
          "JSON file of tasks, which replaces the model's "
          "task_specific_params.");
ABSL_FLAG(std::string, languages, "",
          "Pairs of languages that the model translates, such as "
          "en-de,en-pt_BR; they replace those of the model's files and name. "
          "Not with --tasks.");
ABSL_FLAG(std::string, listen, "127.0.0.1:50051",
          "HOST:PORT of the RPCs, or unix:PATH for a Unix socket. Port 0 "
          "chooses a free port. An address that other machines can reach needs "
          "--tls_client_ca or --behind_proxy.");
ABSL_FLAG(
    std::string, http_listen, "",
    "HOST:PORT of HTTP/1.1, or unix:PATH for a Unix socket. It serves the APIs "
    "of LibreTranslate and DeepL, the server's own (/openapi.json), and a page "
    "to try the model. Port 0 chooses a free port. An address that other "
    "machines can reach needs --tls_cert, --behind_proxy or --allow_insecure. "
    "Empty: no HTTP.");
ABSL_FLAG(std::string, http_cors_origin, "",
          "Origins of the web pages that may read answers of HTTP in a browser "
          "(https://weblate.example.org), separated by commas, or * for all. "
          "Empty: none.");
ABSL_FLAG(std::string, metrics_listen, "127.0.0.1:9464",
          "HOST:PORT of /metrics. Port 0 chooses a free port.");
ABSL_FLAG(bool, allow_insecure, false,
          "Allows --metrics_listen and --http_listen on addresses that other "
          "machines can reach, without encryption.");
ABSL_FLAG(bool, behind_proxy, false,
          "Says that only a proxy can reach --listen and --http_listen, which "
          "may then be any address without certificates.");
ABSL_FLAG(std::string, trusted_proxies, "",
          "Proxies whose metadata tells address and certificate of their "
          "clients (x-forwarded-for, x-client-subject; for HTTP also "
          "x-forwarded-proto): a list of addresses, networks (10.0.0.0/8) and "
          "unix. Empty: none.");
ABSL_FLAG(
    std::string, tls_cert, "",
    "PEM file of the certificate for gRPC and HTTP. The files of all three "
    "TLS flags are read again when they change.");
ABSL_FLAG(std::string, tls_key, "", "PEM file of the certificate's key.");
ABSL_FLAG(std::string, tls_client_ca, "",
          "PEM file of the authorities that must have signed the clients' "
          "certificates. Empty: clients need no certificate.");
ABSL_FLAG(std::string, auth_tokens_file, "",
          "File of the bearer tokens that may call, one \"NAME SHA256 "
          "[weight=N]\" per line, read again when it changes. Busy callers "
          "share the server by weight, 1 if not given. Empty: calls need no "
          "token.");
ABSL_FLAG(std::string, glossaries, "",
          "Directory of glossaries that requests may name, a file "
          "NAME.SOURCE-TARGET.tsv for each pair of languages, read again when "
          "it changes. A line has a term, a tab and its translation, and more "
          "forms of it after further tabs. Empty: none.");
ABSL_FLAG(std::string, http_glossaries, "",
          "Directory in which the glossaries are kept that callers create over "
          "HTTP (/v2/glossaries). Each belongs to its caller, and no other "
          "server may use the directory. Empty: callers cannot create any.");
ABSL_FLAG(bool, reflection, true,
          "Serves gRPC reflection, which lists the RPCs.");
ABSL_FLAG(bool, check_config, false,
          "Checks flags, files and model, loads the model, and exits.");
ABSL_FLAG(std::string, log_format, "text", "Format of the log: text|json.");
ABSL_FLAG(std::string, weight_type, "auto",
          "Type of the weights in memory: f32|bf16|int8|int4. auto means f32.");
ABSL_FLAG(std::string, kv_type, "f32", "Type of the KV cache: f32|bf16.");
ABSL_FLAG(std::string, isa, "auto",
          "Highest instruction set to use: auto|portable|avx2|avx512|amx.");
ABSL_FLAG(sheaf::ByteSize, kv_cache_bytes, {int64_t{1} << 30},
          "Memory of the KV cache, allocated at start.");
ABSL_FLAG(int32_t, max_sequences, 64,
          "Maximum number of sequences in one decode step.");
ABSL_FLAG(int32_t, max_queue, 256, "Maximum number of requests in the queue.");
ABSL_FLAG(
    sheaf::ByteSize, max_queued_bytes, {0},
    "Maximum memory of the requests that have arrived and not ended; more "
    "are refused. 0: derived from the memory limit.");
ABSL_FLAG(int32_t, threads, 0,
          "Number of threads that compute. 0: the number of processors that "
          "the process may use.");
ABSL_FLAG(int32_t, max_source_tokens, 0,
          "Maximum number of tokens in one source. 0: the positions that the "
          "model has or was trained with (up to 65536), or 512.");
ABSL_FLAG(int32_t, max_new_tokens, 1024,
          "Largest max_new_tokens that a request may ask for.");
ABSL_FLAG(sheaf::ByteSize, max_text_bytes, {int64_t{1} << 20},
          "Maximum size of a request's text.");
ABSL_FLAG(int32_t, max_requests_per_caller, 1024,
          "Maximum number of sequences of a caller's concurrent requests; a "
          "request counts as its beams. A caller is the name of a token, else "
          "the subject of a client certificate, else an address. 0: no "
          "limit.");
ABSL_FLAG(int32_t, max_streams_per_connection, 1024,
          "Maximum number of concurrent requests on one connection. More wait "
          "in the client.");
ABSL_FLAG(
    int32_t, max_connections, 4096,
    "Maximum number of connections of the RPCs, in addition to 16 from this "
    "machine. More are closed at once.");
ABSL_FLAG(int32_t, max_connections_per_address, 1024,
          "Maximum number of connections from one address, or from one IPv6 "
          "network of 64 bits. Unix sockets and --trusted_proxies have no such "
          "limit.");
ABSL_FLAG(sheaf::ByteSize, max_metadata_bytes, {16 << 10},
          "Maximum size of a call's metadata.");
ABSL_FLAG(absl::Duration, max_connection_age, absl::InfiniteDuration(),
          "Age at which a client is asked to connect again, so that it finds "
          "new servers.");
ABSL_FLAG(absl::Duration, max_connection_idle, absl::Minutes(5),
          "Time without a call after which a connection is closed. Its TLS and "
          "HTTP/2 must begin within this time too, and within 20s.");
ABSL_FLAG(absl::Duration, default_deadline, absl::Minutes(10),
          "Deadline of a call that sets none, and the longest that a call may "
          "set.");
ABSL_FLAG(absl::Duration, message_timeout, absl::Seconds(60),
          "Time from the headers of a call to its whole message. A stream of "
          "reflection ends after this time without a message.");
ABSL_FLAG(absl::Duration, answer_timeout, absl::Seconds(20),
          "Time after which an answer that the client does not read is "
          "dropped.");
ABSL_FLAG(sheaf::ByteSize, transport_bytes, {64 << 20},
          "Memory for connections, headers, and messages that have not arrived "
          "whole; at least four of the largest messages are used.");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(30),
          "Time that running requests have to finish after SIGTERM.");

namespace sheaf {
namespace {

constexpr char kFlagsFile[] = "server/flags.cc";

template <typename T>
std::string NameOf(const absl::Flag<T>& flag) {
  return std::string(absl::GetFlagReflectionHandle(flag).Name());
}

int64_t NumberOf(int32_t value) { return value; }
int64_t NumberOf(ByteSize value) { return value.bytes; }

// Each Take() checks a flag and copies its value to `out`. The error names the
// flag, its value and what is allowed.

template <typename T, typename Out>
absl::Status Take(const absl::Flag<T>& flag, int64_t min, int64_t max,
                  Out& out) {
  const int64_t value = NumberOf(absl::GetFlag(flag));
  if (value < min || value > max) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--%s is %d; allowed is %d..%d", NameOf(flag), value, min, max));
  }
  out = static_cast<Out>(value);
  return absl::OkStatus();
}

absl::Status Take(const absl::Flag<std::string>& flag,
                  absl::Span<const absl::string_view> allowed,
                  std::string& out) {
  out = absl::GetFlag(flag);
  for (absl::string_view value : allowed) {
    if (out == value) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is \"%s\"; allowed is %s", NameOf(flag), out,
                      absl::StrJoin(allowed, "|")));
}

// Up to a day.
absl::Status Take(const absl::Flag<absl::Duration>& flag, absl::Duration min,
                  absl::Duration& out) {
  out = absl::GetFlag(flag);
  if (out >= min && out <= absl::Hours(24)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is %s; allowed is %s to 24h", NameOf(flag),
                      absl::FormatDuration(out), absl::FormatDuration(min)));
}

absl::Status TakeModelName(std::string& out) {
  out = absl::GetFlag(FLAGS_model_name);
  if (out.empty()) return absl::OkStatus();
  return CheckModelName("--model_name", out);
}

absl::Status TakeLanguages(ProgramOptions& out) {
  const std::string value = absl::GetFlag(FLAGS_languages);
  absl::StatusOr<std::vector<LanguagePair>> pairs =
      ParseLanguagePairs("--languages", value);
  if (!pairs.ok()) return pairs.status();
  if (!pairs->empty() && !out.tasks.empty()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--languages is \"%s\" and --tasks \"%s\"; allowed is "
                        "one of them",
                        value, out.tasks));
  }
  out.languages = *std::move(pairs);
  return absl::OkStatus();
}

// 0 means that the size is derived, and 1 MiB is the smallest size otherwise.
absl::Status TakeQueuedBytes(int64_t& out) {
  constexpr int64_t kMin = 1 << 20;
  const bool is_derived = absl::GetFlag(FLAGS_max_queued_bytes).bytes == 0;
  return Take(FLAGS_max_queued_bytes, is_derived ? 0 : kMin, int64_t{1} << 40,
              out);
}

absl::Status TakeConnectionAge(absl::Duration& out) {
  out = absl::GetFlag(FLAGS_max_connection_age);
  if (out == absl::InfiniteDuration()) return absl::OkStatus();
  return Take(FLAGS_max_connection_age, absl::Seconds(1), out);
}

// The files themselves are checked when the server starts.
absl::Status TakeTlsFiles(TlsFiles& out) {
  out = {absl::GetFlag(FLAGS_tls_cert), absl::GetFlag(FLAGS_tls_key),
         absl::GetFlag(FLAGS_tls_client_ca)};
  if (out.cert.empty() == out.key.empty() &&
      (out.is_set() || out.client_ca.empty())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "--tls_cert is \"%s\", --tls_key \"%s\" and --tls_client_ca \"%s\"; "
      "allowed is the first two together, and the third with them",
      out.cert, out.key, out.client_ca));
}

absl::Status TakeOrigins(ServerOptions& out) {
  absl::StatusOr<CorsOrigins> origins =
      CorsOrigins::Parse(absl::GetFlag(FLAGS_http_cors_origin));
  if (!origins.ok()) return origins.status();
  out.http_cors_origins = *std::move(origins);
  return absl::OkStatus();
}

absl::Status TakeProxies(ServerOptions& out) {
  out.is_behind_proxy = absl::GetFlag(FLAGS_behind_proxy);
  absl::StatusOr<TrustedProxies> proxies =
      TrustedProxies::Parse(absl::GetFlag(FLAGS_trusted_proxies));
  if (!proxies.ok()) return proxies.status();
  out.trusted_proxies = *std::move(proxies);
  return absl::OkStatus();
}

// `may_be_open` tells whether other machines may reach the address, and
// `remedy` which flags allow it.
absl::Status TakeAddress(const absl::Flag<std::string>& flag, bool may_be_open,
                         absl::string_view remedy, HostPort& out) {
  const std::string value = absl::GetFlag(flag);
  absl::StatusOr<HostPort> address = ParseHostPort(value);
  if (!address.ok()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--%s is \"%s\": %s", NameOf(flag), value, address.status().message()));
  }
  if (!address->is_loopback() && !may_be_open) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--%s is \"%s\", which other machines can reach; that "
                        "needs %s (docs/SECURITY.md)",
                        NameOf(flag), value, remedy));
  }
  out = *std::move(address);
  return absl::OkStatus();
}

// gRPC 1.51 has known weaknesses in HTTP/2 (rapid reset among them) that any
// client can use. A required client certificate prevents this, because TLS
// checks it before HTTP/2 starts, and so does a maintained proxy.
// REQUIRES: `out` has its TLS files and proxies.
absl::Status TakeAddresses(ServerOptions& out) {
  absl::Status status = TakeAddress(
      FLAGS_listen, !out.tls.client_ca.empty() || out.is_behind_proxy,
      "--tls_client_ca with --tls_cert and --tls_key, or --behind_proxy if "
      "only a proxy can reach it",
      out.listen);
  if (!status.ok()) return status;
  if (!absl::GetFlag(FLAGS_http_listen).empty()) {
    status = TakeAddress(
        FLAGS_http_listen,
        out.tls.is_set() || out.is_behind_proxy ||
            absl::GetFlag(FLAGS_allow_insecure),
        "--tls_cert with --tls_key, --behind_proxy if only a proxy can reach "
        "it, or --allow_insecure",
        out.http_listen.emplace());
    if (!status.ok()) return status;
  }
  status =
      TakeAddress(FLAGS_metrics_listen, absl::GetFlag(FLAGS_allow_insecure),
                  "--allow_insecure, because /metrics has no encryption",
                  out.metrics_listen);
  if (!status.ok() || !out.metrics_listen.is_unix()) return status;
  return absl::InvalidArgumentError(absl::StrFormat(
      "--metrics_listen is \"%s\"; a Unix socket is not possible there, "
      "allowed is HOST:PORT",
      out.metrics_listen.ToString()));
}

// The directory itself is checked when the server starts. REQUIRES: `out` has
// its addresses.
absl::Status TakeHttpGlossaries(ServerOptions& out) {
  out.http_glossaries = absl::GetFlag(FLAGS_http_glossaries);
  if (out.http_glossaries.empty() || out.http_listen.has_value()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("--http_glossaries is \"%s\" without --http_listen; "
                      "allowed is both together",
                      out.http_glossaries));
}

// Numbers, sizes and times: each flag with its range and its place.
absl::Status TakeLimits(ProgramOptions& program) {
  constexpr int64_t kGiB = int64_t{1} << 30;
  ServerOptions& server = program.server;
  for (const absl::Status& status : {
           Take(FLAGS_kv_cache_bytes, 1 << 16, 1024 * kGiB,
                program.kv_cache_bytes),
           Take(FLAGS_max_sequences, 1, 4096, program.max_sequences),
           Take(FLAGS_max_queue, 1, 1'000'000, server.max_queue),
           TakeQueuedBytes(server.max_queued_bytes),
           Take(FLAGS_threads, 0, 256, program.num_threads),
           Take(FLAGS_max_source_tokens, 0, kMaxSourceTokens,
                program.max_source_tokens),
           Take(FLAGS_max_new_tokens, 1, 65536, server.limits.max_new_tokens),
           Take(FLAGS_max_text_bytes, 1, kGiB, server.limits.max_text_bytes),
           Take(FLAGS_max_requests_per_caller, 0, 1'000'000,
                server.max_requests_per_caller),
           Take(FLAGS_max_streams_per_connection, 1, 1'000'000,
                server.max_streams_per_connection),
           Take(FLAGS_max_connections, 1, 1'000'000, server.max_connections),
           Take(FLAGS_max_connections_per_address, 1, 1'000'000,
                server.max_connections_per_address),
           Take(FLAGS_max_metadata_bytes, 1 << 10, 1 << 20,
                server.max_metadata_bytes),
           TakeConnectionAge(server.max_connection_age),
           Take(FLAGS_max_connection_idle, absl::Seconds(1),
                server.max_connection_idle),
           Take(FLAGS_default_deadline, absl::Milliseconds(1),
                server.default_deadline),
           Take(FLAGS_message_timeout, absl::Milliseconds(100),
                server.message_timeout),
           Take(FLAGS_answer_timeout, absl::Milliseconds(100),
                server.answer_timeout),
           Take(FLAGS_transport_bytes, 16 << 20, 1024 * kGiB,
                server.transport_bytes),
           Take(FLAGS_drain_timeout, absl::ZeroDuration(),
                program.drain_timeout),
       }) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error) {
  static constexpr std::pair<absl::string_view, int> kUnits[] = {
      {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"", 0}};
  for (const auto& [unit, shift] : kUnits) {
    absl::string_view digits = text;
    if (!absl::ConsumeSuffix(&digits, unit)) continue;
    int64_t n = 0;
    if (digits.empty() || !absl::SimpleAtoi(digits, &n) || n < 0) break;
    if (n > (std::numeric_limits<int64_t>::max() >> shift)) break;
    size->bytes = n << shift;
    return true;
  }
  *error =
      "allowed is a number of bytes, such as 1000000, 64KiB, 512MiB or 1GiB";
  return false;
}

std::string AbslUnparseFlag(ByteSize size) {
  static constexpr std::pair<const char*, int> kUnits[] = {
      {"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}};
  for (const auto& [unit, shift] : kUnits) {
    if (size.bytes != 0 && size.bytes % (int64_t{1} << shift) == 0) {
      return absl::StrCat(size.bytes >> shift, unit);
    }
  }
  return absl::StrCat(size.bytes);
}

absl::StatusOr<ProgramOptions> OptionsFromFlags() {
  ProgramOptions program;
  ServerOptions& server = program.server;
  program.model = absl::GetFlag(FLAGS_model);
  program.tasks = absl::GetFlag(FLAGS_tasks);
  program.has_shortlist = absl::GetFlag(FLAGS_shortlist);
  program.is_check_only = absl::GetFlag(FLAGS_check_config);
  server.auth_tokens_file = absl::GetFlag(FLAGS_auth_tokens_file);
  server.glossaries = absl::GetFlag(FLAGS_glossaries);
  server.has_reflection = absl::GetFlag(FLAGS_reflection);
  std::string log_format;
  for (const absl::Status& status : {
           TakeModelName(program.model_name),
           TakeLanguages(program),
           Take(FLAGS_weight_type, {"auto", "f32", "bf16", "int8", "int4"},
                program.weight_type),
           Take(FLAGS_kv_type, {"f32", "bf16"}, program.kv_type),
           Take(FLAGS_isa, {"auto", "portable", "avx2", "avx512", "amx"},
                program.isa),
           Take(FLAGS_log_format, {"text", "json"}, log_format),
           TakeLimits(program),
           TakeTlsFiles(server.tls),
           TakeProxies(server),
           TakeOrigins(server),
           TakeAddresses(server),
           TakeHttpGlossaries(server),
       }) {
    if (!status.ok()) return status;
  }
  if (log_format == "json") program.log_format = LogFormat::kJson;
  if (program.weight_type == "auto") program.weight_type = "f32";
  if (program.num_threads == 0) program.num_threads = NumUsableProcessors();
  server.limits.max_beam_size =
      std::min(server.limits.max_beam_size, program.max_sequences);
  return program;
}

std::vector<std::pair<std::string, std::string>> FlagValues() {
  std::vector<std::pair<std::string, std::string>> values;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (!absl::EndsWith(flag->Filename(), kFlagsFile)) continue;
    values.emplace_back(std::string(name), flag->CurrentValue());
  }
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace sheaf
