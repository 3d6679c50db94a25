#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/standard_streams.h"
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
  return sheaf::RunProgram(std::vector<std::string>(argv + 1, argv + argc));
}
