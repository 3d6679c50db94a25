// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/line_io.h"

namespace sheaf {

// The input of a subcommand in addition to the flags.
struct Invocation {
  std::vector<std::string> arguments;  // after the subcommand, without flags
  int input_fd = 0;
  Writer& out;
};

// The number of threads that gRPC starts for calls, as seen on two processors.
inline constexpr int32_t kCallThreads = 10;

// Returns a reader of --input, or of stdin if there is none.
absl::StatusOr<std::unique_ptr<LineReader>> OpenInput(
    const Invocation& invocation);

// Returns the TEXT arguments, or all of --input or stdin without its last line
// end. UsageError if there are both arguments and --input.
absl::StatusOr<std::string> ReadText(const Invocation& invocation);

// The subcommands, which help.cc describes. They return a UsageError if the
// command line is wrong, before anything is sent.
absl::Status RunTranslate(Invocation& invocation);
absl::Status RunSummarize(Invocation& invocation);
absl::Status RunGenerate(Invocation& invocation);
absl::Status RunDetect(Invocation& invocation);
absl::Status RunModels(Invocation& invocation);
absl::Status RunLoadCommand(Invocation& invocation);
absl::Status RunHealth(Invocation& invocation);

}  // namespace sheaf
