#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace sheaf {

// Several times what a configuration or the index of the largest models has
// (hundreds of kilobytes, some thousand values).
inline constexpr uint64_t kMaxJsonBytes = uint64_t{4} << 20;
inline constexpr int64_t kMaxJsonValues = int64_t{1} << 18;
inline constexpr int32_t kMaxJsonDepth = 64;

// What a kind of file may have. A value takes up to some 150 bytes of memory,
// and two bytes of text are enough for one.
struct JsonLimits {
  uint64_t max_bytes = kMaxJsonBytes;
  int64_t max_values = kMaxJsonValues;
};

// The JSON value that is `text`, in valid UTF-8 and with nothing but white
// space around it. Refuses what parsers read in different ways (a key twice in
// one object, a byte order mark, a NUL byte), more than kMaxJsonDepth levels
// of nesting and more than `limits` allow. Errors begin with `name`.
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text,
                                               absl::string_view name,
                                               const JsonLimits& limits = {});

// The same for a file, named by its path. NotFound if there is none.
absl::StatusOr<nlohmann::json> ReadStrictJson(const std::string& path,
                                              const JsonLimits& limits = {});

// InvalidArgument if `text` has what nlohmann's lexer silently skips or stops
// at: a byte order mark, a NUL byte.
absl::Status CheckJsonBytes(absl::string_view text, absl::string_view name);

}  // namespace sheaf
