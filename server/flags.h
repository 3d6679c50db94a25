// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/ops/log.h"
#include "server/server_options.h"
#include "text/model_languages.h"

namespace sheaf {

// The name of the program, in its messages.
inline constexpr char kProgram[] = "sheaf-server";

// A number of bytes as a flag: "1GiB", "512MiB", "64KiB", "1000000".
struct ByteSize {
  int64_t bytes = 0;
};
bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error);
std::string AbslUnparseFlag(ByteSize size);

inline constexpr int32_t kMaxSourceTokens = 65536;

// The options of sheaf-server, checked.
struct ProgramOptions {
  // max_queued_bytes is 0 if it is to be derived, and log is not set yet.
  ServerOptions server;

  std::string model;                    // empty: the embedded model
  std::string model_name;               // empty: the directory's
  std::string tasks;                    // empty: the model's own
  std::vector<LanguagePair> languages;  // empty: as the model says
  std::string weight_type;              // "f32", "bf16", "int8" or "int4"
  std::string kv_type;                  // "f32" or "bf16"
  bool has_shortlist = false;
  std::string isa;  // "auto", or a kernels::IsaName()
  int64_t kv_cache_bytes = 0;
  int32_t max_sequences = 0;      // in one decode step
  int32_t max_source_tokens = 0;  // 0: as the model says
  int32_t num_threads = 0;        // at least 1
  absl::Duration drain_timeout;
  LogFormat log_format = LogFormat::kText;
  bool is_check_only = false;
};

// INVALID_ARGUMENT names a flag, its value and what is allowed.
absl::StatusOr<ProgramOptions> OptionsFromFlags();

// The server's flags and their values as given, sorted by name.
std::vector<std::pair<std::string, std::string>> FlagValues();

}  // namespace sheaf
