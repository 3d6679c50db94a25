// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The common frame of the programs: exit codes, the form of an error, --help
// and --version.

enum ExitCode {
  kExitDone = 0,
  kExitFailed = 1,      // a file, a call or the machine failed
  kExitWrongFlags = 2,  // the command line is wrong; nothing was done
  kExitWrongModel = 3,  // the model cannot be read or does not fit in memory
};

// Prints "PROGRAM: MESSAGE" to stderr, as one line whatever the message
// contains, and returns `code`. A reader that does not read delays the program
// by half a second at most.
ExitCode PrintError(absl::string_view program, ExitCode code,
                    const absl::Status& status);

// Flushes stdout. DATA_LOSS if something that was printed could not be written.
absl::Status FlushStdout();

struct ProgramInfo {
  std::string name;   // "sheaf-bench"
  std::string about;  // what --help prints before the flags
  // The flags that --help lists, besides those that all programs have, are
  // those defined in this source file: "bench/sheaf_bench.cc".
  std::string flags_file;
};

// Sets the flags of a program that takes nothing else, and carries out --help
// and --version. Returns an exit code if the program must end now.
std::optional<ExitCode> ReadCommandLine(
    const ProgramInfo& program, const std::vector<std::string>& arguments);

// The output of --help: `about`, then each flag.
std::string HelpText(const ProgramInfo& program);

// Two lines on a flag: name and default, and what it means. REQUIRES: the
// program has the flag.
std::string FlagHelp(absl::string_view name);

// The output of --version, with a line end.
std::string VersionText(absl::string_view program);

}  // namespace sheaf

ABSL_DECLARE_FLAG(bool, help);
ABSL_DECLARE_FLAG(bool, version);
