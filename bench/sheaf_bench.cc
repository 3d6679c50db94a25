// SPDX-License-Identifier: Apache-2.0

// sheaf-bench: the engine alone, without server and text, on random tokens.
//
// Prints one line of JSON: the times of the encoder and of a decode step, and
// the floor. The floor is the time that a step would take if it only read its
// bytes, or only did its arithmetic, at the best rate that this machine reaches
// in the same run.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/program.h"
#include "base/start_guard.h"
#include "bench/engine_run.h"
#include "bench/random_weights.h"
#include "bench/roofline.h"
#include "bench/shapes.h"
#include "engine/isa_choice.h"
#include "engine/kernels/isa.h"
#include "engine/kv_storage.h"
#include "engine/model/checkpoint.h"
#include "engine/model/description.h"
#include "engine/model/shortlist.h"
#include "engine/model/tensor_match.h"
#include "engine/model/weights.h"
#include "engine/request.h"
#include "engine/thread_team.h"
#include "nlohmann/json.hpp"

ABSL_FLAG(std::string, shape, "t5-base",
          absl::StrCat("Model with random weights: ", sheaf::ShapeNames(),
                       "."));
ABSL_FLAG(
    std::string, model, "",
    "Model directory, which replaces --shape and has weights of its own.");
ABSL_FLAG(int32_t, kv_heads, 0,
          "Number of KV heads of decoder self- and cross-attention. 0: all "
          "heads, or those of --model.");
ABSL_FLAG(int32_t, cross_kv_heads, 0,
          "Number of KV heads of cross-attention. 0: as --kv_heads.");
ABSL_FLAG(std::string, weight_type, "f32",
          "Type of the weights: f32, bf16, int8 or int4.");
ABSL_FLAG(std::string, kv_type, "f32", "Type of the KV cache: f32 or bf16.");
ABSL_FLAG(int32_t, batch, 8, "Number of sources that decode together.");
ABSL_FLAG(int32_t, source, 512, "Number of tokens in each source.");
ABSL_FLAG(int32_t, generate, 64,
          "Number of tokens that each sequence generates.");
ABSL_FLAG(int32_t, shortlist_size, 0,
          "Number of tokens that an output may have, as with a vocabulary "
          "shortlist. 0: all.");
ABSL_FLAG(bool, alignments, false,
          "Finds the source position of every token of an output.");
ABSL_FLAG(int32_t, beam_size, 1, "Number of beams of each source, up to 16.");
ABSL_FLAG(int32_t, threads, 0,
          "Number of threads that compute. 0: the number of processors that "
          "the process may use.");
ABSL_FLAG(std::string, isa, "auto",
          "Highest instruction set to use: auto|portable|avx2|avx512|amx.");
ABSL_FLAG(int64_t, kv_cache_bytes, 0,
          "Memory of the KV cache. 0: the memory that the run needs.");

namespace sheaf {
namespace {

constexpr char kProgram[] = "sheaf-bench";
constexpr int32_t kMaxBatch = 4096;
constexpr int32_t kMaxTokens = 1 << 16;        // of a source, or generated
constexpr int64_t kMaxEncodeTokens = 1 << 20;  // of all sources
constexpr int32_t kMaxThreads = 1024;

absl::Status CheckRange(absl::string_view flag, int64_t value, int64_t min,
                        int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is %d; it may be %d to %d", flag, value, min, max));
}

absl::Status CheckNumbers() {
  const int64_t batch = absl::GetFlag(FLAGS_batch);
  const int64_t source = absl::GetFlag(FLAGS_source);
  for (const absl::Status& status :
       {CheckRange("batch", batch, 1, kMaxBatch),
        CheckRange("source", source, 1, kMaxTokens),
        CheckRange("generate", absl::GetFlag(FLAGS_generate), 1, kMaxTokens),
        CheckRange("beam_size", absl::GetFlag(FLAGS_beam_size), 1,
                   kMaxBeamSize),
        CheckRange("threads", absl::GetFlag(FLAGS_threads), 0, kMaxThreads),
        CheckRange("shortlist_size", absl::GetFlag(FLAGS_shortlist_size), 0,
                   Shortlist::kMaxVocabulary),
        CheckRange("kv_cache_bytes", absl::GetFlag(FLAGS_kv_cache_bytes), 0,
                   int64_t{1} << 50)}) {
    if (!status.ok()) return status;
  }
  if (batch * source > kMaxEncodeTokens) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--batch times --source is %d; it may be up to %d",
                        batch * source, kMaxEncodeTokens));
  }
  const std::string weight_type = absl::GetFlag(FLAGS_weight_type);
  if (!ParseWeightType(weight_type).has_value()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--weight_type is \"%s\"; it may be f32, bf16, int8 or int4",
        weight_type));
  }
  const std::string kv_type = absl::GetFlag(FLAGS_kv_type);
  if (!ParseKvType(kv_type).has_value()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--kv_type is \"%s\"; it may be f32 or bf16", kv_type));
  }
  return absl::OkStatus();
}

// Sets the KV heads of one attention to the flag's value, unless that is 0.
absl::Status SetKvHeads(absl::string_view flag, int32_t asked,
                        int32_t num_heads, bool has_weights,
                        int32_t& num_kv_heads) {
  if (asked == 0) return absl::OkStatus();
  if (asked < 0 || num_heads % asked != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--%s is %d; it may be 0 or a divisor of the model's "
                        "%d heads",
                        flag, asked, num_heads));
  }
  if (has_weights && asked != num_kv_heads) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--%s is %d; the weights of --model have %d: convert them, or give "
        "--shape",
        flag, asked, num_kv_heads));
  }
  num_kv_heads = asked;
  return absl::OkStatus();
}

// The model to run, and where its weights come from.
struct Model {
  std::string name;
  ModelDescription description;
  std::unique_ptr<WeightSource> weights;
};

absl::StatusOr<Model> MakeModel() {
  const std::string dir = absl::GetFlag(FLAGS_model);
  Model model;
  model.name = dir.empty() ? absl::GetFlag(FLAGS_shape) : dir;
  absl::StatusOr<ModelDescription> description =
      dir.empty() ? DescribeShape(model.name) : ReadDescription(dir);
  if (!description.ok()) return description.status();
  model.description = *std::move(description);
  Architecture& architecture = model.description.architecture;
  const int32_t num_heads = architecture.decoder.num_heads;
  const int32_t kv_heads = absl::GetFlag(FLAGS_kv_heads);
  const int32_t cross_kv_heads = absl::GetFlag(FLAGS_cross_kv_heads);
  for (const absl::Status& status :
       {SetKvHeads("kv_heads", kv_heads, num_heads, !dir.empty(),
                   architecture.decoder.num_kv_heads),
        SetKvHeads(cross_kv_heads == 0 ? "kv_heads" : "cross_kv_heads",
                   cross_kv_heads == 0 ? kv_heads : cross_kv_heads, num_heads,
                   !dir.empty(), architecture.num_cross_kv_heads)}) {
    if (!status.ok()) return status;
  }
  if (const int32_t max = architecture.max_positions; max > 0) {
    for (const absl::Status& status :
         {CheckRange("source", absl::GetFlag(FLAGS_source), 1, max),
          CheckRange("generate", absl::GetFlag(FLAGS_generate), 1, max)}) {
      if (!status.ok()) return status;
    }
  }
  if (!dir.empty()) {
    absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(dir);
    if (!checkpoint.ok()) return checkpoint.status();
    absl::Status matched = MatchTensors(*checkpoint, model.description);
    if (!matched.ok()) return matched;
    model.weights = std::make_unique<Checkpoint>(*std::move(checkpoint));
  }
  const WeightType weight_type =
      ParseWeightType(absl::GetFlag(FLAGS_weight_type)).value();
  const int64_t weight_bytes = LeastWeightBytes(architecture, weight_type);
  const int64_t memory_bytes =
      int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  if (weight_bytes > memory_bytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s takes %d bytes of %s weights; this machine has %d bytes of memory",
        model.name, weight_bytes, WeightTypeName(weight_type), memory_bytes));
  }
  if (dir.empty()) {
    model.weights = std::make_unique<RandomWeights>(model.description);
    absl::Status matched = MatchTensors(*model.weights, model.description);
    if (!matched.ok()) return matched;
  }
  return model;
}

// The object that is printed.
nlohmann::ordered_json Figures(const Model& model,
                               const EngineRunOptions& options,
                               const EngineRunResult& result,
                               const Roofline& roofline) {
  const Architecture& architecture = model.description.architecture;
  // The median step finds about half of the tokens in the cache.
  const StepWork work = WorkOfStep(
      architecture,
      {.batch = options.batch,
       .beam_size = options.beam_size,
       .self_tokens = (options.generate_tokens + 1) / 2,
       .cross_tokens = options.source_tokens,
       .kv_element_bytes = options.kv_type == kernels::KvType::kBf16 ? 2 : 4});
  const int64_t step_bytes = result.decode_weight_bytes + work.kv_bytes;
  const double floor_seconds = std::max(
      static_cast<double>(step_bytes) / roofline.read_bytes_per_second,
      static_cast<double>(work.flops) / roofline.gemm_flops_per_second);
  return {
      {"shape", model.name},
      {"isa", std::string(kernels::IsaName(options.isa))},
      {"threads", options.num_threads},
      {"weight_type", std::string(WeightTypeName(options.weight_type))},
      {"kv_type", std::string(KvTypeName(options.kv_type))},
      {"batch", options.batch},
      {"source", options.source_tokens},
      {"generate", options.generate_tokens},
      {"kv_heads", architecture.decoder.num_kv_heads},
      {"cross_kv_heads", architecture.num_cross_kv_heads},
      {"beam_size", options.beam_size},
      {"shortlist_size", options.shortlist_size},
      {"alignments", options.wants_alignment},
      {"encode_seconds", result.encode_seconds},
      {"step_seconds", result.step_seconds},
      {"tokens_per_second", result.tokens_per_second},
      {"kv_bytes", result.kv_bytes},
      {"weight_bytes", result.weight_bytes},
      {"peak_rss_bytes", result.peak_rss_bytes},
      {"read_bandwidth_bytes_per_second", roofline.read_bytes_per_second},
      {"gemm_flops_per_second", roofline.gemm_flops_per_second},
      {"step_bytes", step_bytes},
      {"step_flops", work.flops},
      {"floor_seconds", floor_seconds},
      {"floor_ratio", result.step_seconds / floor_seconds},
  };
}

ExitCode Main(const std::vector<std::string>& args) {
  const ProgramInfo program = {
      kProgram,
      "Measures the engine alone, without server and text, on random tokens.\n"
      "Prints one line of JSON.\n\n"
      "  sheaf-bench --shape=t5-base --batch=8 --source=512\n",
      "bench/sheaf_bench.cc"};
  if (const auto end = ReadCommandLine(program, args)) return *end;
  const StartGuard guard(
      kProgram, "the model, its KV cache and activations take it", kExitFailed);
  if (absl::Status status = CheckNumbers(); !status.ok()) {
    return PrintError(kProgram, kExitWrongFlags, status);
  }
  const absl::StatusOr<IsaChoice> isa = ChooseIsa(absl::GetFlag(FLAGS_isa));
  if (!isa.ok()) return PrintError(kProgram, kExitWrongFlags, isa.status());
  if (!isa->warning.empty()) {
    std::fprintf(stderr, "%s: warning: %s\n", kProgram, isa->warning.c_str());
  }
  const absl::StatusOr<Model> model = MakeModel();
  if (!model.ok()) return PrintError(kProgram, kExitWrongFlags, model.status());

  EngineRunOptions options;
  options.description = model->description;
  options.weights = model->weights.get();
  options.weight_type =
      ParseWeightType(absl::GetFlag(FLAGS_weight_type)).value();
  options.kv_type = ParseKvType(absl::GetFlag(FLAGS_kv_type)).value();
  options.isa = isa->isa;
  options.num_threads = absl::GetFlag(FLAGS_threads) > 0
                            ? absl::GetFlag(FLAGS_threads)
                            : NumUsableProcessors();
  options.batch = absl::GetFlag(FLAGS_batch);
  options.beam_size = absl::GetFlag(FLAGS_beam_size);
  options.source_tokens = absl::GetFlag(FLAGS_source);
  options.generate_tokens = absl::GetFlag(FLAGS_generate);
  options.kv_cache_bytes = absl::GetFlag(FLAGS_kv_cache_bytes);
  options.shortlist_size = absl::GetFlag(FLAGS_shortlist_size);
  options.wants_alignment = absl::GetFlag(FLAGS_alignments);
  const absl::StatusOr<EngineRunResult> result = RunEngine(options);
  if (!result.ok()) {
    return PrintError(kProgram,
                      absl::IsInvalidArgument(result.status()) ? kExitWrongFlags
                                                               : kExitFailed,
                      result.status());
  }
  // Measured after the run, whose memory is free again, so that the peak is the
  // run's own. The roofline is that of the whole machine, even if the run had
  // fewer threads.
  ThreadTeam team(NumUsableProcessors());
  const absl::StatusOr<Roofline> roofline =
      MeasureRoofline(team, options.weight_type, options.isa);
  if (!roofline.ok())
    return PrintError(kProgram, kExitFailed, roofline.status());
  std::printf("%s\n",
              Figures(*model, options, *result, *roofline).dump().c_str());
  const absl::Status written = FlushStdout();
  return written.ok() ? kExitDone : PrintError(kProgram, kExitFailed, written);
}

}  // namespace
}  // namespace sheaf

int main(int argc, char** argv) {
  return sheaf::Main(std::vector<std::string>(argv + 1, argv + argc));
}
