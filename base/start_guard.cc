// SPDX-License-Identifier: Apache-2.0

#include "base/start_guard.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace sheaf {
namespace {

std::atomic<const StartGuard*> innermost{nullptr};

}  // namespace

StartGuard::StartGuard(const std::string& program, const std::string& needs,
                       int exit_code)
    : outer_(innermost.load()),
      begin_(program + ": "),
      end_("; " + needs + "\n"),
      exit_code_(exit_code) {
  innermost.store(this);
  outer_new_ = std::set_new_handler(OnOutOfMemory);
  outer_terminate_ = std::set_terminate(OnTerminate);
}

StartGuard::~StartGuard() {
  std::set_new_handler(outer_new_);
  std::set_terminate(outer_terminate_);
  innermost.store(outer_);
}

void StartGuard::OnOutOfMemory() { innermost.load()->End("out of memory"); }

void StartGuard::OnTerminate() {
  try {
    if (std::current_exception() != nullptr) throw;
  } catch (const std::system_error& error) {  // from std::thread
    innermost.load()->End(error.what());
  } catch (...) {
  }
  std::abort();
}

void StartGuard::End(const char* reason) const {
  // Several threads may run out of memory together. One line is enough.
  static std::atomic_flag has_ended = ATOMIC_FLAG_INIT;
  while (has_ended.test_and_set()) pause();
  std::fputs(begin_.c_str(), stderr);
  std::fputs(reason, stderr);
  std::fputs(end_.c_str(), stderr);
  std::_Exit(exit_code_);
}

}  // namespace sheaf
