// SPDX-License-Identifier: Apache-2.0

#include "text/vocab_json.h"

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "base/strict_json.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxVocabBytes = uint64_t{64} << 20;
constexpr size_t kMaxTokenBytes = 1024;

absl::Status CheckToken(absl::string_view token, absl::string_view path) {
  const char* rule = nullptr;
  if (token.empty()) rule = "is empty";
  if (token.size() > kMaxTokenBytes) rule = "has more than 1024 bytes";
  if (absl::StrContains(token, '\0')) rule = "has a NUL byte";
  if (rule == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: token %s %s", path, Quoted(token), rule));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadVocabJson(const std::string& path,
                                                       int32_t vocab_size) {
  const absl::StatusOr<json> file = ReadStrictJson(
      path,
      {.max_bytes = kMaxVocabBytes, .max_values = kMaxJsonValues + vocab_size});
  if (!file.ok()) return file.status();
  if (!file->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: is not an object", path));
  }
  std::vector<std::string> tokens;
  for (const auto& [token, id] : file->items()) {
    if (absl::Status status = CheckToken(token, path); !status.ok()) {
      return status;
    }
    if (!id.is_number_integer() || id < 0 || id >= vocab_size) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: token %s has id %s; allowed is 0..%d", path,
                          Quoted(token), Shown(id), vocab_size - 1));
    }
    const size_t index = id.get<size_t>();
    if (index >= tokens.size()) tokens.resize(index + 1);
    if (!tokens[index].empty()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: tokens %s and %s have the same id %d", path,
                          Quoted(tokens[index]), Quoted(token), index));
    }
    tokens[index] = token;
  }
  return tokens;
}

}  // namespace sheaf
