// sheaf-train: trains a T5 model with grouped attention, on libtorch.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "train/uptrain/trainer.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace sheaf {
namespace {

enum ExitCode { kTrained = 0, kFailed = 1, kWrongFlags = 2 };

// One flag: its help, and what takes its value and says if it may be.
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

Flag Choice(const char* name, std::string& value,
            std::vector<std::string> allowed, const char* help) {
  return {name, help, [&value, allowed](const std::string& text) {
            value = text;
            for (const std::string& each : allowed) {
              if (text == each) return true;
            }
            return false;
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
           "directory with config.json (and a tokenizer to hand on)"),
      Text("output", o.output, "directory to write; one with a state resumes"),
      Choice("init", o.init, {"checkpoint", "random"},
             "weights to begin with: checkpoint (of --model) or random"),
      Files("train", o.train, &o.weights,
            "token files, FILE[:TIMES AN EPOCH],..."),
      Files("dev", o.dev, nullptr, "token files, FILE,..."),
      Integer<int64_t>("steps", o.steps, 1, "steps to train"),
      Real("minutes", o.minutes, 0, 1e6,
           "or minutes; the rate's schedule follows the clock"),
      Integer<int64_t>("batch_tokens", o.batch_tokens, 16,
                       "of a batch, source and target with padding (4096)"),
      Integer<int64_t>("accumulate", o.accumulate, 1,
                       "batches a step, a thread for each (1)"),
      Choice("optimizer", o.optimizer, {"adamw", "muon"},
             "of the matrices: adamw or muon (adamw)"),
      Real("rate", o.rate, 0, 1, "highest learning rate (1e-3)"),
      Real("embedding_rate", o.embedding_rate, 0, 1000,
           "times that for the embedding (8)"),
      Real("warmup", o.warmup, 0, 1,
           "share of the training it rises in (0.03)"),
      Real("weight_decay", o.weight_decay, 0, 1, "of the matrices (0.01)"),
      Real("beta2", o.beta2, 0, 1, "Adam's (0.98)"),
      Real("clip", o.clip, 0, 1e9, "longest gradient (1)"),
      Real("ema", o.ema, 0, 1, "of the average of the weights (0.999)"),
      Real("label_smoothing", o.label_smoothing, 0, 1, "(0.1)"),
      Real("dropout", o.dropout, 0, 0.9, "(0.1)"),
      Real("guide", o.guide, 0, 100,
           "weight of guided attention at the start (0.3)"),
      Real("guide_until", o.guide_until, 1e-9, 1,
           "share of the training until it is 0 (0.6)"),
      Real("short_first", o.short_first, 0, 1,
           "share of the training with short pairs first (0)"),
      Integer<int64_t>("log_every", o.log_every, 1, "steps (20)"),
      Integer<int64_t>("eval_every", o.eval_every, 0,
                       "steps, 0: at the end (500)"),
      Integer<int64_t>("save_every", o.save_every, 0,
                       "steps, 0: at the end (500)"),
      Integer<int64_t>("dev_pairs", o.dev_pairs, 1, "for dev loss (500)"),
      Integer<int64_t>("dev_decode", o.dev_decode, 0,
                       "of those, decoded for token BLEU (64)"),
      Integer<int64_t>("dev_decode_tokens", o.dev_decode_tokens, 1,
                       "longest output (64)"),
      Choice("precision", o.precision, {"f32", "bf16"},
             "of the products: f32 or bf16"),
      Choice("store", o.store, {"f32", "bf16"}, "of the models: f32 or bf16"),
      Choice("device", o.device, {"auto", "cpu", "cuda"}, "auto, cpu or cuda"),
      Integer<int64_t>("threads", o.threads, 0, "0: libtorch's choice"),
      Integer<uint64_t>("seed", o.seed, 0, "of all chance (1)"),
  };
}

int Complain(ExitCode code, const std::string& what) {
  std::fprintf(stderr, "sheaf-train: %s\n", what.c_str());
  return code;
}

int Main(const std::vector<std::string>& args) {
  TrainOptions options;
  const std::vector<Flag> flags = FlagsOf(options);
  for (const std::string& arg : args) {
    if (arg == "--help") {
      std::puts("Trains a T5 model on token files of sheaf-tokenize.\n");
      for (const Flag& flag : flags) {
        std::printf("  --%-18s %s\n", flag.name, flag.help);
      }
      return kTrained;
    }
    const size_t equals = arg.find('=');
    const Flag* found = nullptr;
    for (const Flag& flag : flags) {
      if (arg.substr(0, equals) == std::string("--") + flag.name) found = &flag;
    }
    if (found == nullptr) {
      return Complain(kWrongFlags, "there is no flag " + arg.substr(0, equals));
    }
    if (equals == std::string::npos || !found->set(arg.substr(equals + 1))) {
      return Complain(kWrongFlags,
                      arg + " is not allowed; it takes " + found->help);
    }
  }
  if (options.model.empty() || options.output.empty() ||
      options.train.empty()) {
    return Complain(kWrongFlags, "--model, --output and --train must be given");
  }
  if ((options.steps > 0) == (options.minutes > 0)) {
    return Complain(kWrongFlags, "one of --steps and --minutes must be given");
  }
  const std::string error = Train(options);
  return error.empty() ? kTrained : Complain(kFailed, error);
}

// A batch's tensors come and go in every step: their memory stays with the
// process, or the system would hand out and clear it anew each time, a fifth of
// a step on processors.
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
