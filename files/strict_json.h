#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace sheaf {

inline constexpr uint64_t kMaxJsonBytes = uint64_t{16} << 20;
inline constexpr int32_t kMaxJsonDepth = 64;

// The JSON value that is `text`, in valid UTF-8 and with nothing but white
// space around it. Refuses what parsers read in different ways (a key twice in
// one object, a byte order mark, a NUL byte), more than kMaxJsonDepth levels
// of nesting and more than kMaxJsonBytes bytes. Errors begin with `name`.
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text,
                                               absl::string_view name);

// The same for a file, named by its path. NotFound if there is none.
absl::StatusOr<nlohmann::json> ReadStrictJson(const std::string& path);

// InvalidArgument if `text` has what nlohmann's lexer silently skips or stops
// at: a byte order mark, a NUL byte.
absl::Status CheckJsonBytes(absl::string_view text, absl::string_view name);

}  // namespace sheaf
