#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace sheaf {

// Several times what a configuration or the index of the largest models has
// (hundreds of kilobytes, some thousand values).
inline constexpr uint64_t kMaxJsonBytes = uint64_t{4} << 20;
inline constexpr int64_t kMaxJsonValues = int64_t{1} << 18;
inline constexpr int32_t kMaxJsonDepth = 64;

// The limits of one kind of file. A value takes up to 150 bytes of memory,
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

// One array of an object in the outermost object that has the most of a file,
// such as "vocab" of "model".
struct LongArray {
  absl::string_view object, array;  // keys
  // Takes each element in turn, so that they are never in memory together. An
  // error ends the parse.
  absl::FunctionRef<absl::Status(const nlohmann::json&)> take;
};

// As above, but in the value that is returned the long array is empty, and of
// its elements only the one that is being read counts for the limits' values.
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text,
                                               absl::string_view name,
                                               const JsonLimits& limits,
                                               const LongArray& long_array);

// ParseStrictJson() for a file, named by its path. NotFound if there is none.
absl::StatusOr<nlohmann::json> ReadStrictJson(const std::string& path,
                                              const JsonLimits& limits = {});

// InvalidArgument if `text` has what nlohmann's lexer silently skips or stops
// at: a byte order mark, a NUL byte.
absl::Status CheckJsonBytes(absl::string_view text, absl::string_view name);

}  // namespace sheaf
