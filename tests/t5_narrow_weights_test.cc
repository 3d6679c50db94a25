// bf16 and int8 weights, and a bf16 KV cache, against f32 on real weights: how
// far the logits move, and that the answers still do not depend on the batch.

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/recording_sink.h"
#include "tests/t5_test_model.h"

namespace sheaf {
namespace {

using kernels::KvType;

struct Types {
  WeightType weights;
  KvType kv;
};

std::string Name(const Types& types) {
  return absl::StrCat(WeightTypeName(types.weights), "_", KvTypeName(types.kv));
}

std::unique_ptr<T5TestModel> Model(const Types& types) {
  return T5TestModel::Load(
      SHEAF_MODELS_DIR "/sheaf-small",
      {.type = types.weights, .kv_type = types.kv, .kv_bytes = 64 << 20});
}

std::vector<int32_t> RandomSource(int seed, int len) {
  std::mt19937 rng(seed);
  std::vector<int32_t> source;
  for (int i = 0; i < len; ++i) {
    source.push_back(3 + static_cast<int32_t>(rng() % 7000));
  }
  source.push_back(1);
  return source;
}

// The logits after each of `tokens`, [tokens, vocab].
std::vector<float> Logits(T5TestModel& model,
                          const std::vector<int32_t>& source,
                          const std::vector<int32_t>& tokens) {
  KvBlockPool pool(model.storage->shape());
  BlockTable cross(pool, Attention::kCross), self(pool, Attention::kSelf);
  EXPECT_TRUE(cross.GrowTo(static_cast<int32_t>(source.size())));
  EXPECT_TRUE(self.GrowTo(static_cast<int32_t>(tokens.size())));
  const EncodeEntry encode = {source, cross.ids()};
  model.runner->BeginEncode(EncodePass::kMain, {&encode, 1});
  while (!model.runner->AdvanceEncode(EncodePass::kMain, 1)) {
  }
  const size_t vocab = model.runner->vocab_size();
  std::vector<float> logits(tokens.size() * vocab);
  for (size_t t = 0; t < tokens.size(); ++t) {
    const DecodeEntry decode = {
        absl::MakeConstSpan(tokens).subspan(t, 1), static_cast<int32_t>(t),
        self.ids(), cross.ids(), static_cast<int32_t>(source.size())};
    model.runner->Decode({&decode, 1},
                         absl::MakeSpan(logits).subspan(t * vocab, vocab));
  }
  return logits;
}

// Root of the mean square of the difference, over that of the f32 logits about
// their mean. The embedded model is stored in bfloat16, so bf16 loses nothing
// where the processor widens it, and little where it rounds the activations.
// Random tokens are harder than text: what int8 costs that is BLEU's to say.
TEST(T5NarrowWeightsTest, LogitsStayNearThoseInF32) {
  auto f32 = Model({WeightType::kF32, KvType::kF32});
  const double bf16_limit = f32->kernels->has_bf16_products ? 0.02 : 1e-5;
  for (const auto& [types, limit] :
       {std::pair{Types{WeightType::kBf16, KvType::kF32}, bf16_limit},
        std::pair{Types{WeightType::kInt8, KvType::kF32}, 0.15},
        std::pair{Types{WeightType::kF32, KvType::kBf16}, 0.02}}) {
    auto narrow = Model(types);
    if (types.weights != WeightType::kF32) {
      EXPECT_LT(narrow->weights.bytes(), f32->weights.bytes() * 0.6);
    }
    if (types.kv != KvType::kF32) {
      EXPECT_EQ(2 * narrow->storage->bytes_per_token(Attention::kCross),
                f32->storage->bytes_per_token(Attention::kCross));
    }
    double difference = 0, mean = 0, square = 0;
    size_t n = 0;
    for (int seed = 0; seed < 4; ++seed) {
      const auto source = RandomSource(seed, 25);
      const std::vector<int32_t> tokens = {0, 300 + seed, 4000, 12, 77};
      const auto expected = Logits(*f32, source, tokens);
      const auto actual = Logits(*narrow, source, tokens);
      for (size_t i = 0; i < expected.size(); ++i) {
        difference += std::pow(actual[i] - expected[i], 2);
        mean += expected[i];
        square += std::pow(expected[i], 2);
      }
      n += expected.size();
    }
    mean /= static_cast<double>(n);
    const double spread = square / static_cast<double>(n) - mean * mean;
    const double relative =
        std::sqrt(difference / static_cast<double>(n) / spread);
    RecordProperty(Name(types), std::to_string(relative));
    EXPECT_LT(relative, limit) << Name(types);
  }
}

TEST(T5NarrowWeightsTest, TheBatchChangesNothing) {
  for (const Types& types : {Types{WeightType::kBf16, KvType::kF32},
                             Types{WeightType::kInt8, KvType::kBf16}}) {
    SCOPED_TRACE(Name(types));
    auto model = Model(types);
    Engine engine({}, model->storage->shape(), *model->runner, model->team,
                  *model->kernels);
    const auto submit = [&](int i, RecordingSink& sink) {
      Request request;
      request.segments.push_back(RandomSource(i, 3 + i));
      request.sampling.max_new_tokens = 20;
      request.sink = &sink;
      ASSERT_TRUE(engine.Submit(std::move(request)).ok());
    };
    std::vector<std::unique_ptr<RecordingSink>> alone, together;
    for (int i = 0; i < 12; ++i) {
      alone.push_back(std::make_unique<RecordingSink>());
      submit(i, *alone.back());
      ASSERT_TRUE(alone.back()->Wait().ok());
    }
    for (int i = 0; i < 12; ++i) {
      together.push_back(std::make_unique<RecordingSink>());
      submit(i, *together.back());
    }
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(together[i]->Wait().ok());
      EXPECT_EQ(together[i]->tokens(), alone[i]->tokens());
      EXPECT_EQ(together[i]->hypotheses()[0].score,
                alone[i]->hypotheses()[0].score);
    }
  }
}

}  // namespace
}  // namespace sheaf
