// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "engine/model_runner.h"
#include "engine/scheduler.h"

namespace sheaf {

// Decides which encoder pass advances in a step, and by how much work, so that
// encoding a long source stalls neither the running sequences nor the short
// sources that wait.
//
// While no sequence decodes, a pass advances by large slices. While sequences
// decode, a slice takes kEncodeShare times as long as a decode step, so that
// the time between their tokens grows to little more than twice. A pass over
// long sources then takes many steps. Sources that are together at least
// kOvertakeRatio times shorter may overtake it in a second pass, and the two
// passes take turns.
//
// Pure bookkeeping: no clock, no thread, no model. Not thread-safe; a lane owns
// it.
class EncodePacer {
 public:
  // Work is measured in tokens times layers.
  static constexpr int64_t kSliceAlone = 4096;
  static constexpr int64_t kFirstSlice = 64;  // while the speed is unknown
  static constexpr double kEncodeShare = 1.2;
  static constexpr int32_t kOvertakeRatio = 4;
  // A pass may overtake only if it may have this many tokens. A pass of fewer
  // would read all weights for too little work.
  static constexpr int32_t kLeastOvertakingTokens = 64;

  // The work of one step: advances `pass` by `token_layers`.
  struct Turn {
    EncodePass pass;
    int64_t token_layers;
  };

  // A main pass gets at most `max_encode_tokens` tokens, or a single source.
  explicit EncodePacer(int32_t max_encode_tokens)
      : max_encode_tokens_(max_encode_tokens) {}

  // The number of tokens that the next step may admit, and the pass for them.
  Admission NextAdmission() const;

  // The next turn, or nullopt if no pass is under way. `decode_time` is how
  // long the last decode step took: nullopt if no sequence decodes, zero if it
  // is not known yet.
  std::optional<Turn> NextTurn(std::optional<absl::Duration> decode_time) const;

  // A pass over `num_tokens` tokens begins. REQUIRES: it is not under way, and
  // num_tokens > 0.
  void OnBegin(EncodePass pass, int32_t num_tokens);

  // NextTurn()'s turn was taken. `is_done`: the pass has ended.
  void OnAdvanced(const Turn& turn, absl::Duration took, bool is_done);

  // The pass has ended, because all of its requests have.
  void OnDropped(EncodePass pass) { num_tokens(pass) = 0; }

  bool is_under_way(EncodePass pass) const { return num_tokens(pass) > 0; }

 private:
  int32_t num_tokens(EncodePass pass) const {
    return num_tokens_[static_cast<int>(pass)];
  }
  int32_t& num_tokens(EncodePass pass) {
    return num_tokens_[static_cast<int>(pass)];
  }
  int64_t Slice(absl::Duration decode_time) const;

  const int32_t max_encode_tokens_;
  int32_t num_tokens_[kNumEncodePasses] = {};  // 0: not under way
  EncodePass last_pass_ = EncodePass::kMain;   // that had a turn
  double rate_ = 0;  // token_layers per second; 0: not known
};

}  // namespace sheaf
