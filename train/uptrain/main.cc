// SPDX-License-Identifier: Apache-2.0

// sheaf-train: trains a T5 model with grouped attention, on libtorch.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/version.h"
#include "train/uptrain/trainer.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace sheaf {
namespace {

enum ExitCode { kTrained = 0, kFailed = 1, kWrongFlags = 2 };

// A flag: its help, and a function that sets its value. Returns whether the
// value is allowed.
struct Flag {
  const char* name;
  const char* help;
  std::function<bool(const std::string&)> set;
};

bool ParseNumber(const std::string& text, double& value) {
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0';
}

Flag Text(const char* name, std::string& value, const char* help) {
  return {name, help, [&value](const std::string& text) {
            value = text;
            return !text.empty();
          }};
}

template <typename Enum, size_t N>
Flag Choice(const char* name, Enum& value, const EnumNames<Enum, N>& names,
            const char* help) {
  return {name, help, [&value, &names](const std::string& text) {
            const std::optional<Enum> parsed = names.Parse(text);
            if (parsed.has_value()) value = *parsed;
            return parsed.has_value();
          }};
}

Flag Real(const char* name, double& value, double least, double most,
          const char* help) {
  return {name, help, [&value, least, most](const std::string& text) {
            return ParseNumber(text, value) && value >= least && value <= most;
          }};
}

template <typename T>
Flag Integer(const char* name, T& value, T least, const char* help) {
  return {name, help, [&value, least](const std::string& text) {
            char* end = nullptr;
            value = static_cast<T>(std::strtoll(text.c_str(), &end, 10));
            return !text.empty() && *end == '\0' && value >= least;
          }};
}

// "a.tok,b.tok:2.5": files with weights.
Flag Files(const char* name, std::vector<std::string>& files,
           std::vector<double>* weights, const char* help) {
  return {name, help, [&files, weights](const std::string& text) {
            for (size_t at = 0; at < text.size();) {
              const size_t end = std::min(text.find(',', at), text.size());
              std::string file = text.substr(at, end - at);
              at = end + 1;
              double weight = 1;
              const size_t colon = file.rfind(':');
              if (weights != nullptr && colon != std::string::npos) {
                if (!ParseNumber(file.substr(colon + 1), weight)) return false;
                file.resize(colon);
              }
              if (file.empty() || weight < 0 || weight > 1000) return false;
              files.push_back(file);
              if (weights != nullptr) weights->push_back(weight);
            }
            return !files.empty();
          }};
}

std::vector<Flag> FlagsOf(TrainOptions& o) {
  return {
      Text("model", o.model,
           "directory with config.json (and a tokenizer, which is copied)"),
      Text("output", o.output,
           "directory to write; a run continues from the state in it"),
      Choice("init", o.init, kInitialWeights,
             "initial weights: checkpoint (those of --model) or random"),
      Files("train", o.train, &o.weights,
            "token files, FILE[:TIMES PER EPOCH],..."),
      Files("dev", o.dev, nullptr, "token files, FILE,..."),
      Integer<int64_t>("steps", o.steps, 1, "number of steps"),
      Real("minutes", o.minutes, 0, 1e6,
           "minutes, instead of steps; the learning rate follows the clock"),
      Integer<int64_t>("batch_tokens", o.batch_tokens, 16,
                       "tokens of a batch, source and target with padding "
                       "(4096)"),
      Integer<int64_t>("accumulate", o.accumulate, 1,
                       "batches per step, each on its own thread (1)"),
      Choice("optimizer", o.optimizer, kMatrixOptimizers,
             "optimizer of the matrices: adamw or muon (adamw)"),
      Real("rate", o.rate, 0, 1, "highest learning rate (1e-3)"),
      Real("embedding_rate", o.embedding_rate, 0, 1000,
           "factor of the embedding's learning rate (8)"),
      Real("warmup", o.warmup, 0, 1,
           "share of the training in which the rate rises (0.03)"),
      Real("weight_decay", o.weight_decay, 0, 1,
           "weight decay of the matrices (0.01)"),
      Real("beta2", o.beta2, 0, 1, "Adam's beta2 (0.98)"),
      Real("clip", o.clip, 0, 1e9, "maximum norm of the gradient (1)"),
      Real("ema", o.ema, 0, 1, "decay of the weights' average (0.999)"),
      Real("label_smoothing", o.label_smoothing, 0, 1, "label smoothing (0.1)"),
      Real("dropout", o.dropout, 0, 0.9, "dropout (0.1)"),
      Real("guide", o.guide, 0, 100,
           "weight of guided attention at the start (0.3)"),
      Real("guide_until", o.guide_until, 1e-9, 1,
           "share of the training after which that weight is 0 (0.6)"),
      Real("short_first", o.short_first, 0, 1,
           "share of the training that starts with short pairs (0)"),
      Integer<int64_t>("log_every", o.log_every, 1,
                       "steps between lines of the log (20)"),
      Integer<int64_t>("eval_every", o.eval_every, 0,
                       "steps between evaluations; 0: only at the end (500)"),
      Integer<int64_t>("save_every", o.save_every, 0,
                       "steps between saves; 0: only at the end (500)"),
      Integer<int64_t>("dev_pairs", o.dev_pairs, 1,
                       "pairs for the dev loss (500)"),
      Integer<int64_t>("dev_decode", o.dev_decode, 0,
                       "number of those to decode for token BLEU (64)"),
      Integer<int64_t>("dev_decode_tokens", o.dev_decode_tokens, 1,
                       "maximum number of tokens in such an output (64)"),
      Choice("precision", o.precision, kFloatTypes,
             "type of the products: f32 or bf16"),
      Choice("store", o.store, kFloatTypes,
             "type of the stored models: f32 or bf16"),
      Choice("device", o.device, kDeviceKinds, "device: auto, cpu or cuda"),
      Integer<int64_t>("threads", o.threads, 0,
                       "number of threads; 0: libtorch's choice"),
      Integer<uint64_t>("seed", o.seed, 0, "random seed (1)"),
  };
}

ExitCode PrintError(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "sheaf-train: %s\n", message.c_str());
  return code;
}

void PrintHelp(const std::vector<Flag>& flags) {
  std::puts("Trains a T5 model on token files of sheaf-tokenize.\n");
  for (const Flag& flag : flags) {
    std::printf("  --%-18s %s\n", flag.name, flag.help);
  }
}

// Sets the flag that `arg`, "--NAME=VALUE", names.
Result<void> SetFlag(const std::vector<Flag>& flags, const std::string& arg) {
  const size_t equals = arg.find('=');
  for (const Flag& flag : flags) {
    if (arg.substr(0, equals) != std::string("--") + flag.name) continue;
    if (equals == std::string::npos || !flag.set(arg.substr(equals + 1))) {
      return Error{arg + " is not allowed; it takes " + flag.help};
    }
    return {};
  }
  return Error{"there is no flag " + arg.substr(0, equals)};
}

Result<void> Check(const TrainOptions& options) {
  if (options.model.empty() || options.output.empty() ||
      options.train.empty()) {
    return Error{"--model, --output and --train must be given"};
  }
  if ((options.steps > 0) == (options.minutes > 0)) {
    return Error{"one of --steps and --minutes must be given"};
  }
  return {};
}

ExitCode Main(const std::vector<std::string>& args) {
  TrainOptions options;
  const std::vector<Flag> flags = FlagsOf(options);
  for (const std::string& arg : args) {
    if (arg == "--help") {
      PrintHelp(flags);
      return kTrained;
    }
    if (arg == "--version") {
      std::printf("sheaf-train %s (commit %s, %s)\n", Version(), Commit(),
                  Compiler());
      return kTrained;
    }
    const Result<void> set = SetFlag(flags, arg);
    if (!set.ok()) return PrintError(kWrongFlags, set.error().message);
  }
  const Result<void> checked = Check(options);
  if (!checked.ok()) return PrintError(kWrongFlags, checked.error().message);
  const Result<void> trained = Train(options);
  if (trained.ok()) return kTrained;
  return PrintError(kFailed, trained.error().message);
}

// Keeps freed memory in the process. Every step frees and allocates the tensors
// of a batch, and clearing new memory takes a fifth of a step on CPUs.
void KeepMemory() {
#if defined(__GLIBC__)
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

}  // namespace
}  // namespace sheaf

int main(int argc, char** argv) {
  sheaf::KeepMemory();
  return sheaf::Main(std::vector<std::string>(argv + 1, argv + argc));
}
