#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/monotonic_time.h"
#include "nlohmann/json.hpp"

namespace sheaf {

enum class LogFormat { kText, kJson };

// The program's log: one line an event, on stderr.
//
// kJson: an object with "time" (RFC 3339, UTC) and "event" first. kText: the
// same as words, "2026-01-31T12:00:00.123Z request code=OK ...".
//
// Nobody who logs waits for whoever reads: a thread writes, and events beyond
// `kMaxPerSecond` of one name in a second, or for which there is no room, are
// left out; the next of that name says how many, as "left_out".
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

  // `write` gets a line and its end; the log's thread calls it.
  explicit Log(LogFormat format,
               std::function<void(absl::string_view)> write = WriteToStderr,
               Clocks clocks = {absl::Now, MonotonicTime::Now});
  ~Log();  // Writes what is left.
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void Event(absl::string_view name, const Fields& fields);
  // For people: the text format has the message alone on its line.
  void Note(absl::string_view message);

  // Returns once all that came before is written.
  void Flush();

  static void WriteToStderr(absl::string_view line);

 private:
  struct Rate {
    std::string name;
    MonotonicTime second;  // when that began which `count` is of
    int32_t count = 0;
    int64_t left_out = 0;
  };

  std::string Line(absl::string_view name, const Fields& fields) const;
  Rate& RateOf(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Loop();

  const LogFormat format_;
  const std::function<void(absl::string_view)> write_;
  const Clocks clocks_;
  absl::Mutex mu_;
  std::deque<std::string> lines_ ABSL_GUARDED_BY(mu_);
  std::deque<Rate> rates_ ABSL_GUARDED_BY(mu_);  // a handful of names
  bool is_writing_ ABSL_GUARDED_BY(mu_) = false;
  bool is_ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sheaf
