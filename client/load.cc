// SPDX-License-Identifier: Apache-2.0

#include "client/load.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/output.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double Seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

Json Percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  Json json;
  for (const auto& [name, share] :
       {std::pair{"p50", 0.50}, {"p90", 0.90}, {"p99", 0.99}}) {
    if (values.empty()) {
      json[name] = nullptr;
    } else {
      const auto rank = static_cast<size_t>(std::ceil(share * values.size()));
      json[name] = values[std::max<size_t>(rank, 1) - 1];
    }
  }
  return json;
}

// The times of one request. Its callbacks are called one at a time.
struct Trace {
  Clock::time_point planned;
  std::vector<Clock::time_point> outputs;
};

// Collects the reports of the requests. Thread-safe.
class Recorder {
 public:
  void OnStart(Clock::duration delay) {
    absl::MutexLock lock(&mutex_);
    ++num_started_;
    max_start_delay_ = std::max(max_start_delay_, Seconds(delay));
  }

  void OnDone(const Trace& trace, const absl::StatusOr<StreamEnd>& end) {
    const Clock::time_point now = Clock::now();
    absl::MutexLock lock(&mutex_);
    ++num_done_;
    last_done_ = std::max(last_done_, now);
    if (!end.ok()) {
      ++errors_[CodeName(end.status().code())];
      first_error_.Update(end.status());
      return;
    }
    ++num_ok_;
    output_tokens_ += end->usage.output_tokens();
    e2e_.push_back(Seconds(now - trace.planned));
    for (size_t i = 0; i < trace.outputs.size(); ++i) {
      if (i == 0) {
        ttft_.push_back(Seconds(trace.outputs[0] - trace.planned));
      } else {
        itl_.push_back(Seconds(trace.outputs[i] - trace.outputs[i - 1]));
      }
    }
  }

  // Waits until at most `max_left` started requests are not done.
  void WaitForDone(int64_t max_left) {
    absl::MutexLock lock(&mutex_);
    const auto are_done = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return num_started_ - num_done_ <= max_left;
    };
    mutex_.Await(absl::Condition(&are_done));
  }

  // Waits until every started request is done.
  LoadReport Finish(const LoadOptions& options, Clock::time_point start) {
    WaitForDone(/*max_left=*/0);
    absl::MutexLock lock(&mutex_);
    const double elapsed = Seconds(std::max(last_done_, start) - start);
    const auto per_second = [elapsed](int64_t count) {
      return elapsed > 0 ? static_cast<double>(count) / elapsed : 0.0;
    };
    const Json json = {options.num_clients > 0
                           ? Json{"clients", options.num_clients}
                           : Json{"rate", options.rate},
                       {"seconds", options.seconds},
                       {"requests", num_started_},
                       {"ok", num_ok_},
                       {"errors", Json(errors_)},
                       {"output_tokens", output_tokens_},
                       {"tokens_per_second", per_second(output_tokens_)},
                       {"requests_per_second", per_second(num_ok_)},
                       {"ttft_seconds", Percentiles(ttft_)},
                       {"itl_seconds", Percentiles(itl_)},
                       {"e2e_seconds", Percentiles(e2e_)},
                       {"max_start_delay_seconds", max_start_delay_}};
    return {json.dump(), first_error_, num_ok_};
  }

 private:
  absl::Mutex mutex_;
  int64_t num_started_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t num_done_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t num_ok_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t output_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, int64_t> errors_ ABSL_GUARDED_BY(mutex_);
  absl::Status first_error_ ABSL_GUARDED_BY(mutex_);
  double max_start_delay_ ABSL_GUARDED_BY(mutex_) = 0;
  Clock::time_point last_done_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> ttft_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> itl_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> e2e_ ABSL_GUARDED_BY(mutex_);
};

// Returns start times in seconds from the beginning, ascending.
std::vector<double> ArrivalTimes(const LoadOptions& options) {
  std::mt19937_64 random(options.seed);
  std::exponential_distribution<double> gap(options.rate);
  std::vector<double> times;
  for (double time = gap(random); time < options.seconds; time += gap(random)) {
    times.push_back(time);
  }
  return times;
}

}  // namespace

LoadReport RunLoad(const LoadOptions& options, const StartRequest& start) {
  // Shared with the callbacks, because the last of them may not have returned
  // from OnDone() when Finish() sees its effect.
  const auto recorder = std::make_shared<Recorder>();
  const bool is_closed = options.num_clients > 0;
  const std::vector<double> times =
      is_closed ? std::vector<double>() : ArrivalTimes(options);
  const auto start_one = [&](int64_t index, Clock::time_point planned) {
    auto trace = std::make_shared<Trace>();
    trace->planned = planned;
    recorder->OnStart(Clock::now() - planned);
    start(
        index, [trace] { trace->outputs.push_back(Clock::now()); },
        [trace, recorder](const absl::StatusOr<StreamEnd>& end) {
          recorder->OnDone(*trace, end);
        });
  };
  const auto after = [begin = Clock::now()](double seconds) {
    return begin + std::chrono::duration_cast<Clock::duration>(
                       std::chrono::duration<double>(seconds));
  };
  int64_t index = 0;
  for (const double time : times) {
    std::this_thread::sleep_until(after(time));
    start_one(index++, after(time));
  }
  while (is_closed && Clock::now() < after(options.seconds)) {
    start_one(index++, Clock::now());
    recorder->WaitForDone(/*max_left=*/options.num_clients - 1);
  }
  return recorder->Finish(options, after(0));
}

}  // namespace sheaf
