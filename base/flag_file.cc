// SPDX-License-Identifier: Apache-2.0

#include "base/flag_file.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";

bool IsNameByte(char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '-';
}

// Returns the text without a comment: a '#' after white space and the rest.
absl::string_view WithoutComment(absl::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '#' && absl::ascii_isspace(text[i - 1])) {
      return text.substr(0, i);
    }
  }
  return text;
}

// Returns the value in `text`, which begins with a quote.
absl::StatusOr<std::string> Unquote(absl::string_view text) {
  const size_t end = text.find(text[0], 1);
  if (end == absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("the value begins with ", text.substr(0, 1),
                     ", which is not closed on this line"));
  }
  const absl::string_view rest = WithoutComment(text.substr(end + 1));
  if (!absl::StripAsciiWhitespace(rest).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "something follows the closing ", text.substr(0, 1), ": ", rest));
  }
  return std::string(text.substr(1, end - 1));
}

// Parses the text after a flag's name and a '=' or white space.
absl::StatusOr<std::string> ParseValue(absl::string_view text) {
  const absl::string_view value = absl::StripLeadingAsciiWhitespace(text);
  if (!value.empty() && (value[0] == '"' || value[0] == '\'')) {
    return Unquote(value);
  }
  return std::string(absl::StripAsciiWhitespace(WithoutComment(text)));
}

}  // namespace

absl::StatusOr<std::optional<FlagLine>> ParseFlagLine(absl::string_view line) {
  const absl::string_view text = absl::StripAsciiWhitespace(line);
  if (text.empty() || text[0] == '#') return std::nullopt;
  absl::string_view rest = text;
  const bool has_dash = absl::ConsumePrefix(&rest, "-");
  absl::ConsumePrefix(&rest, "-");
  const auto name_end = std::find_if_not(rest.begin(), rest.end(), IsNameByte);
  FlagLine flag;
  flag.name = std::string(rest.begin(), name_end);
  rest.remove_prefix(flag.name.size());
  const bool has_equals = absl::ConsumePrefix(&rest, "=");
  if (!has_dash || flag.name.empty() ||
      (!has_equals && !rest.empty() && !absl::ascii_isspace(rest[0]))) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a flag; a line is --name=value"));
  }
  absl::StatusOr<std::string> value = ParseValue(rest);
  if (!value.ok()) return value.status();
  if (!has_equals && absl::StripAsciiWhitespace(WithoutComment(rest)).empty()) {
    return flag;
  }
  if (!has_equals && absl::StartsWith(*value, "=")) {
    return absl::InvalidArgumentError(
        absl::StrCat("white space between --", flag.name, " and \"=\""));
  }
  flag.value = *std::move(value);
  return flag;
}

absl::StatusOr<std::vector<FlagLine>> ReadFlagFile(const std::string& path) {
  const auto cannot_read = [&path] {
    return absl::NotFoundError(
        absl::StrCat("--flagfile is \"", path, "\": cannot be read"));
  };
  std::ifstream file(path);
  if (!file) return cannot_read();
  std::vector<FlagLine> flags;
  std::string line;
  for (int32_t number = 1; std::getline(file, line); ++number) {
    absl::string_view text = line;
    if (number == 1) absl::ConsumePrefix(&text, kByteOrderMark);
    absl::StatusOr<std::optional<FlagLine>> flag = ParseFlagLine(text);
    if (!flag.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": ", flag.status().message()));
    }
    if (!flag->has_value()) continue;
    (*flag)->number = number;
    flags.push_back(**std::move(flag));
  }
  if (file.bad()) return cannot_read();  // for example a directory
  return flags;
}

}  // namespace sheaf
