// SPDX-License-Identifier: Apache-2.0

// The attention of single heads over sources against another implementation
// (testdata/README.md, source_attention.json), and what becomes of it.

#include "engine/model/source_aligner.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "engine/kv_block_pool.h"
#include "engine/model/alignment_heads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "tests/support/test_model.h"

namespace sheaf {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;
using Weights = std::vector<float>;

// Keeps all weights by source, token, layer and head.
class RecordingObserver : public AlignmentObserver {
 public:
  using Key = std::tuple<const int32_t*, int32_t, AlignmentHead>;

  void OnSourceWeights(const DecodeEntry& entry, int32_t token_index,
                       const AlignmentHead& head,
                       absl::Span<const float> weights) override {
    absl::MutexLock lock(&mutex_);
    weights_[{entry.tokens.data(), token_index, head}] = {weights.begin(),
                                                          weights.end()};
  }
  const std::map<Key, Weights>& weights() const { return weights_; }

 private:
  absl::Mutex mutex_;
  std::map<Key, Weights> weights_;
};

// A source and the tokens of its decoder.
struct Case {
  Ids source, decoder;
};

// Computes all tokens of all cases in one step. Returns the position of each
// token within [first, source_len - trailing).
std::vector<Ids> Attended(TestModel& model, const std::vector<Case>& cases,
                          int32_t first = 0, int32_t trailing = 0) {
  TransformerRunner& runner = *model.runner;
  KvBlockPool pool(model.storage->shape());
  std::vector<BlockTable> cross, self;
  std::vector<EncodeEntry> encode;
  std::vector<DecodeEntry> decode;
  std::vector<Ids> attended;
  cross.reserve(cases.size());
  self.reserve(cases.size());
  attended.reserve(cases.size());
  for (const Case& each : cases) {
    const int32_t source_len = static_cast<int32_t>(each.source.size());
    cross.emplace_back(pool, Attention::kCross);
    self.emplace_back(pool, Attention::kSelf);
    EXPECT_TRUE(cross.back().GrowTo(source_len));
    EXPECT_TRUE(self.back().GrowTo(static_cast<int32_t>(each.decoder.size())));
    attended.emplace_back(each.decoder.size(), -1);
    encode.push_back({each.source, cross.back().ids()});
    decode.push_back({.tokens = each.decoder,
                      .num_computed_tokens = 0,
                      .self_blocks = self.back().ids(),
                      .cross_blocks = cross.back().ids(),
                      .source_len = source_len,
                      .attended = attended.back().data(),
                      .first_source = first,
                      .end_source = source_len - trailing});
  }
  runner.BeginEncode(EncodePass::kMain, encode);
  while (!runner.AdvanceEncode(EncodePass::kMain, /*token_layers=*/1000)) {
  }
  std::vector<float> logits(cases.size() * runner.vocab_size());
  runner.Decode(decode, absl::MakeSpan(logits));
  return attended;
}

class SourceAlignerTest : public testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<TestModel> Model(
      const std::string& name, AlignmentHeads heads,
      kernels::KvType kv_type = kernels::KvType::kF32) {
    return TestModel::Load(TestdataDir(name),
                           {.kv_type = kv_type, .alignment = std::move(heads)});
  }
  static AlignmentHeads AllHeadsOf(const std::string& name) {
    return AllHeads(ReadDescription(TestdataDir(name)).value().architecture);
  }

  std::vector<Case> Cases() const {
    std::vector<Case> cases;
    for (const json& each : cases_) {
      cases.push_back({each["source"], each["decoder"]});
    }
    return cases;
  }

  const json cases_ =
      json::parse(FileBytes(TestdataDir("source_attention.json")))[GetParam()];
};

TEST_P(SourceAlignerTest, WeightsAreThoseOfAnotherImplementation) {
  const std::unique_ptr<TestModel> model =
      Model(GetParam(), AllHeadsOf(GetParam()));
  const std::vector<Case> cases = Cases();
  RecordingObserver observer;
  model->runner->set_alignment_observer(&observer);
  Attended(*model, cases);
  int64_t num_compared = 0;
  for (size_t i = 0; i < cases.size(); ++i) {
    for (const json& head : cases_[i]["weights"]) {
      const AlignmentHead place = {head["layer"], head["head"]};
      for (size_t row = 0; row < head["rows"].size(); ++row) {
        const auto found = observer.weights().find(
            {cases[i].decoder.data(), static_cast<int32_t>(row), place});
        ASSERT_NE(found, observer.weights().end());
        const Weights expected = head["rows"][row];
        ASSERT_EQ(found->second.size(), expected.size());
        for (size_t t = 0; t < expected.size(); ++t, ++num_compared) {
          EXPECT_NEAR(found->second[t], expected[t], 2e-5)
              << place.layer << " " << place.head << " " << row << " " << t;
        }
      }
    }
  }
  EXPECT_GT(num_compared, 100);
}

// The position is that with the largest sum over the chosen heads, in the range
// of the text.
TEST_P(SourceAlignerTest, ThePositionHasTheLargestSumOfWeights) {
  const AlignmentHeads all = AllHeadsOf(GetParam());
  const std::vector<Case> cases = Cases();
  for (const size_t step : {1, 3}) {
    AlignmentHeads some;
    for (size_t i = step - 1; i < all.heads.size(); i += step) {
      some.heads.push_back(all.heads[i]);
    }
    const std::unique_ptr<TestModel> model = Model(GetParam(), some);
    RecordingObserver observer;
    model->runner->set_alignment_observer(&observer);
    const std::vector<Ids> attended =
        Attended(*model, cases, /*first=*/1, /*trailing=*/2);
    for (size_t i = 0; i < cases.size(); ++i) {
      for (int32_t row = 0; row < 6; ++row) {
        std::vector<double> sums(cases[i].source.size(), 0.0);
        for (const AlignmentHead& head : some.heads) {
          const Weights& weights =
              observer.weights().at({cases[i].decoder.data(), row, head});
          for (size_t t = 0; t < sums.size(); ++t) sums[t] += weights[t];
        }
        const double best = *std::max_element(sums.begin() + 1, sums.end() - 2);
        const int32_t position = attended[i][row];
        ASSERT_GE(position, 1);
        ASSERT_LT(position, static_cast<int32_t>(sums.size()) - 2);
        EXPECT_NEAR(sums[position], best, 1e-6);
      }
    }
  }
}

TEST_P(SourceAlignerTest, KeysInBfloat16GiveAlmostTheSameWeights) {
  const AlignmentHeads all = AllHeadsOf(GetParam());
  const std::vector<Case> cases = Cases();
  RecordingObserver exact, rounded;
  const std::unique_ptr<TestModel> model = Model(GetParam(), all);
  if (model->architecture().decoder.head_dim % 2 != 0) return;
  model->runner->set_alignment_observer(&exact);
  Attended(*model, cases);
  const std::unique_ptr<TestModel> narrow =
      Model(GetParam(), all, kernels::KvType::kBf16);
  narrow->runner->set_alignment_observer(&rounded);
  Attended(*narrow, cases);
  ASSERT_EQ(rounded.weights().size(), exact.weights().size());
  for (const auto& [key, weights] : exact.weights()) {
    const Weights& other = rounded.weights().at(key);
    for (size_t t = 0; t < weights.size(); ++t) {
      EXPECT_NEAR(other[t], weights[t], 0.05);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllFamilies, SourceAlignerTest,
                         testing::Values("t5v11-gated-untied", "umt5",
                                         "mqa-1of6", "marian-opus", "bart-cnn",
                                         "nllb-gqa", "t5gemma", "t5gemma2"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace sheaf
