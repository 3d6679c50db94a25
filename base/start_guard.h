// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <exception>
#include <new>
#include <string>

namespace sheaf {

// While an object of this class exists, a failure to allocate memory or to
// start a thread ends the process with `exit_code` and one line on stderr,
// "PROGRAM: REASON; NEEDS", instead of an abort. Used at the start of a
// program, where it allocates all its memory. Guards may be nested; the
// innermost one applies.
class StartGuard {
 public:
  // `needs` says what the memory is for, with the known figures.
  StartGuard(const std::string& program, const std::string& needs,
             int exit_code);
  ~StartGuard();
  StartGuard(const StartGuard&) = delete;
  StartGuard& operator=(const StartGuard&) = delete;

 private:
  [[noreturn]] static void OnOutOfMemory();
  [[noreturn]] static void OnTerminate();
  [[noreturn]] void End(const char* reason) const;

  const StartGuard* const outer_;
  std::new_handler outer_new_;
  std::terminate_handler outer_terminate_;
  // Made in advance, because there is no memory when they are needed.
  const std::string begin_, end_;
  const int exit_code_;
};

}  // namespace sheaf
