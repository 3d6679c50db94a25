// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/model/architecture.h"

namespace sheaf {

// A source of an encoder pass. The rows of a pass are the tokens of its
// sources, one source after the other.
struct EncodedSource {
  int32_t first_row;
  int32_t len;
  absl::Span<const int32_t> cross_blocks;
  bool is_dropped = false;
};

// A small unit of work, after which a pass may stop and continue later.
struct EncoderUnit {
  // In every layer kProject, kAttend and kFeedForward; after the last, kCross.
  enum class Phase { kProject, kAttend, kFeedForward, kCross };
  Phase phase;
  int32_t layer;
  int64_t begin, end;  // rows of the pass; in kAttend (source, head) pairs
};

// The units of some consecutive sources of a pass, in the order in which they
// are computed. It knows no weights and no threads.
class EncoderUnits {
 public:
  // `max_rows` is the maximum number of rows of a unit: many, so that weights
  // are read rarely, but few enough that the values between two products stay
  // in the cache and a unit takes only a few milliseconds.
  EncoderUnits(const Architecture& architecture, int32_t max_rows)
      : architecture_(architecture),
        shape_(architecture.encoder),
        max_rows_(max_rows) {}

  // Begins with sources [first, end) of the pass, which are computed by
  // `num_members` members. `sources` must stay valid until the pass ends.
  void Begin(const std::vector<EncodedSource>& sources, int32_t first,
             int32_t end, int32_t num_members);

  // Takes units from the remaining work: about `token_layers` tokens times
  // layers, but at least one unit if there is any.
  absl::Span<const EncoderUnit> Take(int64_t token_layers);

  bool IsDone() const {
    return next_.phase == EncoderUnit::Phase::kCross && next_.begin == end_row_;
  }

  int64_t num_rows() const { return end_row_ - first_row_; }

  // Multiply-adds of a source of `len` tokens in all layers.
  int64_t WorkOfSource(int32_t len) const;

  // Multiply-adds of a unit.
  int64_t WorkOf(const EncoderUnit& unit) const;

 private:
  using Phase = EncoderUnit::Phase;
  EncoderUnit TakeUnit();
  int64_t PhaseBegin(Phase phase) const;
  int64_t PhaseEnd(Phase phase) const;
  // Multiply-adds of a token in a layer except attention, and those of one
  // head's attention over a source.
  int64_t WorkOfTokenLayer() const;
  int64_t WorkOfHead(int32_t layer, int32_t len) const;

  const Architecture& architecture_;
  const StackShape& shape_;
  const int32_t max_rows_;
  const std::vector<EncodedSource>* sources_ = nullptr;
  int32_t first_source_ = 0, end_source_ = 0;
  int64_t first_row_ = 0, end_row_ = 0;
  int32_t num_members_ = 1;
  EncoderUnit next_ = {Phase::kCross, 0, 0, 0};  // where the rest begins
  std::vector<EncoderUnit> units_;               // of one Take()
};

// The part of a source of `len` tokens that a token in the layer sees.
Window EncoderWindow(const StackShape& shape, int32_t layer_index, int32_t len);

}  // namespace sheaf
