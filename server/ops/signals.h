// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/time/time.h"

namespace sheaf {

// How the server treats signals.
//
//   SIGTERM, SIGINT  drain and end; a second one ends the process at once
//   SIGHUP           read tokens and certificates again
//   SIGQUIT          write a core dump, which is the system's default
//   SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXFSZ and all
//   others that would end the process without a fault of its own are ignored

// Sets this up. Call it before any thread starts, because threads inherit the
// mask. From then on only the functions below receive SIGTERM, SIGINT and
// SIGHUP.
void PrepareSignals();

// While this lives, SIGTERM and SIGINT end the process with `exit_code`,
// because it has nothing to drain yet. This also works for process 1 of a
// container, for which the kernel drops signals without a handler.
class EndsAtSignal {
 public:
  explicit EndsAtSignal(int exit_code);
  ~EndsAtSignal();
  EndsAtSignal(const EndsAtSignal&) = delete;
  EndsAtSignal& operator=(const EndsAtSignal&) = delete;
};

enum class SignalMeaning { kReload, kEnd };

// Waits for SIGTERM, SIGINT or SIGHUP.
SignalMeaning AwaitSignal();

// From now on SIGTERM and SIGINT end the process as if it had no handler. After
// `timeout` it ends with `exit_code`, whatever its threads wait for.
void EndAtSignalOrAfter(absl::Duration timeout, int exit_code);

}  // namespace sheaf
