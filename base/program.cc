// SPDX-License-Identifier: Apache-2.0

#include "base/program.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "base/flag_parser.h"
#include "base/standard_streams.h"
#include "base/version.h"

ABSL_FLAG(bool, help, false, "Prints the flags and exits.");
ABSL_FLAG(bool, version, false,
          "Prints version, commit and compiler, and exits.");

namespace sheaf {
namespace {

constexpr absl::Duration kStderrTimeout = absl::Milliseconds(500);

}  // namespace

ExitCode PrintError(absl::string_view program, ExitCode code,
                    const absl::Status& status) {
  const std::string message =
      absl::StrReplaceAll(status.message(), {{"\n", " "}});
  WriteWithin(STDERR_FILENO, absl::StrCat(program, ": ", message, "\n"),
              kStderrTimeout);
  return code;
}

absl::Status FlushStdout() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return absl::OkStatus();
  }
  return absl::DataLossError("stdout cannot be written");
}

std::optional<ExitCode> ReadCommandLine(
    const ProgramInfo& program, const std::vector<std::string>& arguments) {
  if (absl::Status status = ParseOnlyFlags(arguments); !status.ok()) {
    return PrintError(program.name, kExitWrongFlags, status);
  }
  if (absl::GetFlag(FLAGS_help)) {
    std::fputs(HelpText(program).c_str(), stdout);
  } else if (absl::GetFlag(FLAGS_version)) {
    std::fputs(VersionText(program.name).c_str(), stdout);
  } else {
    return std::nullopt;
  }
  const absl::Status written = FlushStdout();
  if (written.ok()) return kExitDone;
  return PrintError(program.name, kExitFailed, written);
}

std::string HelpText(const ProgramInfo& program) {
  std::vector<std::string> lines;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    const std::string file = flag->Filename();
    if (!absl::EndsWith(file, program.flags_file) &&
        !absl::EndsWith(file, "base/program.cc") &&
        !absl::EndsWith(file, "base/flag_parser.cc")) {
      continue;
    }
    lines.push_back(FlagHelp(name));
  }
  std::sort(lines.begin(), lines.end());
  return absl::StrCat(program.about, "\n", absl::StrJoin(lines, ""));
}

std::string FlagHelp(absl::string_view name) {
  const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  return absl::StrCat("  --", name, " (", flag->DefaultValue(), ")\n      ",
                      flag->Help(), "\n");
}

std::string VersionText(absl::string_view program) {
  return absl::StrCat(program, " ", Version(), " (commit ", Commit(), ", ",
                      Compiler(), ")\n");
}

}  // namespace sheaf
