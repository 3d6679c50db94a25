// SPDX-License-Identifier: Apache-2.0

#include "server/ops/signals.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>

namespace sheaf {
namespace {

constexpr int kShellSignalBase = 128;  // the shell's exit codes for signals

// The only state that a handler reads; set before it can run.
volatile sig_atomic_t end_exit_code = 0;

sigset_t SetOf(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  return set;
}

sigset_t EndSignals() { return SetOf({SIGTERM, SIGINT}); }

void SetHandler(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

void SetEndHandler(void (*handler)(int)) {
  SetHandler(SIGTERM, handler);
  SetHandler(SIGINT, handler);
}

void ExitAtOnce(int) { _exit(end_exit_code); }

// Ends the process by the signal itself, so that the parent sees it, or, as
// process 1 of a container, with the exit code that a shell would give.
void DieOf(int signal) {
  SetHandler(signal, SIG_DFL);
  const sigset_t self = SetOf({signal});
  pthread_sigmask(SIG_UNBLOCK, &self, nullptr);
  raise(signal);
  _exit(kShellSignalBase + signal);
}

}  // namespace

void PrepareSignals() {
  const sigset_t waited_for = SetOf({SIGTERM, SIGINT, SIGHUP});
  pthread_sigmask(SIG_BLOCK, &waited_for, nullptr);
  // The parent may have ignored them, as a shell does for a background job.
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) SetHandler(signal, SIG_DFL);
  for (int signal : {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF,
                     SIGPOLL, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ}) {
    SetHandler(signal, SIG_IGN);
  }
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
    SetHandler(signal, SIG_IGN);
  }
}

EndsAtSignal::EndsAtSignal(int exit_code) {
  end_exit_code = exit_code;
  SetEndHandler(ExitAtOnce);
  const sigset_t signals = EndSignals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

EndsAtSignal::~EndsAtSignal() {
  const sigset_t signals = EndSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  SetEndHandler(SIG_DFL);
}

SignalMeaning AwaitSignal() {
  const sigset_t signals = SetOf({SIGTERM, SIGINT, SIGHUP});
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal == SIGHUP ? SignalMeaning::kReload : SignalMeaning::kEnd;
}

void EndAtSignalOrAfter(absl::Duration timeout, int exit_code) {
  end_exit_code = exit_code;
  SetHandler(SIGALRM, ExitAtOnce);
  SetEndHandler(DieOf);
  const sigset_t signals = SetOf({SIGTERM, SIGINT, SIGALRM});
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  // 0 would mean no timer.
  const absl::Duration wait = std::max(timeout, absl::Milliseconds(1));
  itimerval timer = {};
  timer.it_value = absl::ToTimeval(wait);
  setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace sheaf
