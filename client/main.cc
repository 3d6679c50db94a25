#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "client/program.h"

namespace {

// If the caller closed stdin, stdout or stderr, no descriptor of a library must
// take its number. Read-only, so that writing to a closed stdout still fails.
void FillStandardDescriptors() {
  for (;;) {
    const int fd = open("/dev/null", O_RDONLY);
    if (fd > STDERR_FILENO) close(fd);
    if (fd < 0 || fd > STDERR_FILENO) return;
  }
}

// Run before the libraries' constructors: gRPC's opens an eventfd.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kBeforeLibraries)() = FillStandardDescriptors;

}  // namespace

int main(int argc, char** argv) {
  // A reader that leaves is an error of write(), not the program's death.
  std::signal(SIGPIPE, SIG_IGN);
  // What fails is told once, by us; who sets the variable wants gRPC's words.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return sheaf::RunProgram(std::vector<std::string>(argv + 1, argv + argc));
}
