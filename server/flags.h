#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/access/credentials.h"
#include "server/ops/log.h"

namespace sheaf {

// A flag's number of bytes: "1GiB", "512MiB", "64KiB", "1000000".
struct ByteSize {
  int64_t bytes = 0;
};
bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error);
std::string AbslUnparseFlag(ByteSize size);

// "127.0.0.1:50051", "localhost:0", "[::1]:9464", "unix:/run/sheaf.sock".
struct HostPort {
  std::string host;       // without brackets
  int32_t port = 0;       // 0 to 65535; 0: any that is free
  std::string path = "";  // of a Unix socket, in place of the two above

  // "HOST:PORT", an IPv6 address in brackets; or "unix:PATH".
  std::string ToString() const;
  bool is_unix() const { return !path.empty(); }
  // True if only this machine can connect.
  bool is_loopback() const;
};
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

inline constexpr int32_t kMaxSourceTokens = 65536;

// The program's flags, checked.
struct ServerFlags {
  std::string model;       // empty: the embedded one
  std::string model_name;  // empty: the directory's
  std::string tasks;       // empty: the model's own
  HostPort listen;
  HostPort metrics_listen;
  std::string weight_type;  // "f32", "bf16" or "int8"
  std::string kv_type;      // "f32" or "bf16"
  std::string isa;          // "auto", "portable", "avx2", "avx512"
  int64_t kv_cache_bytes = 0;
  int32_t max_sequences = 0;
  int32_t max_queue = 0;
  int64_t max_queued_bytes = 0;   // 0: to be derived
  int32_t num_threads = 0;        // >= 1
  int32_t max_source_tokens = 0;  // 0: as the model says
  int32_t max_new_tokens = 0;
  int64_t max_text_bytes = 0;
  absl::Duration default_deadline;
  absl::Duration drain_timeout;
  TlsFiles tls;
  std::string auth_tokens_file;         // empty: nobody is asked for a token
  int32_t max_requests_per_caller = 0;  // 0: no limit
  int32_t max_streams_per_connection = 0;
  int32_t max_connections = 0;
  int32_t max_metadata_bytes = 0;
  absl::Duration max_connection_age;  // infinite: no limit
  bool has_reflection = true;
  LogFormat log_format = LogFormat::kText;
  bool is_check_only = false;
};

// Sets the flags from the command line without the program's name:
// --name=value, --name value, --bool, --nobool, and --flagfile=FILE, a file as
// base/flag_file.h says. INVALID_ARGUMENT names what is wrong, and where.
// Unlike absl::ParseCommandLine it never ends the process.
absl::Status ParseFlags(absl::Span<const std::string> args);

// What the flags say. INVALID_ARGUMENT names the flag, its value and what is
// allowed.
absl::StatusOr<ServerFlags> CheckedFlags();

// The flags and their values as given, the names sorted.
std::vector<std::pair<std::string, std::string>> FlagValues();

// What --help prints.
std::string FlagsHelp();

}  // namespace sheaf

ABSL_DECLARE_FLAG(bool, help);
