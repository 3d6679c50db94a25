#pragma once

#include <exception>
#include <new>
#include <string>

namespace sheaf {

// While it lives, memory or a thread that the machine does not give ends the
// process with one line on stderr, "PROGRAM: REASON; NEEDS", and `exit_code`,
// in place of an abort. For the start of a program, which takes all its memory
// there; guards may be nested, and the innermost speaks.
class StartGuard {
 public:
  // `needs` says what memory is for, with the figures that are known.
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
  // Made beforehand: there is no memory when they are needed.
  const std::string begin_, end_;
  const int exit_code_;
};

}  // namespace sheaf
