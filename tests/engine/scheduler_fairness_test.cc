// SPDX-License-Identifier: Apache-2.0

// Tests the shares of callers. Expected values come from the
// definitions: the test counts the service of each caller itself.

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/scheduler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Admission kMain = {.max_encode_tokens = 1000};

struct Kind {  // of requests
  int32_t source_len = 4;
  int32_t max_new_tokens = 8;
  int32_t beam_size = 1;
};

// A scheduler whose segments are encoded at once, and end after a given number
// of decode steps.
class FairnessTest : public testing::Test {
 protected:
  explicit FairnessTest(int32_t max_sequences = 16, int32_t num_blocks = 4096)
      : pool_({num_blocks, /*block_bytes=*/1000, /*self_block_tokens=*/16,
               /*cross_block_tokens=*/16}),
        scheduler_(max_sequences, pool_) {}

  LiveRequest& Add(const std::string& caller, const Kind& kind,
                   int32_t weight = 1) {
    Request request;
    request.start_tokens = {0};
    request.segments.push_back(std::vector<int32_t>(kind.source_len, 7));
    request.sampling.max_new_tokens = kind.max_new_tokens;
    request.sampling.beam_size = kind.beam_size;
    request.caller = caller;
    request.weight = weight;
    return scheduler_.Add(++last_id_, std::move(request), now_);
  }

  // Plans a step and runs it. `num_steps(request)` tells how many decode steps
  // a segment takes. Returns the callers of the admitted segments.
  std::vector<std::string> Step(const Admission& admission = kMain) {
    const StepPlan& plan = scheduler_.PlanStep(admission);
    std::vector<std::string> admitted;
    for (Segment* segment : plan.encode) {
      const Request& request = segment->request->request;
      admitted.push_back(request.caller);
      service_[request.caller] +=
          static_cast<double>(request.segments[0].size());
      scheduler_.FinishEncode(*segment);
    }
    scheduler_.CheckConsistency();
    for (Segment* segment : std::vector<Segment*>(plan.decode)) {
      LiveRequest& live = *segment->request;
      service_[live.request.caller] += live.request.sampling.beam_size;
      Sequence& sequence = segment->sequences.front();
      sequence.num_computed_tokens =
          static_cast<int32_t>(sequence.tokens.size());
      sequence.tokens.push_back(7);
      if (sequence.num_new_tokens() < num_steps_(live)) continue;
      scheduler_.FinishSegment(*segment);
      scheduler_.Remove(live);
    }
    return admitted;
  }

  int32_t NumWaiting(const std::string& caller) const {
    return static_cast<int32_t>(std::count_if(
        scheduler_.requests().begin(), scheduler_.requests().end(),
        [&](const auto& live) {
          return live.request.caller == caller && live.num_admitted == 0;
        }));
  }
  int32_t NumSequences(const std::string& caller) const {
    int32_t sum = 0;
    for (const LiveRequest& live : scheduler_.requests()) {
      if (live.request.caller != caller) continue;
      sum += live.num_running * live.request.sampling.beam_size;
    }
    return sum;
  }

  KvBlockPool pool_;
  Scheduler scheduler_;
  MonotonicTime now_;
  RequestId last_id_ = 0;
  std::function<int32_t(const LiveRequest&)> num_steps_ =
      [](const LiveRequest& live) {
        return live.request.sampling.max_new_tokens;
      };
  std::map<std::string, double> service_;  // the definition of cost
};

// ---- Shares ----

// The definition of fairness: while callers always have segments waiting, what
// they were served, by weight, differs by at most what runs at a time (at most
// max_sequences * max_new_tokens) and a segment of either.
TEST_F(FairnessTest, BusyCallersAreServedInProportionToTheirWeights) {
  std::mt19937 rng(301);
  for (int trial = 0; trial < 30; ++trial) {
    SCOPED_TRACE(trial);
    service_.clear();
    const int num_callers = 2 + static_cast<int>(rng() % 5);
    std::vector<Kind> kinds;
    std::vector<int32_t> weights;
    for (int i = 0; i < num_callers; ++i) {
      kinds.push_back({static_cast<int32_t>(1 + rng() % 50),
                       static_cast<int32_t>(1 + rng() % 60),
                       static_cast<int32_t>(1 + rng() % 3)});
      weights.push_back(1 + rng() % 4);
    }
    // Segments end early, so that reservations are not a measure of cost.
    num_steps_ = [&rng](const LiveRequest& live) {
      return 1 +
             static_cast<int32_t>(rng() % live.request.sampling.max_new_tokens);
    };
    constexpr double kMaxRunning = 16 * 60, kMaxSegment = 50 + 3 * 60;
    for (int step = 0; step < 1'000; ++step) {
      for (int i = 0; i < num_callers; ++i) {
        const std::string name = std::to_string(i);
        // More than a step can admit.
        while (NumWaiting(name) < 17) Add(name, kinds[i], weights[i]);
      }
      Step();
      for (int i = 1; i < num_callers; ++i) {
        ASSERT_NEAR(service_[std::to_string(i)] / weights[i],
                    service_["0"] / weights[0], kMaxRunning + 2 * kMaxSegment)
            << "step " << step;
      }
    }
    while (!scheduler_.requests().empty()) {
      scheduler_.Remove(scheduler_.requests().front());
    }
  }
}

TEST_F(FairnessTest, ACallerThatUsesLessThanItReservesIsChargedWhatItUses) {
  num_steps_ = [](const LiveRequest& live) {
    return live.request.caller == "modest" ? 2 : 20;
  };
  for (int step = 0; step < 2'000; ++step) {
    while (NumWaiting("modest") < 20) Add("modest", {4, 20});
    while (NumWaiting("full") < 20) Add("full", {4, 20});
    Step();
  }
  EXPECT_NEAR(service_["modest"] / service_["full"], 1.0, 0.03);
}

// "rare" has something running all the time, but asks for less than its share.
TEST_F(FairnessTest, ACallerThatAskedForLessGainsNothing) {
  for (int step = 0; step < 500; ++step) {
    while (NumWaiting("busy") < 20) Add("busy", {});
    if (step % 4 == 0) Add("rare", {});
    Step();
  }
  EXPECT_GT(service_["busy"], 5 * service_["rare"]);
  service_.clear();
  for (int step = 0; step < 500; ++step) {
    while (NumWaiting("busy") < 20) Add("busy", {});
    while (NumWaiting("rare") < 20) Add("rare", {});
    Step();
    // The cost of all that runs at a time, and of a segment of either caller.
    ASSERT_NEAR(service_["busy"], service_["rare"], 16 * 8 + 2 * 12) << step;
  }
}

// A caller that is away between two requests is forgotten, and gains nothing.
TEST_F(FairnessTest, ACallerWithOneRequestAtATimeHasNoMoreThanItsShare) {
  int num_steps_away = 0;
  for (int step = 0; step < 4'000; ++step) {
    while (NumWaiting("heavy") < 20) Add("heavy", {}, /*weight=*/4);
    const bool is_away = NumWaiting("serial") + NumSequences("serial") == 0;
    num_steps_away = is_away ? num_steps_away + 1 : 0;
    // Half of all places while it runs.
    if (num_steps_away == 2) Add("serial", {.beam_size = 8});
    Step();
  }
  EXPECT_LE(service_["serial"] / service_["heavy"], 0.25);
}

TEST_F(FairnessTest, ManyRequestsOfOneCallerDoNotDelayAnother) {
  for (int i = 0; i < 100; ++i) Add("many", {});
  EXPECT_EQ(Step().size(), 16);
  Add("few", {});
  while (NumWaiting("few") > 0) Step();
  EXPECT_EQ(NumWaiting("many"), 100 - 16 - 13);  // two are left free
}

TEST_F(FairnessTest, WithinACallerTheRequestWithTheFewestRunningIsNext) {
  LiveRequest& document = Add("a", {});
  for (int i = 0; i < 30; ++i) {
    scheduler_.Extend(document, {.segments = {std::vector<int32_t>(4, 7)}});
  }
  scheduler_.PlanStep({.max_encode_tokens = 40});  // 10 segments
  LiveRequest& late = Add("a", {});
  const StepPlan& plan = scheduler_.PlanStep({.max_encode_tokens = 4});
  ASSERT_EQ(plan.encode.size(), 1);
  EXPECT_EQ(plan.encode.front()->request, &late);
  scheduler_.Remove(document);
}

TEST_F(FairnessTest, ShortSourcesThatOvertakeGoByCaller) {
  for (int i = 0; i < 10; ++i) Add("greedy", {});
  Step();
  Add("greedy", {.source_len = 500});
  Add("greedy", {});
  Add("new", {});
  EXPECT_THAT(Step({.max_encode_tokens = 6, .is_overtaking = true}),
              ElementsAre("new"));
}

// ---- What is kept free ----

TEST_F(FairnessTest, AloneACallerMayHoldAll) {
  for (int i = 0; i < 20; ++i) Add("a", {});
  Step();
  EXPECT_EQ(NumSequences("a"), 16);
}

TEST_F(FairnessTest, WhileAnotherIsKnownACallerLeavesAnEighthFree) {
  Add("b", {});
  for (int i = 0; i < 8; ++i) Step();
  ASSERT_THAT(scheduler_.requests(), IsEmpty());
  for (int i = 0; i < 20; ++i) Add("a", {});
  Step();
  EXPECT_EQ(NumSequences("a"), 14);  // 14 / 7 are free
  Add("b", {});
  EXPECT_THAT(Step(), ElementsAre("b"));
}

TEST_F(FairnessTest, AnotherCallerIsForgottenAfterTenMinutes) {
  Add("b", {});
  for (int i = 0; i < 8; ++i) Step();
  now_ += absl::Seconds(1);
  Add("a", {});
  now_ += absl::Minutes(10) - absl::Nanoseconds(1);
  for (int i = 0; i < 20; ++i) Add("a", {});
  Step();
  EXPECT_EQ(NumSequences("a"), 14);
  now_ += absl::Nanoseconds(1);
  Add("a", {});
  Step();
  EXPECT_EQ(NumSequences("a"), 16);
}

class FewBlocksTest : public FairnessTest {
 protected:
  FewBlocksTest() : FairnessTest(/*max_sequences=*/100, /*num_blocks=*/64) {}
};

TEST_F(FewBlocksTest, BlocksAreLeftFreeToo) {
  Add("b", {});
  for (int i = 0; i < 8; ++i) Step();
  for (int i = 0; i < 40; ++i) Add("a", {});  // 2 blocks each
  Step();
  EXPECT_EQ(NumSequences("a"), 28);  // 56 blocks, and 56 / 7 are free
  Add("b", {});
  EXPECT_THAT(Step(), ElementsAre("b"));
}

TEST_F(FairnessTest, ACallerThatHoldsNothingMayTakeAllThatIsFree) {
  Add("b", {});
  for (int i = 0; i < 8; ++i) Step();
  Add("a", {.beam_size = 16});
  EXPECT_THAT(Step(), ElementsAre("a"));
  EXPECT_EQ(NumSequences("a"), 16);
}

TEST_F(FairnessTest, NobodyPassesACandidateThatMustWait) {
  for (int i = 0; i < 20; ++i) Add("a", {});
  Step();                       // one caller: all 16
  Add("b", {.beam_size = 16});  // waits for all
  for (int i = 0; i < 7; ++i) {
    Add("new " + std::to_string(i), {});
    EXPECT_THAT(Step(), IsEmpty());
  }
  EXPECT_THAT(Step(), ElementsAre("b"));
}

// ---- Nobody starves ----

// New callers arrive without end, more than there is room for. Each of the
// others is served, whatever it needs and whatever it had before. Their largest
// segments cost about 1,000, and each of 64 callers is due a 64th of at least 8
// places in use, so that such a segment takes up to 8,000 steps.
TEST_F(FairnessTest, NoCallerStarvesWhateverOthersDo) {
  std::mt19937 rng(301);
  const std::vector<Kind> kinds = {
      {4, 30, 16}, {4, 60, 9}, {900, 20, 1}, {4, 5, 1}};
  std::map<std::string, int> waited;  // steps since its last admission
  int next_new = 0;
  for (int step = 0; step < 20'000; ++step) {
    for (int i = 0; i < 4; ++i) {
      const std::string name = std::to_string(i);
      if (NumWaiting(name) == 0) Add(name, kinds[i]);
    }
    for (int i = 0; i < 4 && scheduler_.requests().size() < 64; ++i) {
      Add("new " + std::to_string(++next_new),
          {static_cast<int32_t>(1 + rng() % 20),
           static_cast<int32_t>(1 + rng() % 20),
           static_cast<int32_t>(1 + rng() % 4)});
    }
    for (int i = 0; i < 4; ++i) ++waited[std::to_string(i)];
    for (const std::string& caller : Step()) waited[caller] = 0;
    for (int i = 0; i < 4; ++i) {
      ASSERT_LT(waited[std::to_string(i)], 8'000) << "caller " << i;
    }
    std::set<std::string> live;
    for (const LiveRequest& each : scheduler_.requests()) {
      live.insert(each.request.caller);
    }
    ASSERT_EQ(scheduler_.callers().shares().size(), live.size());
  }
}

}  // namespace
}  // namespace sheaf
