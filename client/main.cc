// SPDX-License-Identifier: Apache-2.0

#include <malloc.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/process_limits.h"
#include "base/standard_streams.h"
#include "base/start_guard.h"
#include "client/program.h"

namespace {

// Runs before the libraries' constructors, because gRPC's opens an eventfd.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kBeforeLibraries)() = sheaf::FillStandardStreams;

}  // namespace

int main(int argc, char** argv) {
  // write() then fails when a reader leaves, instead of ending the program.
  std::signal(SIGPIPE, SIG_IGN);
  // Every error is printed once, by this program. A user who sets the variable
  // gets gRPC's messages too.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  // Within a limit of address space (ulimit -v), the stacks of threads need
  // what a second heap would reserve.
  if (sheaf::HasAddressSpaceLimit()) mallopt(M_ARENA_MAX, 1);
  const sheaf::StartGuard guard("sheaf", "calls need memory and threads",
                                /*exit_code=*/1);
  return sheaf::RunProgram(std::vector<std::string>(argv + 1, argv + argc));
}
