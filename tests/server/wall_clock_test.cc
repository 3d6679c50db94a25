// SPDX-License-Identifier: Apache-2.0

// The server while the wall clock is set.

#include "tests/server/wall_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/monotonic_time.h"
#include "base/timed_mutex.h"
#include "engine/engine.h"
#include "server/ops/watchdog.h"
#include "tests/server/server_fixture.h"
#include "tests/support/recording_sink.h"

namespace sheaf {
namespace {

// Instead of the hour that a wait on the wall clock would take.
constexpr absl::Duration kMuchTooLong = absl::Seconds(20);

// While this lives, the wall clock moves by an hour, forward or back, every few
// milliseconds.
class ClockSetter {
 public:
  explicit ClockSetter(int hours)
      : hours_(hours), thread_([this] { Loop(); }) {}
  ~ClockSetter() {
    {
      TimedMutexLock lock(&mutex_);
      is_ending_ = true;
    }
    thread_.join();
    MoveWallClock(-moved_seconds_);
  }

  // Returns once the clock was set several times from now on.
  void AwaitChanges() {
    TimedMutexLock lock(&mutex_);
    const int seen = num_changes_ + 10;
    EXPECT_TRUE(mutex_.AwaitWithTimeout([&] { return num_changes_ >= seen; },
                                        kMuchTooLong));
  }

 private:
  void Loop() {
    TimedMutexLock lock(&mutex_);
    const auto is_ending = [this] { return is_ending_; };
    while (!mutex_.AwaitWithTimeout(is_ending, absl::Milliseconds(5))) {
      MoveWallClock(hours_ * 3600);
      moved_seconds_ += hours_ * 3600;
      ++num_changes_;
    }
  }

  const int hours_;
  TimedMutex mutex_;
  bool is_ending_ = false;
  int num_changes_ = 0;
  long moved_seconds_ = 0;
  std::thread thread_;
};

class WallClockTest : public testing::TestWithParam<int> {
 protected:
  // The log's line of the only request.
  nlohmann::json LoggedRequest() {
    EXPECT_TRUE(log_.Flush(absl::InfiniteDuration()));
    for (const std::string& line : lines_) {
      const auto event = nlohmann::json::parse(line);
      if (event["event"] == "request") return event;
    }
    return {};
  }

  std::vector<std::string> lines_;
  Log log_{LogFormat::kJson, [this](absl::string_view line) {
             lines_.emplace_back(line);
             return true;
           }};
  ClockSetter clock_{GetParam()};
};

TEST_P(WallClockTest, TheClockOfTheTestIsWhatTheProgramReads) {
  const absl::Time begin = absl::Now();
  clock_.AwaitChanges();
  EXPECT_GT((absl::Now() - begin) / GetParam(), absl::Hours(9));
}

TEST_P(WallClockTest, ARequestRunsToItsEndAndTheLogHasItsTime) {
  const MonotonicTime begin = MonotonicTime::Now();
  absl::Duration held;
  {
    ServerHarness harness(8, 32, absl::Seconds(30), &log_);
    harness.gate.Close();
    grpc::ClientContext context;
    context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                      gpr_time_from_minutes(1, GPR_TIMESPAN)));
    const auto reader = harness.text->GenerateStream(&context, Endless(20));
    harness.gate.AwaitEngine();
    const MonotonicTime closed = MonotonicTime::Now();
    clock_.AwaitChanges();
    held = MonotonicTime::Now() - closed;
    harness.gate.Open();
    v1::GenerateChunk chunk;
    while (reader->Read(&chunk)) {
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(chunk.usage().output_tokens(), 20);
  }
  const auto request = LoggedRequest();
  const double held_ms = absl::ToDoubleMilliseconds(held);
  const double most_ms =
      absl::ToDoubleMilliseconds(MonotonicTime::Now() - begin);
  for (const char* field : {"first_token_ms", "total_ms"}) {
    EXPECT_GE(request[field], held_ms) << request;
    EXPECT_LE(request[field], most_ms) << request;
  }
  EXPECT_GE(request["queue_ms"], 0);
  EXPECT_LE(request["queue_ms"], most_ms);
}

TEST_P(WallClockTest, ADrainTakesItsTimeoutAndNoLonger) {
  ServerHarness harness;
  harness.gate.Close();
  grpc::ClientContext context;
  const auto reader = harness.text->GenerateStream(&context, Endless(50));
  harness.gate.AwaitEngine();
  const MonotonicTime begin = MonotonicTime::Now();
  std::thread drain([&] { harness.server->Drain(absl::Milliseconds(100)); });
  EXPECT_FALSE(reader->Finish().ok());
  harness.gate.Open();
  drain.join();
  EXPECT_GE(MonotonicTime::Now() - begin, absl::Milliseconds(100));
  EXPECT_LT(MonotonicTime::Now() - begin, kMuchTooLong);
}

TEST_P(WallClockTest, ADeadlineOfTheEngineHolds) {
  ThreadTeam team(1);
  FakeModelRunner runner(/*num_blocks=*/16);
  Engine engine(EngineOptions(), team,
                kernels::KernelsFor(kernels::Isa::kPortable),
                {{.runner = &runner, .kv_shape = {16, 1000, 16, 16}}});
  RecordingSink sink;
  Request request;
  request.segments = {{7}};
  request.start_tokens = {FakeModelRunner::kStart};
  request.sampling.max_new_tokens = 5;
  request.is_open = true;  // so it waits for more segments
  request.max_segment_tokens = 20;
  request.sink = &sink;
  const MonotonicTime begin = MonotonicTime::Now();
  request.deadline = begin + absl::Milliseconds(50);
  ASSERT_TRUE(engine.Submit(/*lane=*/0, std::move(request)).ok());
  EXPECT_EQ(sink.Wait().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(MonotonicTime::Now() - begin, absl::Milliseconds(50));
  EXPECT_LT(MonotonicTime::Now() - begin, kMuchTooLong);
}

TEST_P(WallClockTest, TheWatchdogGoesOnLookingAndSeesNoneStuck) {
  std::atomic<int> num_looks = 0;
  std::atomic<int> num_changes = 0;
  Watchdog dog({.interval = absl::Milliseconds(1)});
  const MonotonicTime begin = MonotonicTime::Now();
  dog.Start(
      [&] {
        ++num_looks;
        return true;
      },
      [&](bool) { ++num_changes; });
  while (num_looks < 20 && MonotonicTime::Now() - begin < kMuchTooLong) {
    std::this_thread::yield();
  }
  dog.Stop();
  EXPECT_GE(num_looks, 20);
  EXPECT_EQ(num_changes, 0);
}

INSTANTIATE_TEST_SUITE_P(AnHour, WallClockTest, testing::Values(+1, -1),
                         [](const auto& info) {
                           return info.param > 0 ? "Forward" : "Back";
                         });

}  // namespace
}  // namespace sheaf
