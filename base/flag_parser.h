#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// A flag that may be given several times; its values in order, each as given.
struct RepeatedString {
  std::vector<std::string> values;
};
bool AbslParseFlag(absl::string_view text, RepeatedString* flag,
                   std::string* error);
std::string AbslUnparseFlag(const RepeatedString& flag);

struct ParsedFlags {
  std::vector<std::string> positional;  // What is no flag, in order.
  // Names of the flags on the command line itself, not in a --flagfile: a file
  // may serve several subcommands, so it may have flags that one has no use
  // for.
  std::vector<std::string> given;
};

// Sets the program's absl flags from `arguments` (without the program's name):
// --name=value, --name value, --name and --noname for a bool, one dash as two.
// --flagfile=FILE reads a file as base/flag_file.h says. What follows "--" is
// no flag. Of a flag given twice the last counts, but a RepeatedString gathers
// all.
//
// Errors (UsageError) name the flag, and the file and line in a flagfile; the
// flags before the wrong one are then set. absl::ParseCommandLine is not used
// because it ends the program by itself, with the exit code of a failed call.
//
// Not thread-safe: for the start of main().
absl::StatusOr<ParsedFlags> ParseFlags(
    const std::vector<std::string>& arguments);

// The same for a program that takes nothing but flags: anything else is a
// UsageError too.
absl::Status ParseOnlyFlags(const std::vector<std::string>& arguments);

}  // namespace sheaf
