// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "engine/request.h"

namespace sheaf {

// Keeps generated tokens within whole UTF-8 characters (RFC 3629, section 4),
// and keeps control characters out that the source does not have.
//
// A vocabulary may have tokens that are bytes rather than characters. After
// such a token the text is in one of a few states: between two characters, or
// within one, of which some bytes are still missing. The state follows from the
// last three bytes, because a character has at most four bytes. In each state
// the rule knows which tokens may follow:
//   1. A token may not make the text invalid. Within a character only tokens
//      that continue it may follow, and no end of text.
//   2. A character begins only where the request's remaining tokens suffice to
//      end it (one byte per token).
//   3. A control character (U+0000 to U+001F, U+007F to U+009F) is generated
//      only if the source has it. OutputText::kText allows tab and line breaks.
//
// Thread-safe: immutable.
class Utf8Rule {
 public:
  // A token whose text is not one or more whole characters free of control
  // characters: its id, and the bytes that it adds to the text.
  using ByteToken = std::pair<int32_t, std::string>;

  // A set of control characters: bits 0 to 31 are U+0000 to U+001F, bits 32 to
  // 64 are U+007F to U+009F.
  using Controls = std::bitset<65>;

  // `tokens` have ids >= 0, each once, and at least one byte each.
  explicit Utf8Rule(absl::Span<const ByteToken> tokens);

  // The control characters that `source` has.
  Controls ControlsOf(absl::Span<const int32_t> source) const;

  // The state of one sequence, which the rule depends on.
  struct Context {
    const SamplingParams& sampling;
    const Controls& source_controls;
    absl::Span<const int32_t> tokens;  // so far, start token first
  };

  // Whether `id` may follow. Takes constant time. An id of no ByteToken stands
  // for whole characters, or for the end of the text.
  bool Allows(const Context& context, int32_t id) const;

  // Calls `forbid(id)` for each token that may not follow. REQUIRES: the text
  // is between two characters; see AllowedWithin().
  template <typename Forbid>
  void ForEachForbidden(const Context& context, Forbid forbid) const {
    for (int32_t id : never_first_) forbid(id);
    for (const Step& step : steps_[kBetween]) {
      if (!IsAllowed(context, step)) forbid(step.id);
    }
  }

  // Whether the text ends within a character. If it does, `allowed` becomes the
  // ids that may follow, and no other may.
  bool AllowedWithin(const Context& context,
                     std::vector<int32_t>& allowed) const;

  // Whether the text of `new_tokens`, which have no start token, ends within a
  // character once `next` follows them.
  bool IsWithin(absl::Span<const int32_t> new_tokens, int32_t next) const;

 private:
  // Between two characters, or which bytes may come next within one.
  enum State : uint8_t {
    kBetween,
    kOneMore,    // one byte of 80..BF
    kAfterC2,    // the same; 80..9F make a control character
    kTwoMore,    // two bytes of 80..BF
    kAfterE0,    // A0..BF, then one byte
    kAfterED,    // 80..9F, then one byte
    kThreeMore,  // three bytes of 80..BF
    kAfterF0,    // 90..BF, then two bytes
    kAfterF4,    // 80..8F, then two bytes
    kInvalid,
  };
  static constexpr int kNumStates = kInvalid;

  // A token in a state in which it keeps the text valid.
  struct Step {
    int32_t id;
    State next;
    Controls controls;  // that it completes
  };

  static State Next(State state, uint8_t byte);
  static int32_t BytesMissing(State state);
  Step Take(State state, const ByteToken& token) const;
  State StateAfter(absl::Span<const int32_t> new_tokens) const;
  bool IsAllowed(const Context& context, const Step& step) const;
  const ByteToken* Find(int32_t id) const;

  std::vector<ByteToken> tokens_;
  std::vector<int32_t> index_;  // [greatest id + 1]: in tokens_; -1: none
  // By state: the tokens that may follow.
  std::array<std::vector<Step>, kNumStates> steps_;
  std::vector<int32_t> never_first_;  // ids not in steps_[kBetween]
};

}  // namespace sheaf
