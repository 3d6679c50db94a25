#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sheaf {

// What a run of the trainer is told. The flags of sheaf-train, one to one;
// train/uptrain/main.cc says what each is for.
struct TrainOptions {
  std::string model;
  std::string output;
  std::string init = "checkpoint";  // or "random"
  std::vector<std::string> train;
  std::vector<double> weights;
  std::vector<std::string> dev;

  int64_t steps = 0;
  double minutes = 0;
  int64_t batch_tokens = 4096;
  int64_t accumulate = 1;
  std::string optimizer = "adamw";  // or "muon"
  double rate = 1e-3;
  double embedding_rate = 8;
  double warmup = 0.03;
  double weight_decay = 0.01;
  double beta2 = 0.98;
  double clip = 1;
  double ema = 0.999;
  double label_smoothing = 0.1;
  double dropout = 0.1;
  double guide = 0.3;
  double guide_until = 0.6;
  double short_first = 0;

  int64_t log_every = 20;
  int64_t eval_every = 500;
  int64_t save_every = 500;
  int64_t dev_pairs = 500;
  int64_t dev_decode = 64;
  int64_t dev_decode_tokens = 64;

  std::string precision = "f32";
  std::string store = "f32";
  std::string device = "auto";
  int64_t threads = 0;
  uint64_t seed = 1;
};

// Trains, or goes on where a run that was killed had saved. Writes to
// `options.output`:
//   best/, last/        model directories, as the server reads them: the
//                       averaged weights with the least dev loss, and the last
//   state.safetensors   what a run goes on from
//   log.txt             a line for each printed one
//   dev-NAME.ids        the last greedy outputs, one line of ids for each pair
// SIGTERM ends it after the step at hand, with the state saved.
// On one thread of a CPU, a run that was killed and resumed gives bit for bit
// what one gives that was not (with --steps; --minutes counts the clock).
//
// Returns what went wrong; empty if nothing did.
std::string Train(const TrainOptions& options);

}  // namespace sheaf
