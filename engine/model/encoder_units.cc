// SPDX-License-Identifier: Apache-2.0

#include "engine/model/encoder_units.h"

#include <algorithm>

namespace sheaf {

Window EncoderWindow(const StackShape& shape, int32_t layer_index,
                     int32_t len) {
  if (shape.windows.empty() || !shape.windows[layer_index].has_value()) {
    return {len, len};
  }
  const Window& window = *shape.windows[layer_index];
  return {std::min(window.back, len), std::min(window.ahead, len)};
}

void EncoderUnits::Begin(const std::vector<EncodedSource>& sources,
                         int32_t first, int32_t end, int32_t num_members) {
  sources_ = &sources;
  first_source_ = first;
  end_source_ = end;
  num_members_ = num_members;
  first_row_ = sources[first].first_row;
  end_row_ = sources[end - 1].first_row + sources[end - 1].len;
  next_ = {Phase::kProject, /*layer=*/0, first_row_, first_row_};
}

absl::Span<const EncoderUnit> EncoderUnits::Take(int64_t token_layers) {
  // A budget for all of the work is not counted, because it could overflow.
  const bool is_limited = token_layers < num_rows() * shape_.num_layers;
  int64_t left = is_limited ? token_layers * WorkOfTokenLayer() : 0;
  units_.clear();
  while (!IsDone() && (units_.empty() || !is_limited || left > 0)) {
    units_.push_back(TakeUnit());
    left -= is_limited ? WorkOf(units_.back()) : 0;
  }
  return units_;
}

int64_t EncoderUnits::PhaseBegin(Phase phase) const {
  return phase == Phase::kAttend ? int64_t{first_source_} * shape_.num_heads
                                 : first_row_;
}

int64_t EncoderUnits::PhaseEnd(Phase phase) const {
  return phase == Phase::kAttend ? int64_t{end_source_} * shape_.num_heads
                                 : end_row_;
}

// Removes the next unit from the remaining work.
EncoderUnit EncoderUnits::TakeUnit() {
  EncoderUnit unit = next_;
  const int64_t phase_end = PhaseEnd(unit.phase);
  if (unit.phase == Phase::kAttend) {
    // At least one pair per member, and as many tokens as in other units.
    int64_t tokens = 0;
    for (unit.end = unit.begin;
         unit.end < phase_end &&
         (unit.end - unit.begin < num_members_ || tokens < max_rows_);
         ++unit.end) {
      tokens += (*sources_)[unit.end / shape_.num_heads].len;
    }
  } else {
    unit.end = std::min(phase_end, unit.begin + max_rows_);
  }
  next_.begin = unit.end;
  if (unit.end < phase_end || unit.phase == Phase::kCross) return unit;
  if (unit.phase != Phase::kFeedForward) {
    next_.phase = static_cast<Phase>(static_cast<int>(unit.phase) + 1);
  } else if (++next_.layer == shape_.num_layers) {
    next_.phase = Phase::kCross;
  } else {
    next_.phase = Phase::kProject;
  }
  next_.begin = PhaseBegin(next_.phase);
  return unit;
}

int64_t EncoderUnits::WorkOfTokenLayer() const {
  const int64_t feed_forward_products = architecture_.is_gated ? 3 : 2;
  return shape_.d_model * (2 * (shape_.q_columns() + shape_.kv_columns()) +
                           feed_forward_products * shape_.d_ff);
}

int64_t EncoderUnits::WorkOf(const EncoderUnit& unit) const {
  const int64_t rows = unit.end - unit.begin;
  const int64_t project =
      shape_.d_model * (shape_.q_columns() + 2 * shape_.kv_columns());
  switch (unit.phase) {
    case Phase::kProject:
      return rows * project;
    case Phase::kFeedForward:
      return rows * (WorkOfTokenLayer() - project);
    case Phase::kCross:
      return rows * shape_.d_model * 2 * architecture_.decoder.num_layers *
             architecture_.cross_kv_columns();
    case Phase::kAttend:
      break;
  }
  int64_t work = 0;
  for (int64_t i = unit.begin; i < unit.end; ++i) {
    work += WorkOfHead(unit.layer, (*sources_)[i / shape_.num_heads].len);
  }
  return work;
}

int64_t EncoderUnits::WorkOfHead(int32_t layer, int32_t len) const {
  const Window seen = EncoderWindow(shape_, layer, len);
  return int64_t{2} * len * std::min(len, seen.back + seen.ahead + 1) *
         shape_.head_dim;
}

int64_t EncoderUnits::WorkOfSource(int32_t len) const {
  int64_t work = 0;
  for (int32_t layer = 0; layer < shape_.num_layers; ++layer) {
    work +=
        len * WorkOfTokenLayer() + shape_.num_heads * WorkOfHead(layer, len);
  }
  return work;
}

}  // namespace sheaf
