// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"

namespace sheaf {

// One way to write a term: consecutive tokens of the output.
struct TermForm {
  std::vector<int32_t> tokens;  // at least one
  // Whether the form counts only where a word ends: at the end of the output,
  // or before a token that continues no word.
  bool ends_word = true;
};

// A term that the output of a segment shall contain, in one of several forms.
using RequiredTerm = std::vector<TermForm>;

// The terms that the output of a segment shall contain, and how much of them is
// missing in an output; an automaton over the tokens of all forms.
//
// An occurrence of forms, which is a place in the output where at least one
// ends, stands for one term: the term with the longest form that ends there,
// and of equals the first one, among the terms that earlier places have not
// met. So two terms with the same form need two occurrences.
//
// Thread-safe: immutable.
class ConstraintSet {
 public:
  static constexpr int32_t kMaxTerms = 64;

  // `continues_word` [vocab_size] has the tokens that continue the word before
  // them; null: none does. Forms with a token of `never`, which the output
  // cannot have, are left out. REQUIRES: there are at most kMaxTerms terms.
  ConstraintSet(absl::Span<const RequiredTerm> terms,
                std::shared_ptr<const std::vector<bool>> continues_word,
                absl::Span<const int32_t> never);

  // The terms that can be met. The others, which have no form, do not count.
  int32_t num_terms() const { return static_cast<int32_t>(shortest_.size()); }

  // An output so far. The default is an empty one.
  struct State {
    int32_t node = 0;  // the longest end of the output that begins a form
    // By term: met before the last token. Whether the last token ends a form
    // depends on the next one.
    uint64_t met = 0;
  };

  // The state after one more token, which is not an end token.
  State After(State state, int32_t token) const;

  // The minimum number of tokens that are still missing if the output ended
  // with this state. 0: all terms are met.
  int32_t NumMissing(State state) const;

  // Replaces `tokens` by those that begin or continue a form of a term that is
  // not met, in ascending order.
  void ListNext(State state, std::vector<int32_t>& tokens) const;

 private:
  // A term that is within a form at a node.
  struct Begun {
    int32_t term;
    int32_t num_left;  // tokens to the end of the form
    bool ends_word;
  };
  struct Node {
    int32_t token = -1;  // the last one
    int32_t parent = -1;
    int32_t depth = 0;
    // The node of the longest proper end of this node's tokens.
    int32_t fallback = 0;
    std::vector<int32_t> children;
    // Those of the node and its fallbacks, the deepest node first.
    std::vector<Begun> begun;
  };

  int32_t Child(int32_t node, int32_t token) const;  // -1: none
  int32_t AddChild(int32_t node, int32_t token);
  void AddForm(int32_t term, const TermForm& form);
  void LinkFallbacks();
  bool Continues(int32_t token) const {
    return continues_word_ != nullptr && (*continues_word_)[token];
  }
  // With the term that the last token meets, if a word may or may not end here.
  uint64_t MetAt(State state, bool is_word_end) const;
  bool IsMissing(uint64_t met, int32_t term) const {
    return (met >> term & 1) == 0;
  }

  const std::shared_ptr<const std::vector<bool>> continues_word_;
  std::vector<Node> nodes_;        // the root first, then by the order of forms
  std::vector<int32_t> shortest_;  // by term: the minimum tokens of its forms
};

}  // namespace sheaf
