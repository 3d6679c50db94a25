#include "bench/engine_run.h"

#include <sys/resource.h>

#include <algorithm>
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
#include "engine/model/runner.h"
#include "engine/model/weights.h"
#include "engine/stats.h"
#include "engine/thread_team.h"

namespace sheaf {
namespace {

constexpr int32_t kWarmUpSourceTokens = 16;
constexpr int32_t kWarmUpTokens = 2;

// Waits for a request's end and lets all else go by.
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

// Adds up what the engine reports. The engine thread writes; others read once
// the request has ended.
struct Tally {
  void Add(const StepStats& stats) {
    encode_seconds += stats.encode_seconds;
    decode_seconds += stats.decode_seconds;
    num_generated_tokens += stats.num_generated_tokens;
    // Sequences of their own go on to their last token, and come to hold all
    // that is reserved for them; after the last step it is free again. Beams
    // hold less, as they share: what they hold after a step is the figure.
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

// What the batch comes to hold.
int64_t KvBytesNeeded(const KvDims& dims, const EngineRunOptions& options) {
  const KvPoolShape shape = KvStorage::ShapeOf(dims);
  return options.batch * shape.block_bytes *
         (int64_t{options.beam_size} *
              shape.BlocksFor(Attention::kSelf, options.generate_tokens) +
          shape.BlocksFor(Attention::kCross, options.source_tokens));
}

// What is run at a time; the warm-up is smaller.
struct Load {
  int32_t batch, source_tokens, generate_tokens;
};

Request RandomRequest(const EngineRunOptions& options, const Load& load,
                      TokenSink& sink) {
  Request request;
  std::mt19937 random(1);
  for (int32_t i = 0; i < load.batch; ++i) {
    std::vector<int32_t> source;
    for (int32_t j = 0; j < load.source_tokens; ++j) {
      source.push_back(static_cast<int32_t>(
          random() % static_cast<uint32_t>(options.config.vocab_size)));
    }
    request.segments.push_back(source);
  }
  request.sampling.max_new_tokens = load.generate_tokens;
  request.sampling.min_new_tokens = load.generate_tokens;
  request.sampling.beam_size = options.beam_size;
  request.sink = &sink;
  return request;
}

absl::Status RunRequest(Engine& engine, const EngineRunOptions& options,
                        const Load& load) {
  QuietSink sink;
  const absl::StatusOr<RequestId> id =
      engine.Submit(RandomRequest(options, load, sink));
  if (!id.ok()) return id.status();
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
  const KvDims dims = KvDimsOf(options.config, options.kv_type);
  const int64_t kv_bytes_needed = KvBytesNeeded(dims, options);
  if (options.kv_cache_bytes > 0 && options.kv_cache_bytes < kv_bytes_needed) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "kv_cache_bytes is %d; this batch needs %d, or 0 for that",
        options.kv_cache_bytes, kv_bytes_needed));
  }
  const absl::StatusOr<Weights> weights =
      Weights::Load(options.config, *options.weights,
                    {.kernels = &kernels,
                     .num_slices = team.size(),
                     .type = options.weight_type});
  if (!weights.ok()) return weights.status();
  absl::StatusOr<KvStorage> storage = KvStorage::Create(
      dims,
      options.kv_cache_bytes > 0 ? options.kv_cache_bytes : kv_bytes_needed);
  if (!storage.ok()) return storage.status();
  RunnerSizes limits;
  limits.max_sequences = options.batch * options.beam_size;
  limits.max_encode_tokens = options.batch * options.source_tokens;
  limits.max_source_tokens = options.source_tokens;
  limits.max_new_tokens = options.generate_tokens;
  TransformerRunner runner(*weights, *storage, team, kernels, limits);

  Tally tally;
  EngineOptions engine_options;
  engine_options.max_sequences = limits.max_sequences;
  engine_options.max_encode_tokens = limits.max_encode_tokens;
  engine_options.on_step = [&](const StepStats& stats) { tally.Add(stats); };
  Engine engine(std::move(engine_options), storage->shape(), runner, team,
                kernels);
  absl::Status status = RunRequest(
      engine, options,
      {.batch = 1,
       .source_tokens = std::min(options.source_tokens, kWarmUpSourceTokens),
       .generate_tokens = std::min(options.generate_tokens, kWarmUpTokens)});
  if (!status.ok()) return status;
  tally = Tally();
  tally.num_sequences = limits.max_sequences;
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
  result.weight_bytes = weights->bytes();
  result.decode_weight_bytes = weights->decode_bytes();
  result.peak_rss_bytes = PeakRssBytes();
  return result;
}

}  // namespace sheaf
