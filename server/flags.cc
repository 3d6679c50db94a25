#include "server/flags.h"

#include <arpa/inet.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/flag_file.h"
#include "engine/thread_team.h"
#include "server/model_dir.h"
#include "server/unix_socket.h"

ABSL_FLAG(bool, help, false, "Print this and exit.");
ABSL_FLAG(std::string, model, "",
          "Model directory. Empty: the model that comes with the program.");
ABSL_FLAG(
    std::string, model_name, "",
    "Name of the model in requests, answers and metrics. Empty: the model "
    "directory's, or in Hugging Face's cache the repository's.");
ABSL_FLAG(std::string, tasks, "",
          "JSON file of tasks, in place of the model's task_specific_params.");
ABSL_FLAG(std::string, listen, "127.0.0.1:50051",
          "HOST:PORT of the RPCs; port 0 picks one. Or unix:PATH, a Unix "
          "socket.");
ABSL_FLAG(std::string, metrics_listen, "127.0.0.1:9464",
          "HOST:PORT of /metrics; port 0 picks one.");
ABSL_FLAG(bool, allow_insecure, false,
          "Listen on addresses that other machines can reach without "
          "encryption: the RPCs without --tls_cert, and /metrics.");
ABSL_FLAG(std::string, tls_cert, "",
          "PEM file of the certificate to serve the RPCs with; it and the two "
          "below are read again when they change.");
ABSL_FLAG(std::string, tls_key, "", "PEM file of the certificate's key.");
ABSL_FLAG(std::string, tls_client_ca, "",
          "PEM file of the authorities that clients' certificates must come "
          "from. Empty: clients need none.");
ABSL_FLAG(std::string, auth_tokens_file, "",
          "File of the bearer tokens that may call, \"NAME SHA256\" a line, "
          "read again when it changes. Empty: no token is asked for.");
ABSL_FLAG(bool, reflection, true, "Tell callers what RPCs there are.");
ABSL_FLAG(bool, check_config, false,
          "Check flags, files and model, load it, and exit.");
ABSL_FLAG(std::string, log_format, "text", "Lines of the log: text|json.");
ABSL_FLAG(std::string, weight_type, "auto",
          "Type of the weights in memory: f32|bf16|int8; auto is f32.");
ABSL_FLAG(std::string, kv_type, "f32", "Type of the KV cache: f32|bf16.");
ABSL_FLAG(std::string, isa, "auto",
          "Most that is used of the processor: auto|portable|avx2|avx512.");
ABSL_FLAG(sheaf::ByteSize, kv_cache_bytes, {int64_t{1} << 30},
          "Memory of the KV cache, taken at start.");
ABSL_FLAG(int32_t, max_sequences, 64, "Sequences in one decode step, at most.");
ABSL_FLAG(int32_t, max_queue, 256, "Requests that may wait.");
ABSL_FLAG(
    sheaf::ByteSize, max_queued_bytes, {0},
    "Maximum memory of the requests that have arrived and not ended; more "
    "are refused. 0: derived from the memory limit.");
ABSL_FLAG(int32_t, threads, 0,
          "Threads that compute. 0: the processors that the process may use.");
ABSL_FLAG(int32_t, max_source_tokens, 0,
          "Tokens of one source, at most. 0: the model's n_positions (up to "
          "65536), or 512.");
ABSL_FLAG(int32_t, max_new_tokens, 1024,
          "The most that a request may ask for in max_new_tokens.");
ABSL_FLAG(sheaf::ByteSize, max_text_bytes, {int64_t{1} << 20},
          "Bytes of a request's text, at most.");
ABSL_FLAG(int32_t, max_requests_per_caller, 0,
          "Requests that one token, or without tokens one address, may have "
          "under way. 0: no limit.");
ABSL_FLAG(int32_t, max_streams_per_connection, 1024,
          "Requests under way on one connection; more wait in the client.");
ABSL_FLAG(int32_t, max_connections, 4096,
          "Connections of the RPCs; one more is closed at once.");
ABSL_FLAG(sheaf::ByteSize, max_metadata_bytes, {16 << 10},
          "Bytes of a call's metadata, at most.");
ABSL_FLAG(absl::Duration, max_connection_age, absl::InfiniteDuration(),
          "Clients are asked to connect anew after this, so that they find "
          "servers that were added.");
ABSL_FLAG(absl::Duration, default_deadline, absl::Minutes(10),
          "A call's deadline if it sets none, and the longest it may set.");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(30),
          "How long SIGTERM lets running requests go on.");

namespace sheaf {
namespace {

constexpr int64_t kMinQueuedBytes = 1 << 20;

// Not those that the libraries define.
bool IsOurs(const absl::CommandLineFlag& flag) {
  return absl::EndsWith(flag.Filename(), "server/flags.cc");
}

absl::Status SetFlag(absl::string_view name, absl::string_view value) {
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  if (flag == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrFormat("unknown flag --%s; --help lists the flags", name));
  }
  std::string error;
  if (!flag->ParseFrom(value, &error)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--%s is \"%s\": %s", name, value,
                        error.empty() ? "wrong type of value" : error));
  }
  return absl::OkStatus();
}

bool IsBool(absl::string_view name) {
  const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  return flag != nullptr && flag->IsOfType<bool>();
}

absl::Status ApplyFlagfile(const std::string& path, int32_t depth);

// Sets a flag as it stands on the command line or in a file within `depth`
// others: without a value it is --bool or --nobool.
absl::Status ApplyFlag(absl::string_view name,
                       const std::optional<std::string>& value, int32_t depth) {
  if (value.has_value()) {
    return name == "flagfile" ? ApplyFlagfile(*value, depth)
                              : SetFlag(name, *value);
  }
  if (IsBool(name)) return SetFlag(name, "true");
  const bool is_known =
      name == "flagfile" || absl::FindCommandLineFlag(name) != nullptr;
  absl::string_view positive = name;
  if (!is_known && absl::ConsumePrefix(&positive, "no") && IsBool(positive)) {
    return SetFlag(positive, "false");
  }
  if (!is_known) return SetFlag(name, "");  // says so
  return absl::InvalidArgumentError(absl::StrFormat("--%s has no value", name));
}

absl::Status ApplyFlagfile(const std::string& path, int32_t depth) {
  if (depth >= kMaxFlagFileDepth) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--flagfile is \"%s\": more than %d files within one another", path,
        kMaxFlagFileDepth));
  }
  const absl::StatusOr<std::vector<FlagLine>> lines = ReadFlagFile(path);
  if (!lines.ok()) return absl::InvalidArgumentError(lines.status().message());
  for (const FlagLine& line : *lines) {
    const absl::Status status = ApplyFlag(line.name, line.value, depth + 1);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", line.number, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status ParseArgs(absl::Span<const std::string> args) {
  for (size_t i = 0; i < args.size(); ++i) {
    absl::string_view arg = args[i];
    if (!absl::ConsumePrefix(&arg, "--") && !absl::ConsumePrefix(&arg, "-")) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "\"%s\" is no flag; this program takes only flags", args[i]));
    }
    const size_t equals = arg.find('=');
    const absl::string_view name = arg.substr(0, equals);
    const bool takes_next =
        (name == "flagfile" || absl::FindCommandLineFlag(name) != nullptr) &&
        !IsBool(name);
    std::optional<std::string> value;
    if (equals != absl::string_view::npos) {
      value = std::string(arg.substr(equals + 1));
    } else if (takes_next && i + 1 < args.size()) {
      value = args[++i];
    }
    const absl::Status status = ApplyFlag(name, value, /*depth=*/0);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckRange(absl::string_view flag, int64_t value, int64_t min,
                        int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is %d; allowed is %d..%d", flag, value, min, max));
}

absl::Status CheckOneOf(absl::string_view flag, const std::string& value,
                        const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is \"%s\"; allowed is %s", flag, value,
                      absl::StrJoin(allowed, "|")));
}

absl::Status CheckDuration(absl::string_view flag, absl::Duration value,
                           absl::Duration min) {
  if (value >= min && value <= absl::Hours(24)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is %s; allowed is %s to 24h", flag,
                      absl::FormatDuration(value), absl::FormatDuration(min)));
}

absl::StatusOr<HostPort> ParseUnixPath(absl::string_view path) {
  // gRPC's clients split a path at a comma.
  if (!path.empty() && path.size() <= kMaxUnixPathBytes &&
      path.find_first_of(absl::string_view("\0,", 2)) ==
          absl::string_view::npos) {
    return HostPort{"", 0, std::string(path)};
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "the path has %d bytes; allowed is unix:PATH with a path of 1..%d bytes, "
      "without a comma or a zero",
      path.size(), kMaxUnixPathBytes));
}

absl::StatusOr<HostPort> CheckedAddress(absl::string_view flag,
                                        const std::string& value,
                                        bool is_encrypted) {
  absl::StatusOr<HostPort> address = ParseHostPort(value);
  if (!address.ok()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--%s is \"%s\": %s", flag, value, address.status().message()));
  }
  if (!address->is_loopback() && !is_encrypted &&
      !absl::GetFlag(FLAGS_allow_insecure)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--%s is \"%s\", which other machines can reach, and what is sent "
        "there "
        "is not encrypted; that needs %s--allow_insecure",
        flag, value, flag == "listen" ? "--tls_cert and --tls_key, or " : ""));
  }
  return address;
}

// Whether the files are right is looked at when the server starts.
absl::Status CheckTlsFlags(const TlsFiles& tls) {
  if (tls.cert.empty() == tls.key.empty() &&
      (tls.is_set() || tls.client_ca.empty())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "--tls_cert is \"%s\", --tls_key \"%s\" and --tls_client_ca \"%s\"; "
      "allowed is the first two together, and the third with them",
      tls.cert, tls.key, tls.client_ca));
}

absl::Status CheckConnectionAge(absl::Duration age) {
  if (age == absl::InfiniteDuration()) return absl::OkStatus();
  return CheckDuration("max_connection_age", age, absl::Seconds(1));
}

absl::Status CheckAll(absl::Span<const absl::Status> checks) {
  for (const absl::Status& check : checks) {
    if (!check.ok()) return check;
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
  *error = "allowed is a number of bytes, as 1000000, 64KiB, 512MiB or 1GiB";
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

std::string HostPort::ToString() const {
  if (is_unix()) return absl::StrCat("unix:", path);
  return absl::StrContains(host, ':') ? absl::StrFormat("[%s]:%d", host, port)
                                      : absl::StrFormat("%s:%d", host, port);
}

bool HostPort::is_loopback() const {
  if (is_unix() || host == "localhost") return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24) == 127;
  }
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 &&
         IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "unix:")) return ParseUnixPath(text);
  const absl::Status wrong = absl::InvalidArgumentError(
      "allowed is HOST:PORT, as 127.0.0.1:50051 or [::1]:50051, with a port of "
      "0..65535; or, for --listen, unix:PATH");
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return wrong;
  HostPort out;
  absl::string_view host = text.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) return wrong;
  } else if (absl::StrContains(host, ':')) {
    return wrong;
  }
  const absl::string_view port = text.substr(colon + 1);
  const bool is_name =
      !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
        return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == ':';
      });
  if (!is_name || port.empty() ||
      !std::all_of(port.begin(), port.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(port, &out.port) || out.port > 65535) {
    return wrong;
  }
  out.host = std::string(host);
  return out;
}

absl::Status ParseFlags(absl::Span<const std::string> args) {
  return ParseArgs(args);
}

absl::StatusOr<ServerFlags> CheckedFlags() {
  constexpr int64_t kGiB = int64_t{1} << 30;
  const std::string weight_type = absl::GetFlag(FLAGS_weight_type);
  const std::string kv_type = absl::GetFlag(FLAGS_kv_type);
  ServerFlags flags;
  flags.model = absl::GetFlag(FLAGS_model);
  flags.model_name = absl::GetFlag(FLAGS_model_name);
  flags.tasks = absl::GetFlag(FLAGS_tasks);
  flags.weight_type = weight_type == "auto" ? "f32" : weight_type;
  flags.kv_type = kv_type;
  flags.isa = absl::GetFlag(FLAGS_isa);
  flags.kv_cache_bytes = absl::GetFlag(FLAGS_kv_cache_bytes).bytes;
  flags.max_sequences = absl::GetFlag(FLAGS_max_sequences);
  flags.max_queue = absl::GetFlag(FLAGS_max_queue);
  flags.max_queued_bytes = absl::GetFlag(FLAGS_max_queued_bytes).bytes;
  flags.num_threads = absl::GetFlag(FLAGS_threads);
  flags.max_source_tokens = absl::GetFlag(FLAGS_max_source_tokens);
  flags.max_new_tokens = absl::GetFlag(FLAGS_max_new_tokens);
  flags.max_text_bytes = absl::GetFlag(FLAGS_max_text_bytes).bytes;
  flags.default_deadline = absl::GetFlag(FLAGS_default_deadline);
  flags.drain_timeout = absl::GetFlag(FLAGS_drain_timeout);
  flags.tls = {absl::GetFlag(FLAGS_tls_cert), absl::GetFlag(FLAGS_tls_key),
               absl::GetFlag(FLAGS_tls_client_ca)};
  flags.auth_tokens_file = absl::GetFlag(FLAGS_auth_tokens_file);
  flags.max_requests_per_caller = absl::GetFlag(FLAGS_max_requests_per_caller);
  flags.max_streams_per_connection =
      absl::GetFlag(FLAGS_max_streams_per_connection);
  flags.max_connections = absl::GetFlag(FLAGS_max_connections);
  const int64_t max_metadata_bytes =
      absl::GetFlag(FLAGS_max_metadata_bytes).bytes;
  flags.max_connection_age = absl::GetFlag(FLAGS_max_connection_age);
  flags.has_reflection = absl::GetFlag(FLAGS_reflection);
  const std::string log_format = absl::GetFlag(FLAGS_log_format);
  flags.log_format = log_format == "json" ? LogFormat::kJson : LogFormat::kText;
  flags.is_check_only = absl::GetFlag(FLAGS_check_config);
  const absl::Status status = CheckAll({
      flags.model_name.empty()
          ? absl::OkStatus()
          : CheckModelName("--model_name", flags.model_name),
      CheckOneOf("weight_type", weight_type, {"auto", "f32", "bf16", "int8"}),
      CheckOneOf("kv_type", kv_type, {"f32", "bf16"}),
      CheckOneOf("isa", flags.isa, {"auto", "portable", "avx2", "avx512"}),
      CheckRange("kv_cache_bytes", flags.kv_cache_bytes, int64_t{1} << 16,
                 1024 * kGiB),
      CheckRange("max_sequences", flags.max_sequences, 1, 4096),
      CheckRange("max_queue", flags.max_queue, 1, 1'000'000),
      CheckRange("max_queued_bytes", flags.max_queued_bytes,
                 flags.max_queued_bytes == 0 ? 0 : kMinQueuedBytes,
                 int64_t{1} << 40),
      CheckRange("threads", flags.num_threads, 0, 256),
      CheckRange("max_source_tokens", flags.max_source_tokens, 0,
                 kMaxSourceTokens),
      CheckRange("max_new_tokens", flags.max_new_tokens, 1, 65536),
      CheckRange("max_text_bytes", flags.max_text_bytes, 1, kGiB),
      CheckRange("max_requests_per_caller", flags.max_requests_per_caller, 0,
                 1'000'000),
      CheckRange("max_streams_per_connection", flags.max_streams_per_connection,
                 1, 1'000'000),
      CheckRange("max_connections", flags.max_connections, 1, 1'000'000),
      CheckRange("max_metadata_bytes", max_metadata_bytes, 1 << 10, 1 << 20),
      CheckConnectionAge(flags.max_connection_age),
      CheckOneOf("log_format", log_format, {"text", "json"}),
      CheckTlsFlags(flags.tls),
      CheckDuration("default_deadline", flags.default_deadline,
                    absl::Milliseconds(1)),
      CheckDuration("drain_timeout", flags.drain_timeout, absl::ZeroDuration()),
  });
  if (!status.ok()) return status;
  flags.max_metadata_bytes = static_cast<int32_t>(max_metadata_bytes);
  if (flags.num_threads == 0) flags.num_threads = NumUsableProcessors();
  absl::StatusOr<HostPort> listen =
      CheckedAddress("listen", absl::GetFlag(FLAGS_listen), flags.tls.is_set());
  if (!listen.ok()) return listen.status();
  flags.listen = *std::move(listen);
  absl::StatusOr<HostPort> metrics_listen =
      CheckedAddress("metrics_listen", absl::GetFlag(FLAGS_metrics_listen),
                     /*is_encrypted=*/false);
  if (!metrics_listen.ok()) return metrics_listen.status();
  if (metrics_listen->is_unix()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--metrics_listen is \"%s\"; a Unix socket is not possible there, "
        "allowed is HOST:PORT",
        metrics_listen->ToString()));
  }
  flags.metrics_listen = *std::move(metrics_listen);
  return flags;
}

std::vector<std::pair<std::string, std::string>> FlagValues() {
  std::vector<std::pair<std::string, std::string>> values;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (!IsOurs(*flag)) continue;
    values.emplace_back(std::string(name), flag->CurrentValue());
  }
  std::sort(values.begin(), values.end());
  return values;
}

std::string FlagsHelp() {
  std::vector<std::string> lines;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (!IsOurs(*flag)) continue;
    lines.push_back(absl::StrFormat("  --%s (%s)\n      %s\n", name,
                                    flag->DefaultValue(), flag->Help()));
  }
  std::sort(lines.begin(), lines.end());
  return absl::StrCat(
      "sheaf-server serves an encoder-decoder language model over gRPC.\n",
      "  --flagfile (a file with a flag a line)\n", absl::StrJoin(lines, ""));
}

}  // namespace sheaf
