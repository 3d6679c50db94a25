#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/standard_streams.h"
#include "client/program.h"

namespace {

// Run before the libraries' constructors: gRPC's opens an eventfd.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kBeforeLibraries)() = sheaf::FillStandardStreams;

}  // namespace

int main(int argc, char** argv) {
  // A reader that leaves is an error of write(), not the program's death.
  std::signal(SIGPIPE, SIG_IGN);
  // What fails is told once, by us; who sets the variable wants gRPC's words.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return sheaf::RunProgram(std::vector<std::string>(argv + 1, argv + argc));
}
