#pragma once

#include "absl/time/time.h"

namespace sheaf {

// How the server treats signals.
//
//   SIGTERM, SIGINT  drain and end; a second one ends the process at once
//   SIGHUP           read the files again that may change while it runs
//   SIGQUIT          a core dump, as everywhere
//   all others that would end the process, and are no fault of its own, are
//   ignored: SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXFSZ
//   and so on

// Makes it so. Call before any thread starts, because threads inherit the mask:
// from then on only the functions below receive SIGTERM, SIGINT and SIGHUP.
void PrepareSignals();

// While this lives, SIGTERM and SIGINT end the process with `exit_code`: it has
// nothing to drain yet. Also as the process 1 of a container, for which the
// kernel drops a signal that has no handler.
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

// From now on a SIGTERM or SIGINT ends the process as if it had no handler, and
// `timeout` does with `exit_code`, whatever the threads wait for.
void EndAtSignalOrAfter(absl::Duration timeout, int exit_code);

}  // namespace sheaf
