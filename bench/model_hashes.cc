// SPDX-License-Identifier: Apache-2.0

// Hashes of what models compute, so that two builds can be compared bit for bit
// (bench/compare.sh):
//   model_hashes MODEL_DIR...
//
// Every model runs in each weight type, KV type and instruction set of this
// processor, with 1 to 3 threads. Each combination gives one line: its name, a
// tab, and hashes of the encoder states, the logits of known tokens, and the
// tokens and scores of three ways of decoding. The sources are random, but the
// same in every run. A combination that the model does not allow, such as
// bfloat16 K/V of an odd head size, has the word "refused" instead.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "base/check.h"
#include "base/hash.h"
#include "engine/engine.h"
#include "engine/kv_storage.h"
#include "engine/model/checkpoint.h"
#include "engine/model/description.h"
#include "engine/model/loaded_model.h"
#include "engine/model/tensor_match.h"
#include "engine/thread_team.h"

namespace sheaf {
namespace {

using kernels::Isa;
using kernels::KvType;

// One token, less and more than a KV block, and more than a part of attention;
// less if the model's positions end before.
constexpr int32_t kSourceLengths[] = {1, 7, 33, 150, 300};
constexpr int32_t kNumSources = std::size(kSourceLengths);
constexpr int32_t kNumKnownTokens = 8;
constexpr int32_t kNewTokens = 24;
constexpr int64_t kKvBytes = 32 << 20;

// How a model runs.
struct Variant {
  WeightType weight_type;
  KvType kv_type;
  Isa isa;
  int32_t num_threads;
};

// A model, the team that computes it, and its kernels.
struct Model {
  explicit Model(const Variant& variant)
      : kernels(kernels::KernelsFor(variant.isa)), team(variant.num_threads) {}

  const kernels::Kernels& kernels;
  ThreadTeam team;
  std::unique_ptr<LoadedModel> loaded;
  int32_t start_token_id = 0;
};

absl::StatusOr<std::unique_ptr<Model>> Load(const std::string& directory,
                                            const Variant& variant) {
  auto model = std::make_unique<Model>(variant);
  absl::StatusOr<ModelDescription> description = ReadDescription(directory);
  if (!description.ok()) return description.status();
  const absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(directory);
  if (!checkpoint.ok()) return checkpoint.status();
  absl::Status matched = MatchTensors(*checkpoint, *description);
  if (!matched.ok()) return matched;
  absl::StatusOr<std::unique_ptr<LoadedModel>> loaded =
      LoadedModel::Load(*description, *checkpoint, model->team, model->kernels,
                        {.weight_type = variant.weight_type,
                         .kv_type = variant.kv_type,
                         .kv_cache_bytes = kKvBytes});
  if (!loaded.ok()) return loaded.status();
  model->loaded = *std::move(loaded);
  model->start_token_id = description->architecture.tokens.start_id;
  return model;
}

// FNV-1a over the bytes of all that is added.
class Hash {
 public:
  template <typename T>
  void Add(absl::Span<const T> values) {
    value_ = Fnv1a({reinterpret_cast<const char*>(values.data()),
                    values.size() * sizeof(T)},
                   value_);
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = kFnv1aStart;
};

std::vector<int32_t> RandomTokens(uint32_t seed, int32_t num_tokens,
                                  int32_t vocab_size) {
  std::mt19937 random(seed);
  std::vector<int32_t> tokens(num_tokens);
  for (int32_t& token : tokens) {
    token = static_cast<int32_t>(random() % static_cast<uint32_t>(vocab_size));
  }
  return tokens;
}

TokenLists Sources(const Architecture& architecture) {
  TokenLists sources;
  for (int32_t i = 0; i < kNumSources; ++i) {
    const int32_t max = architecture.max_positions;
    const int32_t len =
        max == 0 ? kSourceLengths[i] : std::min(max, kSourceLengths[i]);
    sources.push_back(RandomTokens(i, len, architecture.source_vocab_size));
  }
  return sources;
}

struct Numbers {
  Hash states, logits;
};

// Encodes all sources in one pass that is spread over many calls, and decodes
// known tokens of all of them together, first one by one, then all at once.
Numbers RunKnownTokens(Model& model) {
  TransformerRunner& runner = model.loaded->runner();
  const int32_t vocab_size = runner.vocab_size();
  const TokenLists sources = Sources(model.loaded->architecture());
  KvBlockPool pool(model.loaded->storage().shape());
  std::vector<BlockTable> cross, self;
  std::vector<EncodeEntry> encode;
  for (int32_t i = 0; i < kNumSources; ++i) {
    cross.emplace_back(pool, Attention::kCross);
    self.emplace_back(pool, Attention::kSelf);
    const int32_t len = static_cast<int32_t>(sources[i].size());
    SHEAF_CHECK(cross[i].GrowTo(len) && self[i].GrowTo(kNumKnownTokens));
    encode.push_back({sources[i], cross[i].ids()});
  }
  Numbers numbers;
  runner.BeginEncode(EncodePass::kMain, encode);
  while (!runner.AdvanceEncode(EncodePass::kMain, /*token_layers=*/1)) {
  }
  numbers.states.Add(runner.encoder_output());

  const std::vector<int32_t> known =
      RandomTokens(kNumSources, kNumKnownTokens, vocab_size);
  std::vector<float> logits(int64_t{kNumSources} * vocab_size);
  const auto decode = [&](int32_t begin, int32_t num_tokens) {
    std::vector<DecodeEntry> entries;
    for (int32_t i = 0; i < kNumSources; ++i) {
      entries.push_back({absl::MakeConstSpan(known).subspan(begin, num_tokens),
                         begin, self[i].ids(), cross[i].ids(),
                         static_cast<int32_t>(sources[i].size())});
    }
    runner.Decode(entries, absl::MakeSpan(logits));
    numbers.logits.Add(absl::MakeConstSpan(logits));
  };
  for (int32_t i = 0; i < kNumKnownTokens; ++i) decode(i, /*num_tokens=*/1);
  decode(/*begin=*/0, kNumKnownTokens);
  return numbers;
}

// Keeps the hypotheses of every segment.
class HypothesesSink : public TokenSink {
 public:
  void OnTokens(int32_t, absl::Span<const int32_t>) override {}
  void OnSegmentFinished(int32_t segment_index,
                         std::vector<Hypothesis> hypotheses) override {
    segments_[segment_index] = std::move(hypotheses);
  }
  void OnFinished(const absl::Status& status) override {
    SHEAF_CHECK(status.ok());
    finished_.Notify();
  }

  const std::vector<std::vector<Hypothesis>>& Wait() {
    finished_.WaitForNotification();
    return segments_;
  }

 private:
  std::vector<std::vector<Hypothesis>> segments_ =
      std::vector<std::vector<Hypothesis>>(kNumSources);
  absl::Notification finished_;
};

struct Decoding {
  SamplingParams sampling;
  std::vector<int32_t> start_tokens;
};

// Greedy, beams and sampling.
std::vector<Decoding> Decodings(int32_t start) {
  SamplingParams greedy;
  greedy.max_new_tokens = kNewTokens;
  greedy.min_new_tokens = kNewTokens / 2;
  SamplingParams beams = greedy;
  beams.beam_size = 4;
  beams.num_hypotheses = 4;
  beams.no_repeat_ngram_size = 2;
  SamplingParams sampled = greedy;
  sampled.temperature = 0.8f;
  sampled.top_p = 0.9f;
  sampled.seed = 1;
  return {{greedy, {start}}, {beams, {start}}, {sampled, {start, 2, 3, 4}}};
}

Hash RunEngine(Model& model) {
  Engine engine({}, model.team, model.kernels,
                {{.runner = &model.loaded->runner(),
                  .kv_shape = model.loaded->storage().shape()}});
  Hash ids;
  for (const Decoding& decoding : Decodings(model.start_token_id)) {
    HypothesesSink sink;
    Request request;
    request.segments = Sources(model.loaded->architecture());
    request.sampling = decoding.sampling;
    request.start_tokens = decoding.start_tokens;
    request.sink = &sink;
    SHEAF_CHECK(engine.Submit(/*lane=*/0, std::move(request)).ok());
    for (const std::vector<Hypothesis>& segment : sink.Wait()) {
      for (const Hypothesis& each : segment) {
        ids.Add(absl::MakeConstSpan(each.tokens));
        ids.Add(absl::MakeConstSpan(&each.score, 1));
      }
    }
  }
  return ids;
}

std::vector<Variant> Variants() {
  std::vector<Variant> variants;
  for (WeightType weight_type :
       {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
    for (KvType kv_type : {KvType::kF32, KvType::kBf16}) {
      for (Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
        if (isa > kernels::DetectIsa()) continue;
        for (int32_t num_threads : {1, 2, 3}) {
          variants.push_back({weight_type, kv_type, isa, num_threads});
        }
      }
    }
  }
  return variants;
}

std::string HashesOf(const std::string& directory, const Variant& variant) {
  const auto model = Load(directory, variant);
  if (!model.ok()) return "refused";
  const Numbers numbers = RunKnownTokens(**model);
  return absl::StrFormat("states %016x  logits %016x  ids %016x",
                         numbers.states.value(), numbers.logits.value(),
                         RunEngine(**model).value());
}

void PrintHashes(const std::string& directory) {
  const std::string name =
      (std::filesystem::path(directory) / "").parent_path().filename();
  for (const Variant& variant : Variants()) {
    absl::PrintF("%s, weights %s, KV %s, %s, threads %d\t%s\n", name,
                 WeightTypeName(variant.weight_type),
                 KvTypeName(variant.kv_type), kernels::IsaName(variant.isa),
                 variant.num_threads, HashesOf(directory, variant));
  }
}

}  // namespace
}  // namespace sheaf

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) sheaf::PrintHashes(argv[i]);
}
