// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "base/timed_mutex.h"
#include "nlohmann/json.hpp"

namespace sheaf {

enum class LogFormat { kText, kJson };

// The program's log: one line per event, on stderr.
//
// kJson writes an object with "time" (RFC 3339, UTC) and "event" first. kText
// writes the same as words, "2026-01-31T12:00:00.123Z request code=OK ...".
//
// Logging never blocks on a slow reader, because a thread writes. An event is
// left out if its name occurs more than kMaxPerSecond times in a second, or if
// there is no room; the next event of that name has the number as "left_out".
// Lines that cannot be written (a full disk) are counted. Once there is room,
// the event "log" tells how many are "lost".
//
// The end of the program does not wait for a reader either: Flush() and the
// destructor have a limit. The thread then stays in its write.
//
// Thread-safe.
class Log {
 public:
  using Fields = nlohmann::ordered_json;  // an object of words and numbers
  static constexpr int32_t kMaxPerSecond = 200;

  struct Clocks {
    std::function<absl::Time()> wall;  // for the stamps
    std::function<MonotonicTime()> monotonic;
  };

  // `write` gets a line with its line break and returns false if the line is
  // lost. The log's thread calls it, even after the log is destroyed if a call
  // takes longer than the destructor waits.
  explicit Log(LogFormat format,
               std::function<bool(absl::string_view)> write = WriteToStderr,
               Clocks clocks = {absl::Now, MonotonicTime::Now});
  ~Log();  // Writes the waiting lines, for up to a second.
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void Event(absl::string_view name, const Fields& fields);
  // A message for people. In the text format it is alone on its line.
  void Note(absl::string_view message);

  // Returns true once all earlier events are written, or false after `timeout`,
  // because nothing reads the stream.
  bool Flush(absl::Duration timeout);

  // Waits for a reader without limit.
  static bool WriteToStderr(absl::string_view line);

 private:
  struct Rate {
    std::string name;
    MonotonicTime second;  // the beginning of the second that `count` is for
    int32_t count = 0;
    int64_t left_out = 0;
  };
  // The lines for the thread, which may outlive the log.
  struct Queue {
    TimedMutex mu;
    std::deque<std::string> lines ABSL_GUARDED_BY(mu);
    bool is_writing ABSL_GUARDED_BY(mu) = false;
    bool is_ending ABSL_GUARDED_BY(mu) = false;

    bool WaitUntilWritten(absl::Duration timeout);
  };
  // Turns events into lines and writes them.
  struct Writer {
    const LogFormat format;
    const std::function<bool(absl::string_view)> write;
    const Clocks clocks;

    std::string Line(absl::string_view name, const Fields& fields) const;
    void Run(Queue& queue) const;
  };

  Rate& RateOf(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<const Writer> writer_;
  const std::shared_ptr<Queue> queue_;
  absl::Mutex mu_;                               // acquired before the queue's
  std::deque<Rate> rates_ ABSL_GUARDED_BY(mu_);  // a handful of names
  std::thread thread_;
};

}  // namespace sheaf
