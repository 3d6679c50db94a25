// SPDX-License-Identifier: Apache-2.0

#include "base/flag_parser.h"

#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/flag_file.h"
#include "base/usage_error.h"

ABSL_FLAG(std::string, flagfile, "",
          "Reads flags from this file, one --name=value per line.");

namespace sheaf {
namespace {

struct FlagToken {
  std::string name;
  std::optional<std::string> value;
};

// Returns nullopt if the argument is not a flag. A lone "-" is none.
std::optional<FlagToken> SplitFlag(absl::string_view argument) {
  if (!absl::ConsumePrefix(&argument, "-")) return std::nullopt;
  absl::ConsumePrefix(&argument, "-");
  if (argument.empty()) return std::nullopt;
  const size_t equals = argument.find('=');
  FlagToken token{std::string(argument.substr(0, equals)), std::nullopt};
  if (equals != absl::string_view::npos) {
    token.value = std::string(argument.substr(equals + 1));
  }
  return token;
}

bool IsBool(const absl::CommandLineFlag& flag) {
  return flag.IsOfType<bool>() || flag.IsOfType<std::optional<bool>>();
}

// Returns the token's flag. "--noname" of a bool becomes "--name=false".
absl::StatusOr<absl::CommandLineFlag*> Resolve(FlagToken& token) {
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(token.name);
  if (flag != nullptr) return flag;
  absl::string_view name = token.name;
  if (absl::ConsumePrefix(&name, "no")) {
    flag = absl::FindCommandLineFlag(name);
    if (flag != nullptr && IsBool(*flag) && !token.value.has_value()) {
      token = FlagToken{std::string(name), "false"};
      return flag;
    }
  }
  return UsageError(absl::StrCat("there is no flag --", token.name,
                                 "; --help lists the flags"));
}

absl::Status SetValue(absl::CommandLineFlag& flag, absl::string_view value) {
  std::string text(value);
  if (flag.IsOfType<RepeatedString>()) {
    RepeatedString all = *flag.TryGet<RepeatedString>();
    all.values.push_back(text);
    text = AbslUnparseFlag(all);
  }
  std::string error;
  if (flag.ParseFrom(text, &error)) return absl::OkStatus();
  // Abseil's error is "Illegal value 'x' specified for flag 'beam_size'; ...".
  return UsageError(
      absl::StrCat("--", flag.Name(), " is \"", value,
                   "\": ", error.empty() ? "it has the wrong type" : error));
}

absl::Status ApplyFlagFile(const std::string& path, int32_t depth);

// Sets the token's flag, and for --flagfile the flags of the file. `depth` is
// the number of nested files that contain the token.
absl::Status Apply(absl::CommandLineFlag& flag, const FlagToken& token,
                   int32_t depth) {
  if (!token.value.has_value()) {
    return UsageError(absl::StrCat("--", token.name, " needs a value"));
  }
  const absl::Status status = SetValue(flag, *token.value);
  if (!status.ok() || flag.Name() != "flagfile") return status;
  return ApplyFlagFile(*token.value, depth);
}

absl::Status ApplyFlagFile(const std::string& path, int32_t depth) {
  if (depth >= kMaxFlagFileDepth) {
    return UsageError(absl::StrCat("--flagfile is \"", path, "\": more than ",
                                   kMaxFlagFileDepth,
                                   " files within one another"));
  }
  const absl::StatusOr<std::vector<FlagLine>> lines = ReadFlagFile(path);
  if (!lines.ok()) return UsageError(lines.status().message());
  for (const FlagLine& line : *lines) {
    FlagToken token{line.name, line.value};
    absl::StatusOr<absl::CommandLineFlag*> flag = Resolve(token);
    absl::Status status = flag.status();
    if (status.ok()) {
      if (!token.value.has_value() && IsBool(**flag)) token.value = "true";
      status = Apply(**flag, token, depth + 1);
    }
    if (!status.ok()) {
      return WithPrefix(status, absl::StrCat(path, ":", line.number));
    }
  }
  return absl::OkStatus();
}

}  // namespace

// Each value is escaped and followed by a newline. Escaping removes the
// newlines from the values themselves.
bool AbslParseFlag(absl::string_view text, RepeatedString* flag,
                   std::string* error) {
  flag->values.clear();
  for (absl::string_view escaped : absl::StrSplit(text, '\n')) {
    std::string value;
    if (!absl::CUnescape(escaped, &value, error)) return false;
    flag->values.push_back(std::move(value));
  }
  flag->values.pop_back();  // the rest after the last newline, which is empty
  return true;
}

std::string AbslUnparseFlag(const RepeatedString& flag) {
  std::string text;
  for (const std::string& value : flag.values) {
    absl::StrAppend(&text, absl::CEscape(value), "\n");
  }
  return text;
}

absl::StatusOr<ParsedFlags> ParseFlags(
    const std::vector<std::string>& arguments) {
  ParsedFlags parsed;
  for (auto it = arguments.begin(); it != arguments.end(); ++it) {
    if (*it == "--") {
      parsed.positional.insert(parsed.positional.end(), std::next(it),
                               arguments.end());
      break;
    }
    std::optional<FlagToken> token = SplitFlag(*it);
    if (!token.has_value()) {
      parsed.positional.push_back(*it);
      continue;
    }
    absl::StatusOr<absl::CommandLineFlag*> flag = Resolve(*token);
    if (!flag.ok()) return flag.status();
    if (!token->value.has_value() && IsBool(**flag)) token->value = "true";
    if (!token->value.has_value() && std::next(it) != arguments.end()) {
      token->value = *++it;
    }
    absl::Status status = Apply(**flag, *token, /*depth=*/0);
    if (!status.ok()) return status;
    parsed.given.push_back(token->name);
  }
  return parsed;
}

absl::Status ParseOnlyFlags(const std::vector<std::string>& arguments) {
  const absl::StatusOr<ParsedFlags> parsed = ParseFlags(arguments);
  if (!parsed.ok()) return parsed.status();
  if (parsed->positional.empty()) return absl::OkStatus();
  return UsageError(absl::StrCat("unexpected argument \"",
                                 parsed->positional[0],
                                 "\"; this program accepts only flags"));
}

}  // namespace sheaf
