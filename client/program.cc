// SPDX-License-Identifier: Apache-2.0

#include "client/program.h"

#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "base/flag_parser.h"
#include "base/program.h"
#include "base/usage_error.h"
#include "client/commands.h"
#include "client/flags.h"
#include "client/help.h"
#include "client/line_io.h"
#include "client/output.h"

namespace sheaf {
namespace {

using Run = absl::Status (*)(Invocation&);

Run FindRun(absl::string_view command) {
  static constexpr std::pair<const char*, Run> kRuns[] = {
      {"translate", RunTranslate}, {"summarize", RunSummarize},
      {"generate", RunGenerate},   {"detect", RunDetect},
      {"models", RunModels},       {"load", RunLoadCommand},
      {"health", RunHealth},
  };
  for (const auto& [name, run] : kRuns) {
    if (command == name) return run;
  }
  return nullptr;
}

absl::Status RunHelp(const std::vector<std::string>& about, Writer& out) {
  if (about.empty()) return out.Write(ProgramHelp());
  for (const std::string& command : about) {
    absl::StatusOr<std::string> help = CommandHelp(command);
    if (!help.ok()) return help.status();
    if (absl::Status status = out.Write(*help); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RunWith(const std::vector<std::string>& arguments, Writer& out) {
  absl::StatusOr<ParsedFlags> parsed = ParseFlags(arguments);
  if (!parsed.ok()) return parsed.status();
  std::vector<std::string>& positional = parsed->positional;
  if (absl::GetFlag(FLAGS_help)) return RunHelp(positional, out);
  if (absl::GetFlag(FLAGS_version)) return out.Write(VersionText("sheaf"));
  if (positional.empty()) return UsageError("there is no subcommand");

  const std::string command = positional.front();
  positional.erase(positional.begin());
  if (command == "help") return RunHelp(positional, out);
  const Run run = FindRun(command);
  if (run == nullptr) {
    return UsageError(absl::StrCat("there is no subcommand \"", command, "\""));
  }
  absl::Status status = CheckFlagsOf(command, parsed->given);
  if (!status.ok()) return status;
  Invocation invocation{
      .arguments = positional, .input_fd = STDIN_FILENO, .out = out};
  return run(invocation);
}

}  // namespace

int RunProgram(const std::vector<std::string>& arguments) {
  Writer out(STDOUT_FILENO, "stdout");
  const absl::Status status = RunWith(arguments, out);
  if (status.ok() || out.is_closed()) return kExitDone;
  std::string message = absl::StrCat("sheaf: ", CodeName(status.code()), ": ",
                                     status.message(), "\n");
  if (IsUsageError(status)) absl::StrAppend(&message, "See: sheaf help\n");
  Writer(STDERR_FILENO, "stderr").Write(message).IgnoreError();
  return IsUsageError(status) ? kExitWrongFlags : kExitFailed;
}

}  // namespace sheaf
