// SPDX-License-Identifier: Apache-2.0

#include "bench/engine_run.h"

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "engine/engine.h"
#include "engine/kv_storage.h"
#include "engine/model/loaded_model.h"
#include "engine/model/short_head.h"
#include "engine/model/shortlist.h"
#include "engine/stats.h"
#include "engine/thread_team.h"

namespace sheaf {
namespace {

// A warm-up touches the memory that a pass uses, as earlier requests of a
// server have done. Of long sources it takes only the beginning.
constexpr int32_t kWarmUpSourceTokens = 128;
constexpr int32_t kWarmUpTokens = 2;

// Waits for the end of a request and ignores everything else.
class QuietSink : public TokenSink {
 public:
  void OnTokens(int32_t, absl::Span<const int32_t>) override {}
  void OnSegmentFinished(int32_t, std::vector<Hypothesis>) override {}
  void OnFinished(const absl::Status& status) override {
    status_ = status;
    finished_.Notify();
  }

  absl::Status Wait() {
    finished_.WaitForNotification();
    return status_;
  }

 private:
  absl::Status status_;
  absl::Notification finished_;
};

// Adds up the reports of the engine. The engine thread writes; other threads
// read after the end of the request.
struct Tally {
  void Add(const StepStats& stats) {
    encode_seconds += stats.encode_seconds;
    decode_seconds += stats.decode_seconds;
    num_generated_tokens += stats.num_generated_tokens;
    // Single sequences continue to their last token and then hold everything
    // that is reserved for them; after the last step it is free again. Beams
    // share blocks and hold less, so the figure is what they hold after a step.
    const KvBytes& kv = stats.gauges.kv;
    kv_bytes =
        std::max(kv_bytes, has_beams ? kv.self_used + kv.cross_used
                                     : kv.self_reserved + kv.cross_reserved);
    if (stats.num_decoded_sequences == num_sequences) {
      step_seconds.push_back(stats.decode_seconds);
    }
  }

  int32_t num_sequences = 0;
  bool has_beams = false;
  double encode_seconds = 0;
  double decode_seconds = 0;
  int64_t num_generated_tokens = 0;
  int64_t kv_bytes = 0;
  std::vector<double> step_seconds;  // of steps of the whole batch
};

double Median(std::vector<double> values) {
  const auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The bytes that the batch holds at its end.
int64_t KvBytesNeeded(const KvDims& dims, const EngineRunOptions& options) {
  const KvPoolShape shape = KvStorage::ShapeOf(dims);
  return options.batch * shape.block_bytes *
         (int64_t{options.beam_size} *
              shape.BlocksFor(Attention::kSelf, options.generate_tokens) +
          shape.BlocksFor(Attention::kCross, options.source_tokens));
}

// In the sources of a run with a shortlist, the token that has all targets.
constexpr int32_t kTokenWithTargets = 0;

// The tables of a shortlist of `size` tokens: a third of them are targets.
ShortlistTables SpreadTables(const Architecture& architecture, int32_t size) {
  ShortlistTables tables;
  std::vector<int32_t>& common = tables.common;
  for (int64_t i = 0; i < size; ++i) {
    const auto id = static_cast<int32_t>(i * architecture.vocab_size / size);
    (i % 3 == 2 ? tables.targets : common).push_back(id);
  }
  for (int32_t id : architecture.tokens.eos_ids) {
    const auto place = std::lower_bound(common.begin(), common.end(), id);
    if (place == common.end() || *place != id) common.insert(place, id);
  }
  tables.offsets.assign(architecture.source_vocab_size + 1,
                        static_cast<int32_t>(tables.targets.size()));
  tables.offsets.front() = 0;
  return tables;
}

// Adds the shortlist that `options` asks for.
absl::Status AddShortlist(const EngineRunOptions& options,
                          ModelOptions& model_options) {
  if (options.shortlist_size == 0) return absl::OkStatus();
  const Architecture& architecture = options.description.architecture;
  if (options.shortlist_size > architecture.vocab_size) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "shortlist_size is %d; the model's vocabulary allows 0..%d",
        options.shortlist_size, architecture.vocab_size));
  }
  absl::StatusOr<Shortlist> shortlist =
      Shortlist::Make("shortlist",
                      {.source_size = architecture.source_vocab_size,
                       .size = architecture.vocab_size},
                      SpreadTables(architecture, options.shortlist_size));
  if (!shortlist.ok()) return shortlist.status();
  model_options.shortlist =
      std::make_shared<const Shortlist>(*std::move(shortlist));
  return absl::OkStatus();
}

// The weights that a step of the batch reads.
int64_t DecodeWeightBytes(const Weights& weights, const Shortlist* shortlist,
                          int32_t batch) {
  if (shortlist == nullptr) return weights.decode_bytes();
  const auto num_own =
      static_cast<int64_t>(shortlist->TargetsOf(kTokenWithTargets).size());
  if (num_own > ShortHead::kMaxOwnTokens) return weights.decode_bytes();
  return weights.decode_bytes() - weights.head.bytes() +
         weights.head.BytesOf(static_cast<int64_t>(shortlist->common().size()) +
                              batch * num_own);
}

// The work of one run; the warm-up is shorter.
struct Load {
  int32_t batch, source_tokens, generate_tokens;
};

Request RandomRequest(const EngineRunOptions& options, const Load& load,
                      TokenSink& sink) {
  Request request;
  request.start_tokens = {options.description.architecture.tokens.start_id};
  std::mt19937 random(1);
  for (int32_t i = 0; i < load.batch; ++i) {
    std::vector<int32_t> source;
    for (int32_t j = 0; j < load.source_tokens; ++j) {
      source.push_back(static_cast<int32_t>(
          random() % static_cast<uint32_t>(
                         options.description.architecture.source_vocab_size)));
    }
    if (options.shortlist_size > 0) source.front() = kTokenWithTargets;
    request.segments.push_back(source);
  }
  request.sampling.max_new_tokens = load.generate_tokens;
  request.sampling.min_new_tokens = load.generate_tokens;
  request.sampling.beam_size = options.beam_size;
  request.wants_alignment = options.wants_alignment;
  request.sink = &sink;
  return request;
}

absl::Status RunRequest(Engine& engine, const EngineRunOptions& options,
                        const Load& load) {
  QuietSink sink;
  const absl::StatusOr<RequestHandle> request =
      engine.Submit(/*lane=*/0, RandomRequest(options, load, sink));
  if (!request.ok()) return request.status();
  const absl::Status status = sink.Wait();
  engine.WaitUntilIdle(absl::InfiniteDuration());
  return status;
}

int64_t PeakRssBytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace

absl::StatusOr<EngineRunResult> RunEngine(const EngineRunOptions& options) {
  const kernels::Kernels& kernels = kernels::KernelsFor(options.isa);
  ThreadTeam team(options.num_threads);
  const int64_t kv_bytes_needed = KvBytesNeeded(
      KvDimsOf(options.description.architecture, options.kv_type), options);
  if (options.kv_cache_bytes > 0 && options.kv_cache_bytes < kv_bytes_needed) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "kv_cache_bytes is %d; this batch needs %d, or 0 for that",
        options.kv_cache_bytes, kv_bytes_needed));
  }
  ModelOptions model_options = {.weight_type = options.weight_type,
                                .kv_type = options.kv_type,
                                .kv_cache_bytes = options.kv_cache_bytes > 0
                                                      ? options.kv_cache_bytes
                                                      : kv_bytes_needed};
  model_options.sizes.max_sequences = options.batch * options.beam_size;
  model_options.sizes.max_encode_tokens = options.batch * options.source_tokens;
  model_options.sizes.max_source_tokens = options.source_tokens;
  model_options.sizes.max_new_tokens = options.generate_tokens;
  absl::Status status = AddShortlist(options, model_options);
  if (!status.ok()) return status;
  const absl::StatusOr<std::unique_ptr<LoadedModel>> model = LoadedModel::Load(
      options.description, *options.weights, team, kernels, model_options);
  if (!model.ok()) return model.status();

  Tally tally;
  Engine engine(
      EngineOptions(), team, kernels,
      {{.runner = &(*model)->runner(),
        .kv_shape = (*model)->storage().shape(),
        .on_step = [&](const StepStats& stats) { tally.Add(stats); }}});
  status = RunRequest(
      engine, options,
      {.batch = options.batch,
       .source_tokens = std::min(options.source_tokens, kWarmUpSourceTokens),
       .generate_tokens = std::min(options.generate_tokens, kWarmUpTokens)});
  if (!status.ok()) return status;
  tally = Tally();
  tally.num_sequences = model_options.sizes.max_sequences;
  tally.has_beams = options.beam_size > 1;
  tally.step_seconds.reserve(options.generate_tokens);
  status = RunRequest(
      engine, options,
      {options.batch, options.source_tokens, options.generate_tokens});
  if (!status.ok()) return status;

  EngineRunResult result;
  result.encode_seconds = tally.encode_seconds;
  if (tally.step_seconds.empty()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "beams part after the first token: with beam_size %d, generate more "
        "than %d",
        options.beam_size, options.generate_tokens));
  }
  result.step_seconds = Median(tally.step_seconds);
  result.tokens_per_second = static_cast<double>(tally.num_generated_tokens) /
                             (tally.encode_seconds + tally.decode_seconds);
  result.kv_bytes = tally.kv_bytes;
  result.weight_bytes = (*model)->weights().bytes();
  result.decode_weight_bytes = DecodeWeightBytes(
      (*model)->weights(), model_options.shortlist.get(), options.batch);
  result.peak_rss_bytes = PeakRssBytes();
  return result;
}

}  // namespace sheaf
