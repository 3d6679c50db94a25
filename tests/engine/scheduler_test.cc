// SPDX-License-Identifier: Apache-2.0

#include "engine/scheduler.h"

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pointee;

constexpr int32_t kStart = 0;

// 16 tokens per block in both attentions.
KvPoolShape Shape(int32_t num_blocks) { return {num_blocks, 1000, 16, 16}; }

Request MakeRequest(std::vector<int32_t> source_lens, int32_t max_new_tokens) {
  Request request;
  request.start_tokens = {kStart};
  for (int32_t len : source_lens) {
    request.segments.push_back(std::vector<int32_t>(len, 7));
  }
  request.sampling.max_new_tokens = max_new_tokens;
  return request;
}

// Matches a pointer to the segment with this index.
auto IsOf(const LiveRequest& request, int32_t index) {
  return Pointee(
      AllOf(Field(&Segment::request, &request), Field(&Segment::index, index)));
}

class SchedulerTest : public ::testing::Test {
 protected:
  explicit SchedulerTest(int32_t num_blocks = 12, int32_t max_sequences = 4)
      : pool_(Shape(num_blocks)), scheduler_(max_sequences, pool_) {}

  LiveRequest& Add(Request request) {
    return scheduler_.Add(++last_id_, std::move(request), MonotonicTime());
  }
  // Plans a step, and finishes the encoding of all segments that it admits.
  StepPlan Step(const Admission& admission = {.max_encode_tokens = 64}) {
    StepPlan plan = scheduler_.PlanStep(admission);
    for (Segment* segment : plan.encode) scheduler_.FinishEncode(*segment);
    scheduler_.CheckConsistency();
    return plan;
  }

  KvBlockPool pool_;
  Scheduler scheduler_;
  RequestId last_id_ = 0;
};

TEST_F(SchedulerTest, EncodesFirstAndDecodesFromTheStepThatEndsTheEncoding) {
  LiveRequest& request = Add(MakeRequest({5}, 10));
  const StepPlan& plan = scheduler_.PlanStep({.max_encode_tokens = 64});
  EXPECT_THAT(plan.encode, ElementsAre(IsOf(request, 0)));
  EXPECT_THAT(plan.decode, IsEmpty());
  scheduler_.FinishEncode(*plan.encode.front());
  EXPECT_THAT(plan.decode, ElementsAre(IsOf(request, 0)));
  EXPECT_THAT(Step().encode, IsEmpty());
  EXPECT_THAT(plan.decode, ElementsAre(IsOf(request, 0)));
}

TEST_F(SchedulerTest, ReservesTheMostThatASegmentCanNeed) {
  Add(MakeRequest({17}, 33));  // 2 cross blocks, 3 self blocks
  scheduler_.PlanStep({.max_encode_tokens = 64});
  const KvBytes kv = scheduler_.gauges().kv;
  EXPECT_EQ(kv.cross_reserved, 2000);
  EXPECT_EQ(kv.self_reserved, 3000);
  EXPECT_EQ(kv.cross_used, 2000);  // the source is known
  EXPECT_EQ(kv.self_used, 0);      // nothing is decoded yet
  scheduler_.FinishEncode(scheduler_.requests().front().segments.front());
  EXPECT_EQ(scheduler_.gauges().kv.self_used, 1000);
}

TEST_F(SchedulerTest, WaitsUntilTheReservationFits) {
  LiveRequest& large = Add(MakeRequest({64}, 64));   // 8 of 12 blocks
  LiveRequest& second = Add(MakeRequest({16}, 64));  // 5: does not fit, too
  Add(MakeRequest({1}, 1));  // would fit, and must not overtake
  EXPECT_THAT(Step().encode, ElementsAre(IsOf(large, 0)));
  EXPECT_THAT(Step().encode, IsEmpty());
  EXPECT_EQ(scheduler_.gauges().num_requests_waiting, 2);
  scheduler_.Remove(large);
  EXPECT_THAT(Step().encode, ElementsAre(IsOf(second, 0), ::testing::_));
}

TEST_F(SchedulerTest, NeverRunsMoreThanMaxSequences) {
  for (int i = 0; i < 6; ++i) Add(MakeRequest({1}, 1));
  EXPECT_EQ(Step().encode.size(), 4);
  EXPECT_EQ(scheduler_.gauges().num_sequences_running, 4);
  EXPECT_THAT(Step().encode, IsEmpty());
}

TEST_F(SchedulerTest, APassTakesAtMostMaxEncodeTokensOrOneSource) {
  Add(MakeRequest({40}, 1));
  Add(MakeRequest({40}, 1));
  EXPECT_EQ(Step().encode.size(), 1);
  EXPECT_EQ(Step().encode.size(), 1);
}

TEST_F(SchedulerTest, AdmitsNothingWhileAPassIsUnderWay) {
  Add(MakeRequest({1}, 1));
  EXPECT_THAT(Step({.max_encode_tokens = 0}).encode, IsEmpty());
}

constexpr Admission kOvertaking = {.max_encode_tokens = 20,
                                   .is_overtaking = true};

TEST_F(SchedulerTest, ShortSourcesOvertakeALongPassAndLongSourcesThatWait) {
  Add(MakeRequest({30}, 1));
  LiveRequest& second = Add(MakeRequest({8}, 1));
  LiveRequest& third = Add(MakeRequest({13}, 1));  // 8 and 13 are too many
  LiveRequest& fourth = Add(MakeRequest({12}, 1));
  EXPECT_THAT(Step(kOvertaking).encode,
              ElementsAre(IsOf(second, 0), IsOf(fourth, 0)));
  EXPECT_THAT(Step(kOvertaking).encode, ElementsAre(IsOf(third, 0)));
  EXPECT_THAT(Step(kOvertaking).encode, IsEmpty());
}

TEST_F(SchedulerTest, WhatOvertakesLeavesRoomForTheFirstThatWaits) {
  LiveRequest& running = Add(MakeRequest({16}, 16));  // 2 of 12 blocks
  Step();
  LiveRequest& first = Add(MakeRequest({64}, 64));  // 8
  LiveRequest& small = Add(MakeRequest({16}, 16));  // 2: both fit
  Add(MakeRequest({1}, 1));                         // 2: one too many
  EXPECT_THAT(Step(kOvertaking).encode, ElementsAre(IsOf(small, 0)));
  EXPECT_THAT(Step(kOvertaking).encode, IsEmpty());
  EXPECT_THAT(Step().encode, ElementsAre(IsOf(first, 0)));
  scheduler_.Remove(running);
}

TEST_F(SchedulerTest, WhatOvertakesLeavesSequencesForTheFirstThatWaits) {
  Request beams = MakeRequest({30}, 1);
  beams.sampling.beam_size = 3;
  Add(std::move(beams));
  LiveRequest& second = Add(MakeRequest({1}, 1));
  Add(MakeRequest({1}, 1));
  EXPECT_THAT(Step(kOvertaking).encode, ElementsAre(IsOf(second, 0)));
}

TEST_F(SchedulerTest, AShortRequestPassesALongDocument) {
  LiveRequest& document = Add(MakeRequest({1, 1, 1, 1, 1, 1, 1, 1}, 1));
  EXPECT_EQ(Step().encode.size(), 4);
  LiveRequest& late = Add(MakeRequest({1}, 1));
  scheduler_.FinishSegment(document.segments.front());
  EXPECT_THAT(Step().encode, ElementsAre(IsOf(late, 0)));
  scheduler_.FinishSegment(late.segments.front());
  EXPECT_THAT(Step().encode, ElementsAre(IsOf(document, 4)));
}

TEST_F(SchedulerTest, FinishedSegmentsGiveAllBack) {
  LiveRequest& request = Add(MakeRequest({20, 20}, 20));
  Step();
  Step();
  for (Segment& segment : request.segments) scheduler_.FinishSegment(segment);
  const EngineGauges gauges = scheduler_.gauges();
  EXPECT_EQ(pool_.num_free(), pool_.num_blocks());
  EXPECT_EQ(gauges.kv.self_reserved + gauges.kv.cross_reserved, 0);
  EXPECT_EQ(gauges.num_sequences_running, 0);
}

TEST_F(SchedulerTest, TheTargetPrefixFollowsTheStartToken) {
  Request request = MakeRequest({3}, 10);
  request.start_tokens = {kStart, 8, 9};
  LiveRequest& live = Add(std::move(request));
  Step();
  EXPECT_THAT(live.segments.front().sequences[0].tokens,
              ElementsAre(kStart, 8, 9));
}

TEST_F(SchedulerTest, BeamsReserveTheirOwnBlocksAndThePrefixesFullOnesOnce) {
  Request request = MakeRequest({16}, 48);  // 1 cross block, 3 self blocks
  request.sampling.beam_size = 3;
  Add(request);
  Step();
  EXPECT_EQ(scheduler_.gauges().kv.self_reserved, 3 * 3 * 1000);
  EXPECT_EQ(scheduler_.gauges().num_sequences_running, 3);
  scheduler_.Remove(scheduler_.requests().front());
  request.start_tokens.assign(16, 5);  // a block
  Add(std::move(request));
  Step();
  EXPECT_EQ(scheduler_.gauges().kv.self_reserved, (1 + 3 * 2) * 1000);
}

TEST_F(SchedulerTest,
       AParentsLastChildTakesItsBlocksAndOthersShareTheFullOnes) {
  Request request = MakeRequest({16}, 48);
  request.sampling.beam_size = 3;
  request.start_tokens.assign(20, 5);  // a block and 4
  LiveRequest& live = Add(std::move(request));
  Step();
  Segment& segment = live.segments.front();
  Step();
  std::vector<Sequence>& beams = segment.sequences;
  beams[0].num_computed_tokens = 20;
  const std::vector<int32_t> parent(beams[0].self_kv.ids().begin(),
                                    beams[0].self_kv.ids().end());
  std::vector<BlockCopy> copies;
  const std::vector<BeamStep> three = {{0, 7, -1}, {0, 8, -2}, {0, 9, -3}};
  scheduler_.Fork(segment, three, copies);
  scheduler_.CheckConsistency();
  ASSERT_EQ(beams.size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(beams[i].tokens.back(), 7 + i);
    EXPECT_EQ(beams[i].sum_logprob, -1 - i);
    EXPECT_EQ(beams[i].num_computed_tokens, 20);
    EXPECT_EQ(beams[i].self_kv.ids()[0], parent[0]);
  }
  EXPECT_THAT(beams[2].self_kv.ids(), ElementsAre(parent[0], parent[1]));
  ASSERT_EQ(copies.size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(copies[i].from, parent[1]);
    EXPECT_EQ(copies[i].to, beams[i].self_kv.ids()[1]);
  }
  EXPECT_EQ(pool_.num_held(Attention::kSelf), 1 + 3);

  // Reordering beams with one child each moves tables and copies no keys.
  const std::vector<int32_t> last(beams[2].self_kv.ids().begin(),
                                  beams[2].self_kv.ids().end());
  copies.clear();
  for (Sequence& beam : beams) beam.num_computed_tokens = 21;
  const std::vector<BeamStep> two = {{2, 4, -4}, {0, 4, -5}};
  scheduler_.Fork(segment, two, copies);
  scheduler_.CheckConsistency();
  ASSERT_EQ(beams.size(), 2);
  EXPECT_EQ(beams[0].self_kv.ids(), absl::MakeConstSpan(last));
  EXPECT_THAT(copies, IsEmpty());
  EXPECT_EQ(pool_.num_held(Attention::kSelf), 1 + 2);
}

TEST_F(SchedulerTest, SaysWhatCanNeverFit) {
  const absl::Status status =
      Scheduler::CheckFits(MakeRequest({16}, 16 * 12), 4, Shape(12));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("can need 13000 bytes of KV cache; this server has "
                        "12000"));
  EXPECT_TRUE(
      Scheduler::CheckFits(MakeRequest({16}, 16 * 11), 4, Shape(12)).ok());
}

Extension WithSampling(std::vector<int32_t> source_lens, int32_t beam_size,
                       int32_t max_new_tokens) {
  Request request = MakeRequest(source_lens, max_new_tokens);
  request.sampling.beam_size = beam_size;
  return {.segments = request.segments,
          .is_open = true,
          .sampling = std::make_shared<SamplingParams>(request.sampling)};
}

TEST_F(SchedulerTest, SegmentsOfAnExtensionReserveByItsSamplingParams) {
  Request request = MakeRequest({16}, 16);
  request.is_open = true;
  LiveRequest& live = Add(std::move(request));  // 1 cross block, 1 self block
  Step();
  scheduler_.Extend(live, WithSampling({16}, /*beam_size=*/2, 33));  // 1 + 6
  scheduler_.Extend(live, {.segments = {std::vector<int32_t>(16, 7)},
                           .is_open = true});  // 1 + 1 again
  EXPECT_THAT(Step().encode, ElementsAre(IsOf(live, 1), IsOf(live, 2)));
  EXPECT_EQ(scheduler_.gauges().kv.self_reserved, 1000 + 6000 + 1000);
  EXPECT_EQ(scheduler_.gauges().num_sequences_running, 4);
  scheduler_.FinishSegment(*std::next(live.segments.begin()));
  scheduler_.CheckConsistency();
  EXPECT_EQ(scheduler_.gauges().kv.self_reserved, 1000 + 1000);
  EXPECT_EQ(scheduler_.gauges().num_sequences_running, 2);
}

// Text waits for a repair; it does not wait for the rest of a long document.
TEST_F(SchedulerTest, SegmentsOfAnExtensionComeBeforeThoseThatWait) {
  Request request = MakeRequest({16, 16, 16, 16}, 16);
  request.is_open = true;
  LiveRequest& live = Add(std::move(request));
  const Admission two = {.max_encode_tokens = 32};
  EXPECT_THAT(Step(two).encode, ElementsAre(IsOf(live, 0), IsOf(live, 1)));
  scheduler_.FinishSegment(live.segments.front());
  scheduler_.Extend(live, WithSampling({8}, /*beam_size=*/1, 16));
  EXPECT_THAT(Step({.max_encode_tokens = 8}).encode,
              ElementsAre(IsOf(live, 4)));
  scheduler_.Extend(live, WithSampling({16}, /*beam_size=*/1, 16));
  EXPECT_THAT(Step(two).encode, ElementsAre(IsOf(live, 5), IsOf(live, 2)));
  scheduler_.FinishSegment(live.segments.front());
  EXPECT_THAT(Step(two).encode, ElementsAre(IsOf(live, 3)));
  scheduler_.CheckConsistency();
}

TEST_F(SchedulerTest, MaxBeamSizeIsTheMaximumThatFits) {
  for (int32_t source_len : {1, 16, 17, 160, 192, 200}) {
    for (int32_t max_new_tokens : {1, 16, 17, 40, 192, 500}) {
      const int32_t found =
          Scheduler::MaxBeamSize(source_len, max_new_tokens, 4, Shape(12));
      for (int32_t beam_size = 1; beam_size <= 5; ++beam_size) {
        Request request = MakeRequest({source_len}, max_new_tokens);
        request.sampling.beam_size = beam_size;
        EXPECT_EQ(Scheduler::CheckFits(request, 4, Shape(12)).ok(),
                  beam_size <= found)
            << source_len << " " << max_new_tokens << " " << beam_size;
      }
    }
  }
  EXPECT_EQ(Scheduler::MaxBeamSize(1, 1, 100, Shape(200)), kMaxBeamSize);
}

TEST_F(SchedulerTest, AnyOrderOfOperationsKeepsTheInvariants) {
  std::mt19937 rng(301);
  for (int step = 0; step < 5'000; ++step) {
    SCOPED_TRACE(step);
    switch (rng() % 5) {
      case 0: {
        std::vector<int32_t> lens(1 + rng() % 5);
        for (int32_t& len : lens) len = 1 + rng() % 60;
        Request request = MakeRequest(lens, 1 + rng() % 60);
        request.sampling.beam_size = 1 + static_cast<int32_t>(rng() % 3);
        // Requests that can never fit are refused earlier.
        if (Scheduler::CheckFits(request, 4, pool_.shape()).ok()) {
          Add(std::move(request));
        }
        break;
      }
      case 1:
        if (!scheduler_.requests().empty()) {
          auto it = scheduler_.requests().begin();
          std::advance(it, rng() % scheduler_.requests().size());
          scheduler_.Remove(*it);
        }
        break;
      case 2:
        if (!scheduler_.requests().empty()) {
          LiveRequest& live = scheduler_.requests().back();
          const Extension extension =
              WithSampling(std::vector<int32_t>(1 + rng() % 3, 1 + rng() % 60),
                           1 + static_cast<int32_t>(rng() % 4), 1 + rng() % 60);
          if (scheduler_.CheckFits(live, extension).ok()) {
            scheduler_.Extend(live, extension);
          }
        }
        break;
      default: {
        const bool is_overtaking = rng() % 2 == 0;
        const StepPlan plan = is_overtaking ? Step(kOvertaking) : Step();
        // Invariant 4.
        if (!scheduler_.requests().empty() && !is_overtaking) {
          ASSERT_FALSE(plan.encode.empty() && plan.decode.empty());
        }
        for (Segment* segment : plan.decode) {
          const SamplingParams& sampling = *segment->sampling;
          std::vector<Sequence>& beams = segment->sequences;
          for (Sequence& beam : beams) {
            beam.num_computed_tokens = static_cast<int32_t>(beam.tokens.size());
          }
          if (beams[0].num_new_tokens() + 1 >= sampling.max_new_tokens ||
              rng() % 20 == 0) {
            scheduler_.FinishSegment(*segment);
            continue;
          }
          // Beams continue in a random order.
          std::vector<BeamStep> steps(1 + rng() % sampling.beam_size);
          for (BeamStep& step : steps) {
            step.parent = static_cast<int32_t>(rng() % beams.size());
          }
          std::vector<BlockCopy> copies;
          scheduler_.Fork(*segment, steps, copies);
        }
        while (true) {  // Removes finished requests.
          LiveRequest* done = nullptr;
          for (LiveRequest& live : scheduler_.requests()) {
            if (live.num_finished == live.num_segments()) done = &live;
          }
          if (done == nullptr) break;
          scheduler_.Remove(*done);
        }
      }
    }
    scheduler_.CheckConsistency();
  }
}

}  // namespace
}  // namespace sheaf
