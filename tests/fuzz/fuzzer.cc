// SPDX-License-Identifier: Apache-2.0

// The functions that libFuzzer calls: fuzz --target=request CORPUS ...

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "tests/fuzz/targets.h"

namespace sheaf {
namespace {

const FuzzTarget* target = nullptr;  // set once

// The processor time of all threads. Unlike libFuzzer's own limit, it does not
// count the time in which other programs run.
double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace
}  // namespace sheaf

// libFuzzer ignores arguments that begin with "--".
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  for (int i = 1; i < *argc; ++i) {
    absl::string_view name = (*argv)[i];
    if (!absl::ConsumePrefix(&name, "--target=")) continue;
    for (const sheaf::FuzzTarget& each : sheaf::FuzzTargets()) {
      if (each.name == name) sheaf::target = &each;
    }
  }
  if (sheaf::target != nullptr) return 0;
  std::fputs("usage: fuzz --target=NAME [DIR ...]; the names are", stderr);
  for (const sheaf::FuzzTarget& each : sheaf::FuzzTargets()) {
    std::fprintf(stderr, " %s", std::string(each.name).c_str());
  }
  std::fputs("\n", stderr);
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  constexpr double kMaxSeconds = 1;
  static bool is_first = true;  // which may load a tokenizer
  const double begin = sheaf::CpuSeconds();
  sheaf::target->check({reinterpret_cast<const char*>(bytes), size});
  SHEAF_CHECK(is_first || sheaf::CpuSeconds() - begin < kMaxSeconds);
  is_first = false;
  return 0;
}
