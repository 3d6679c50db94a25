// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"

namespace sheaf {

// Several times the size of the configuration or index of the largest models
// (hundreds of kilobytes, several thousand values).
inline constexpr uint64_t kMaxJsonBytes = uint64_t{4} << 20;
inline constexpr int64_t kMaxJsonValues = int64_t{1} << 18;
inline constexpr int32_t kMaxJsonDepth = 64;

// The limits of one kind of file. A value takes up to 150 bytes of memory,
// and two bytes of text are enough for one.
struct JsonLimits {
  uint64_t max_bytes = kMaxJsonBytes;
  int64_t max_values = kMaxJsonValues;
};

// Parses `text`, which must be one JSON value in valid UTF-8. Refuses input
// that parsers interpret in different ways (a key twice in one object, a byte
// order mark, a NUL byte), more than kMaxJsonDepth levels of nesting, and more
// than `limits` allow. Errors begin with `name`.
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text,
                                               absl::string_view name,
                                               const JsonLimits& limits = {});

// An array or object that makes up much of a file, in an object of the
// outermost object: for example "vocab" in "model".
struct LongMember {
  absl::string_view object, member;  // keys
  // Takes each element in turn, so that they are never in memory together.
  // `key` is that of an object's element, and null in an array. Keys that occur
  // twice are not noticed. An error ends the parse.
  absl::FunctionRef<absl::Status(const std::string* key, const nlohmann::json&)>
      take;
};

// The same, except that the long members are empty in the returned value. Of
// their elements, only the current one counts for the limit of values.
absl::StatusOr<nlohmann::json> ParseStrictJson(
    absl::string_view text, absl::string_view name, const JsonLimits& limits,
    absl::Span<const LongMember> long_members);

// ParseStrictJson() for a file, named by its path. NotFound if there is none.
absl::StatusOr<nlohmann::json> ReadStrictJson(const std::string& path,
                                              const JsonLimits& limits = {});

// Returns InvalidArgument if `text` has a byte order mark or a NUL byte, which
// nlohmann's lexer silently skips or stops at.
absl::Status CheckJsonBytes(absl::string_view text, absl::string_view name);

}  // namespace sheaf
