// SPDX-License-Identifier: Apache-2.0

#include "engine/utf8_rule.h"

#include <algorithm>

namespace sheaf {
namespace {

// Maximum number of bytes, and so of tokens, of a character that is not
// complete.
constexpr size_t kMaxPendingBytes = 3;

constexpr size_t kDelete = 32;  // the bit of U+007F

bool IsInRange(uint8_t byte, uint8_t first, uint8_t last) {
  return byte >= first && byte <= last;
}

// Tab, line feed, carriage return.
Utf8Rule::Controls LayoutControls() {
  return Utf8Rule::Controls((1u << '\t') | (1u << '\n') | (1u << '\r'));
}

}  // namespace

Utf8Rule::Utf8Rule(absl::Span<const ByteToken> tokens)
    : tokens_(tokens.begin(), tokens.end()) {
  int32_t greatest = -1;
  for (const ByteToken& token : tokens_) {
    greatest = std::max(greatest, token.first);
  }
  index_.assign(greatest + 1, -1);
  for (size_t i = 0; i < tokens_.size(); ++i) {
    index_[tokens_[i].first] = static_cast<int32_t>(i);
    for (int state = 0; state < kNumStates; ++state) {
      const Step step = Take(static_cast<State>(state), tokens_[i]);
      if (step.next != kInvalid) {
        steps_[state].push_back(step);
      } else if (state == kBetween) {
        never_first_.push_back(step.id);
      }
    }
  }
}

Utf8Rule::State Utf8Rule::Next(State state, uint8_t byte) {
  const auto go_on = [byte](uint8_t first, uint8_t last, State next) {
    return IsInRange(byte, first, last) ? next : kInvalid;
  };
  switch (state) {
    case kBetween:
      if (byte < 0x80) return kBetween;
      if (byte == 0xC2) return kAfterC2;
      if (IsInRange(byte, 0xC3, 0xDF)) return kOneMore;
      if (byte == 0xE0) return kAfterE0;
      if (byte == 0xED) return kAfterED;
      if (IsInRange(byte, 0xE1, 0xEF)) return kTwoMore;
      if (byte == 0xF0) return kAfterF0;
      if (byte == 0xF4) return kAfterF4;
      return go_on(0xF1, 0xF3, kThreeMore);
    case kOneMore:
    case kAfterC2:
      return go_on(0x80, 0xBF, kBetween);
    case kTwoMore:
      return go_on(0x80, 0xBF, kOneMore);
    case kAfterE0:
      return go_on(0xA0, 0xBF, kOneMore);
    case kAfterED:
      return go_on(0x80, 0x9F, kOneMore);
    case kThreeMore:
      return go_on(0x80, 0xBF, kTwoMore);
    case kAfterF0:
      return go_on(0x90, 0xBF, kTwoMore);
    case kAfterF4:
      return go_on(0x80, 0x8F, kTwoMore);
    case kInvalid:
      break;
  }
  return kInvalid;
}

int32_t Utf8Rule::BytesMissing(State state) {
  switch (state) {
    case kOneMore:
    case kAfterC2:
      return 1;
    case kTwoMore:
    case kAfterE0:
    case kAfterED:
      return 2;
    case kThreeMore:
    case kAfterF0:
    case kAfterF4:
      return 3;
    case kBetween:
    case kInvalid:
      break;
  }
  return 0;
}

Utf8Rule::Step Utf8Rule::Take(State state, const ByteToken& token) const {
  Step step = {token.first, state, {}};
  for (char c : token.second) {
    const uint8_t byte = static_cast<uint8_t>(c);
    if (step.next == kBetween && byte < 0x20) step.controls.set(byte);
    if (step.next == kBetween && byte == 0x7F) step.controls.set(kDelete);
    if (step.next == kAfterC2 && IsInRange(byte, 0x80, 0x9F)) {
      step.controls.set(kDelete + 1 + (byte - 0x80));
    }
    step.next = Next(step.next, byte);
  }
  return step;
}

const Utf8Rule::ByteToken* Utf8Rule::Find(int32_t id) const {
  if (id < 0 || id >= static_cast<int32_t>(index_.size())) return nullptr;
  return index_[id] < 0 ? nullptr : &tokens_[index_[id]];
}

Utf8Rule::Controls Utf8Rule::ControlsOf(
    absl::Span<const int32_t> source) const {
  Controls controls;
  State state = kBetween;
  for (int32_t id : source) {
    const ByteToken* token = Find(id);
    if (token == nullptr) {
      state = kBetween;
      continue;
    }
    Step step = Take(state, *token);
    if (step.next == kInvalid) step = Take(kBetween, *token);
    controls |= step.controls;
    state = step.next == kInvalid ? kBetween : step.next;
  }
  return controls;
}

// A token may end one character and begin another, so the text is read from the
// last byte that begins a character. Forced start tokens may be invalid; then
// the text is read again from the invalid byte on, as a decoder of UTF-8 does.
Utf8Rule::State Utf8Rule::StateAfter(
    absl::Span<const int32_t> new_tokens) const {
  std::array<uint8_t, kMaxPendingBytes> last;  // backwards
  size_t num = 0;
  for (size_t i = new_tokens.size(); i > 0 && num < last.size(); --i) {
    const ByteToken* token = Find(new_tokens[i - 1]);
    if (token == nullptr) break;
    const std::string& bytes = token->second;
    for (size_t k = bytes.size(); k > 0 && num < last.size(); --k) {
      last[num++] = static_cast<uint8_t>(bytes[k - 1]);
    }
  }
  State state = kBetween;
  while (num > 0) {
    const uint8_t byte = last[--num];
    state = Next(state, byte);
    if (state == kInvalid) state = Next(kBetween, byte);
    if (state == kInvalid) state = kBetween;
  }
  return state;
}

bool Utf8Rule::IsWithin(absl::Span<const int32_t> new_tokens,
                        int32_t next) const {
  std::array<int32_t, kMaxPendingBytes> last;
  const size_t num_before = std::min(new_tokens.size(), last.size() - 1);
  std::copy(new_tokens.end() - num_before, new_tokens.end(), last.begin());
  last[num_before] = next;
  return StateAfter({last.data(), num_before + 1}) != kBetween;
}

bool Utf8Rule::IsAllowed(const Context& context, const Step& step) const {
  const SamplingParams& sampling = context.sampling;
  const int32_t num_places = sampling.max_new_tokens -
                             (sampling.forced_last_token >= 0 ? 1 : 0) -
                             static_cast<int32_t>(context.tokens.size());
  if (BytesMissing(step.next) > num_places) return false;
  if (step.controls.none()) return true;
  Controls allowed = context.source_controls;
  if (sampling.output_text == OutputText::kText) allowed |= LayoutControls();
  return (step.controls & ~allowed).none();
}

bool Utf8Rule::Allows(const Context& context, int32_t id) const {
  const State state = StateAfter(context.tokens.subspan(1));
  const ByteToken* token = Find(id);
  if (token == nullptr) return state == kBetween;
  const Step step = Take(state, *token);
  return step.next != kInvalid && IsAllowed(context, step);
}

bool Utf8Rule::AllowedWithin(const Context& context,
                             std::vector<int32_t>& allowed) const {
  const State state = StateAfter(context.tokens.subspan(1));
  if (state == kBetween) return false;
  allowed.clear();
  for (const Step& step : steps_[state]) {
    if (IsAllowed(context, step)) allowed.push_back(step.id);
  }
  return true;
}

}  // namespace sheaf
