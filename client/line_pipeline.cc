// SPDX-License-Identifier: Apache-2.0

#include "client/line_pipeline.h"

#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/process_limits.h"
#include "base/usage_error.h"
#include "client/commands.h"
#include "client/output.h"

namespace sheaf {
namespace {

// The number of results per thread that may wait for an earlier line. It keeps
// the threads busy while one line is slow, and bounds memory.
constexpr int kAheadPerThread = 8;

class Pipeline {
 public:
  Pipeline(LineSource& reader, const PipelineOptions& options, MapLine map,
           WriteLines write)
      : options_(options),
        map_(map),
        write_(write),
        reader_(reader),
        next_read_(options.first_line),
        next_written_(options.first_line) {}

  absl::Status Run() {
    std::vector<std::thread> threads;
    threads.reserve(options_.concurrency);
    for (int i = 0; i < options_.concurrency; ++i) {
      threads.emplace_back([this] { Work(); });
    }
    for (std::thread& thread : threads) thread.join();
    absl::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  struct Line {
    int64_t index;
    std::string text;
  };

  void Work() {
    while (std::optional<Line> line = Take()) {
      Put(line->index, map_(line->text, line->index + 1));
    }
  }

  // Returns the next line, or nullopt if there is none or an error occurred.
  std::optional<Line> Take() {
    absl::MutexLock read_lock(&read_mutex_);
    if (!WaitForRoom()) return std::nullopt;
    absl::StatusOr<std::optional<std::string>> text = reader_.Next();
    if (!text.ok()) {
      absl::MutexLock lock(&mutex_);
      Fail(text.status());
      return std::nullopt;
    }
    if (!text->has_value()) return std::nullopt;
    absl::MutexLock lock(&mutex_);
    return Line{next_read_++, **std::move(text)};
  }

  // Waits until another line may be read. Returns false if an error occurred.
  bool WaitForRoom() {
    absl::MutexLock lock(&mutex_);
    const auto may_read = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      const int64_t max_ahead = kAheadPerThread * int64_t{options_.concurrency};
      return !status_.ok() || next_read_ - next_written_ < max_ahead;
    };
    mutex_.Await(absl::Condition(&may_read));
    return status_.ok();
  }

  // Keeps a result, and writes all results that no earlier line precedes.
  void Put(int64_t index, absl::StatusOr<std::string> result) {
    absl::MutexLock lock(&mutex_);
    results_.emplace(index, std::move(result));
    std::string ready;
    absl::Status error;
    for (auto it = results_.begin();
         it != results_.end() && it->first == next_written_ && status_.ok();
         it = results_.erase(it)) {
      if (!it->second.ok()) {
        error = WithPrefix(it->second.status(),
                           absl::StrCat(options_.item, " ", next_written_ + 1));
        break;
      }
      absl::StrAppend(&ready, JoinLineBreaks(*it->second), "\n");
      ++next_written_;
    }
    if (!ready.empty()) {
      absl::Status written = write_(ready, next_written_);
      if (!written.ok()) error = written;
    }
    if (!error.ok()) Fail(error);
  }

  // Keeps the first error only.
  void Fail(const absl::Status& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    status_.Update(error);
    reader_.Interrupt();
  }

  const PipelineOptions options_;
  const MapLine map_;
  const WriteLines write_;

  absl::Mutex read_mutex_;  // acquired before mutex_; held while a read waits
  LineSource& reader_;      // read_mutex_ guards Next()

  absl::Mutex mutex_;
  int64_t next_read_ ABSL_GUARDED_BY(mutex_);
  int64_t next_written_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, absl::StatusOr<std::string>> results_
      ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status MapLines(LineSource& reader, const PipelineOptions& options,
                      MapLine map, WriteLines write) {
  absl::Status can_start =
      CheckThreads("the command", options.concurrency + kCallThreads);
  if (!can_start.ok()) return can_start;
  return Pipeline(reader, options, map, write).Run();
}

}  // namespace sheaf
