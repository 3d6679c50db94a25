// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/enum_names.h"
#include "train/common/result.h"

namespace sheaf {

enum class InitialWeights { kCheckpoint, kRandom };
inline constexpr EnumNames<InitialWeights, 2> kInitialWeights = {
    {{{InitialWeights::kCheckpoint, "checkpoint"},
      {InitialWeights::kRandom, "random"}}}};

enum class MatrixOptimizer { kAdamW, kMuon };
inline constexpr EnumNames<MatrixOptimizer, 2> kMatrixOptimizers = {
    {{{MatrixOptimizer::kAdamW, "adamw"}, {MatrixOptimizer::kMuon, "muon"}}}};

enum class FloatType { kF32, kBf16 };
inline constexpr EnumNames<FloatType, 2> kFloatTypes = {
    {{{FloatType::kF32, "f32"}, {FloatType::kBf16, "bf16"}}}};

enum class DeviceKind { kAuto, kCpu, kCuda };
inline constexpr EnumNames<DeviceKind, 3> kDeviceKinds = {
    {{{DeviceKind::kAuto, "auto"},
      {DeviceKind::kCpu, "cpu"},
      {DeviceKind::kCuda, "cuda"}}}};

// The options of a run: the flags of sheaf-train, one to one. Their meaning is
// in train/uptrain/main.cc.
struct TrainOptions {
  std::string model;
  std::string output;
  InitialWeights init = InitialWeights::kCheckpoint;
  std::vector<std::string> train;
  std::vector<double> weights;
  std::vector<std::string> dev;

  int64_t steps = 0;
  double minutes = 0;
  int64_t batch_tokens = 4096;
  int64_t accumulate = 1;
  MatrixOptimizer optimizer = MatrixOptimizer::kAdamW;
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

  FloatType precision = FloatType::kF32;
  FloatType store = FloatType::kF32;
  DeviceKind device = DeviceKind::kAuto;
  int64_t threads = 0;
  uint64_t seed = 1;
};

// Trains, or continues a run that was ended after it had saved its state.
// Writes to `options.output`:
//   best/, last/        model directories that the server can read: the
//   averaged
//                       weights with the lowest dev loss, and the last ones
//   state.safetensors   the state from which a run continues
//   log.txt             a copy of each printed line
//   dev-NAME.ids        the last greedy outputs, one line of ids per pair
// SIGTERM ends the run after the current step, with the state saved. On one
// thread of a CPU, a run that was killed and continued gives bit for bit the
// result of an uninterrupted one (with --steps; --minutes follows the clock).
Result<void> Train(const TrainOptions& options);

}  // namespace sheaf
