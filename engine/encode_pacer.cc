// SPDX-License-Identifier: Apache-2.0

#include "engine/encode_pacer.h"

#include <algorithm>

#include "base/check.h"

namespace sheaf {

Admission EncodePacer::NextAdmission() const {
  if (!is_under_way(EncodePass::kMain)) return {max_encode_tokens_};
  if (is_under_way(EncodePass::kOvertaking)) return {};
  const int32_t room = std::min(kMaxOvertakingTokens,
                                num_tokens(EncodePass::kMain) / kOvertakeRatio);
  return {room >= kLeastOvertakingTokens ? room : 0, /*is_overtaking=*/true};
}

std::optional<EncodePacer::Turn> EncodePacer::NextTurn(
    std::optional<absl::Duration> decode_time) const {
  EncodePass pass = last_pass_ == EncodePass::kMain ? EncodePass::kOvertaking
                                                    : EncodePass::kMain;
  if (!is_under_way(pass)) pass = last_pass_;
  if (!is_under_way(pass)) return std::nullopt;
  return Turn{pass, decode_time ? Slice(*decode_time) : kSliceAlone};
}

// The work that the encoder does in kEncodeShare times `decode_time`, at the
// speed of its last turn.
int64_t EncodePacer::Slice(absl::Duration decode_time) const {
  const double seconds = absl::ToDoubleSeconds(decode_time);
  if (rate_ == 0 || seconds == 0) return kFirstSlice;
  return std::max<int64_t>(
      1, static_cast<int64_t>(rate_ * kEncodeShare * seconds));
}

void EncodePacer::OnBegin(EncodePass pass, int32_t tokens) {
  SHEAF_CHECK(!is_under_way(pass) && tokens > 0);
  num_tokens(pass) = tokens;
  last_pass_ = EncodePass::kMain;  // so that an overtaking pass comes first
}

void EncodePacer::OnAdvanced(const Turn& turn, absl::Duration took,
                             bool is_done) {
  last_pass_ = turn.pass;
  if (is_done) {
    num_tokens(turn.pass) = 0;
    return;  // its last turn may have been shorter than planned
  }
  const double seconds = absl::ToDoubleSeconds(took);
  if (seconds > 0) rate_ = static_cast<double>(turn.token_layers) / seconds;
}

}  // namespace sheaf
