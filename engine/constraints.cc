// SPDX-License-Identifier: Apache-2.0

#include "engine/constraints.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sheaf {

ConstraintSet::ConstraintSet(
    absl::Span<const RequiredTerm> terms,
    std::shared_ptr<const std::vector<bool>> continues_word,
    absl::Span<const int32_t> never)
    : continues_word_(std::move(continues_word)), nodes_(1) {
  SHEAF_CHECK(terms.size() <= kMaxTerms);
  for (const RequiredTerm& term : terms) {
    int32_t shortest = 0;
    for (const TermForm& form : term) {
      SHEAF_CHECK(!form.tokens.empty());
      if (std::find_first_of(form.tokens.begin(), form.tokens.end(),
                             never.begin(), never.end()) != form.tokens.end()) {
        continue;
      }
      const int32_t size = static_cast<int32_t>(form.tokens.size());
      shortest = shortest == 0 ? size : std::min(shortest, size);
      AddForm(num_terms(), form);
    }
    if (shortest > 0) shortest_.push_back(shortest);
  }
  LinkFallbacks();
}

int32_t ConstraintSet::Child(int32_t node, int32_t token) const {
  for (int32_t child : nodes_[node].children) {
    if (nodes_[child].token == token) return child;
  }
  return -1;
}

int32_t ConstraintSet::AddChild(int32_t node, int32_t token) {
  const int32_t found = Child(node, token);
  if (found >= 0) return found;
  const int32_t child = static_cast<int32_t>(nodes_.size());
  nodes_[node].children.push_back(child);
  Node& added = nodes_.emplace_back();
  added.token = token;
  added.parent = node;
  added.depth = nodes_[node].depth + 1;
  return child;
}

void ConstraintSet::AddForm(int32_t term, const TermForm& form) {
  int32_t node = 0;
  int32_t num_left = static_cast<int32_t>(form.tokens.size());
  for (int32_t token : form.tokens) {
    node = AddChild(node, token);
    nodes_[node].begun.push_back({term, --num_left, form.ends_word});
  }
}

// Goes through the nodes by depth, because the fallback of a node is less deep.
void ConstraintSet::LinkFallbacks() {
  std::vector<int32_t> order = {0};
  order.reserve(nodes_.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const std::vector<int32_t>& children = nodes_[order[i]].children;
    order.insert(order.end(), children.begin(), children.end());
  }
  for (int32_t index : absl::MakeConstSpan(order).subspan(1)) {
    Node& node = nodes_[index];
    if (node.parent != 0) {
      const State before = {nodes_[node.parent].fallback, ~uint64_t{0}};
      node.fallback = After(before, node.token).node;
    }
    const std::vector<Begun>& shorter = nodes_[node.fallback].begun;
    node.begun.insert(node.begun.end(), shorter.begin(), shorter.end());
  }
}

uint64_t ConstraintSet::MetAt(State state, bool is_word_end) const {
  for (const Begun& begun : nodes_[state.node].begun) {
    if (begun.num_left == 0 && IsMissing(state.met, begun.term) &&
        (is_word_end || !begun.ends_word)) {
      return state.met | uint64_t{1} << begun.term;
    }
  }
  return state.met;
}

ConstraintSet::State ConstraintSet::After(State state, int32_t token) const {
  const uint64_t met = MetAt(state, !Continues(token));
  int32_t node = state.node;
  int32_t child = Child(node, token);
  while (child < 0 && node != 0) {
    node = nodes_[node].fallback;
    child = Child(node, token);
  }
  return {std::max(child, 0), met};
}

int32_t ConstraintSet::NumMissing(State state) const {
  const uint64_t met = MetAt(state, /*is_word_end=*/true);
  int32_t num_missing = 0;
  for (int32_t term = 0; term < num_terms(); ++term) {
    if (IsMissing(met, term)) num_missing += shortest_[term];
  }
  // The form that is nearest to its end, unless the term has a shorter one.
  int32_t begun_tokens = 0;
  for (const Begun& begun : nodes_[state.node].begun) {
    if (begun.num_left == 0 || !IsMissing(met, begun.term)) continue;
    begun_tokens =
        std::max(begun_tokens, shortest_[begun.term] - begun.num_left);
  }
  return num_missing - begun_tokens;
}

void ConstraintSet::ListNext(State state, std::vector<int32_t>& tokens) const {
  tokens.clear();
  const uint64_t met = MetAt(state, /*is_word_end=*/true);
  int32_t node = state.node;
  while (true) {
    for (int32_t child : nodes_[node].children) {
      const std::vector<Begun>& begun = nodes_[child].begun;
      if (std::any_of(begun.begin(), begun.end(), [&](const Begun& each) {
            return IsMissing(met, each.term);
          })) {
        tokens.push_back(nodes_[child].token);
      }
    }
    if (node == 0) break;
    node = nodes_[node].fallback;
  }
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
}

}  // namespace sheaf
