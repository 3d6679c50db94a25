#include "server/log.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

constexpr size_t kMaxWaitingLines = 4096;

// What is not UTF-8 becomes U+FFFD; a line break is escaped.
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

Log::Log(LogFormat format, std::function<void(absl::string_view)> write,
         Clocks clocks)
    : format_(format),
      write_(std::move(write)),
      clocks_(std::move(clocks)),
      thread_([this] { Loop(); }) {}

Log::~Log() {
  {
    absl::MutexLock lock(&mu_);
    is_ending_ = true;
  }
  thread_.join();
}

Log::Rate& Log::RateOf(absl::string_view name) {
  for (Rate& rate : rates_) {
    if (rate.name == name) return rate;
  }
  rates_.push_back({std::string(name), MonotonicTime::InfinitePast()});
  return rates_.back();
}

void Log::Event(absl::string_view name, const Fields& fields) {
  const MonotonicTime now = clocks_.monotonic();
  absl::MutexLock lock(&mu_);
  Rate& rate = RateOf(name);
  if (now - rate.second >= absl::Seconds(1)) {
    rate.second = now;
    rate.count = 0;
  }
  if (rate.count >= kMaxPerSecond || lines_.size() >= kMaxWaitingLines) {
    ++rate.left_out;
    return;
  }
  ++rate.count;
  if (rate.left_out == 0) {
    lines_.push_back(Line(name, fields));
    return;
  }
  Fields with_left_out = fields;
  with_left_out["left_out"] = std::exchange(rate.left_out, 0);
  lines_.push_back(Line(name, with_left_out));
}

void Log::Note(absl::string_view message) {
  Event("note", {{"message", std::string(message)}});
}

std::string Log::Line(absl::string_view name, const Fields& fields) const {
  const std::string time = absl::FormatTime(
      "%Y-%m-%dT%H:%M:%E3SZ", clocks_.wall(), absl::UTCTimeZone());
  if (format_ == LogFormat::kJson) {
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

void Log::Flush() {
  const auto is_written = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return lines_.empty() && !is_writing_;
  };
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&is_written));
}

void Log::WriteToStderr(absl::string_view line) {
  while (!line.empty()) {
    const ssize_t n = write(STDERR_FILENO, line.data(), line.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody reads: there is nowhere to say so
    line.remove_prefix(n);
  }
}

void Log::Loop() {
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !lines_.empty() || is_ending_;
  };
  std::string line;
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      is_writing_ = false;
      mu_.Await(absl::Condition(&has_work));
      if (lines_.empty()) return;
      line = std::move(lines_.front());
      lines_.pop_front();
      is_writing_ = true;
    }
    write_(line);
  }
}

}  // namespace sheaf
