// SPDX-License-Identifier: Apache-2.0

#include "server/ops/log.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/standard_streams.h"

namespace sheaf {
namespace {

constexpr size_t kMaxWaitingLines = 4096;
// How long the destructor waits for a slow reader.
constexpr absl::Duration kEndTimeout = absl::Seconds(1);

// Invalid UTF-8 becomes U+FFFD, and line breaks are escaped.
std::string Dump(const nlohmann::ordered_json& value) {
  return value.dump(/*indent=*/-1, /*indent_char=*/' ', /*ensure_ascii=*/false,
                    nlohmann::json::error_handler_t::replace);
}

bool IsWord(absl::string_view text) {
  if (text.empty()) return false;
  for (unsigned char c : text) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '=') return false;
  }
  return true;
}

std::string TextOf(const nlohmann::ordered_json& value) {
  if (!value.is_string()) return Dump(value);
  const auto& text = value.get_ref<const std::string&>();
  return IsWord(text) ? text : Dump(value);
}

}  // namespace

Log::Log(LogFormat format, std::function<bool(absl::string_view)> write,
         Clocks clocks)
    : writer_(std::make_shared<const Writer>(
          Writer{format, std::move(write), std::move(clocks)})),
      queue_(std::make_shared<Queue>()),
      thread_([writer = writer_, queue = queue_] { writer->Run(*queue); }) {}

Log::~Log() {
  {
    TimedMutexLock lock(&queue_->mu);
    queue_->is_ending = true;
  }
  if (queue_->WaitUntilWritten(kEndTimeout)) {
    thread_.join();
  } else {
    thread_.detach();  // it owns all that it uses
  }
}

Log::Rate& Log::RateOf(absl::string_view name) {
  for (Rate& rate : rates_) {
    if (rate.name == name) return rate;
  }
  rates_.push_back({std::string(name), MonotonicTime::InfinitePast()});
  return rates_.back();
}

void Log::Event(absl::string_view name, const Fields& fields) {
  const MonotonicTime now = writer_->clocks.monotonic();
  absl::MutexLock lock(&mu_);
  TimedMutexLock queue_lock(&queue_->mu);
  std::deque<std::string>& lines = queue_->lines;
  Rate& rate = RateOf(name);
  if (now - rate.second >= absl::Seconds(1)) {
    rate.second = now;
    rate.count = 0;
  }
  if (rate.count >= kMaxPerSecond || lines.size() >= kMaxWaitingLines) {
    ++rate.left_out;
    return;
  }
  ++rate.count;
  if (rate.left_out == 0) {
    lines.push_back(writer_->Line(name, fields));
    return;
  }
  Fields with_left_out = fields;
  with_left_out["left_out"] = std::exchange(rate.left_out, 0);
  lines.push_back(writer_->Line(name, with_left_out));
}

void Log::Note(absl::string_view message) {
  Event("note", {{"message", std::string(message)}});
}

std::string Log::Writer::Line(absl::string_view name,
                              const Fields& fields) const {
  const std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ",
                                            clocks.wall(), absl::UTCTimeZone());
  if (format == LogFormat::kJson) {
    Fields line = {{"time", time}, {"event", std::string(name)}};
    line.update(fields);
    return absl::StrCat(Dump(line), "\n");
  }
  if (name == "note") {
    return absl::StrCat(fields.at("message").get<std::string>(), "\n");
  }
  std::string line = absl::StrCat(time, " ", name);
  for (const auto& [key, value] : fields.items()) {
    absl::StrAppend(&line, " ", key, "=", TextOf(value));
  }
  return absl::StrCat(line, "\n");
}

bool Log::Queue::WaitUntilWritten(absl::Duration timeout) {
  const auto is_written = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return lines.empty() && !is_writing;
  };
  TimedMutexLock lock(&mu);
  return mu.AwaitWithTimeout(is_written, timeout);
}

bool Log::Flush(absl::Duration timeout) {
  return queue_->WaitUntilWritten(timeout);
}

bool Log::WriteToStderr(absl::string_view line) {
  return WriteWithin(STDERR_FILENO, line, absl::InfiniteDuration());
}

void Log::Writer::Run(Queue& queue) const {
  const auto has_work = [&queue]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue.mu) {
    return !queue.lines.empty() || queue.is_ending;
  };
  int64_t num_lost = 0;
  std::string line;
  while (true) {
    {
      TimedMutexLock lock(&queue.mu);
      queue.is_writing = false;
      queue.mu.AwaitWithTimeout(has_work, absl::InfiniteDuration());
      if (queue.lines.empty()) return;
      line = std::move(queue.lines.front());
      queue.lines.pop_front();
      queue.is_writing = true;
    }
    // A partly written line is ended first.
    if (num_lost > 0 &&
        write(absl::StrCat("\n", Line("log", {{"lost", num_lost}})))) {
      num_lost = 0;
    }
    if (!write(line)) ++num_lost;
  }
}

}  // namespace sheaf
