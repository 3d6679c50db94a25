// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

namespace sheaf {

// Runs `sheaf` with arguments (without its name): reads flags and subcommand,
// and carries it out. Prints an error to stderr as "sheaf: CODE: message".
// Returns the exit code:
//   0  done; also if the reader of stdout left before the end
//   1  a call, a file or the machine failed
//   2  the command line is wrong; nothing was sent
// REQUIRES: SIGPIPE is ignored and descriptors 0 to 2 are open.
int RunProgram(const std::vector<std::string>& arguments);

}  // namespace sheaf
