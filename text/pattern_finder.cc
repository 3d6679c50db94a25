// SPDX-License-Identifier: Apache-2.0

#include "text/pattern_finder.h"

#include <algorithm>

namespace sheaf {
namespace {

constexpr int32_t kRoot = 0;

uint64_t EdgeKey(int32_t node, uint8_t byte) {
  return static_cast<uint64_t>(node) << 8 | byte;
}

}  // namespace

PatternFinder::PatternFinder(absl::Span<const absl::string_view> patterns) {
  root_children_.fill(-1);
  nodes_.emplace_back();
  sizes_.reserve(patterns.size());
  for (absl::string_view pattern : patterns) {
    Insert(pattern, static_cast<int32_t>(sizes_.size()));
    sizes_.push_back(pattern.size());
  }
  Link(patterns);
}

int32_t PatternFinder::Child(int32_t node, uint8_t byte) const {
  if (node == kRoot) return root_children_[byte];
  const auto edge = children_.find(EdgeKey(node, byte));
  return edge == children_.end() ? -1 : edge->second;
}

void PatternFinder::Insert(absl::string_view pattern, int32_t index) {
  int32_t node = kRoot;
  for (size_t at = pattern.size(); at > 0; --at) {
    const auto byte = static_cast<uint8_t>(pattern[at - 1]);
    int32_t child = Child(node, byte);
    if (child < 0) {
      child = static_cast<int32_t>(nodes_.size());
      nodes_.emplace_back();
      if (node == kRoot) {
        root_children_[byte] = child;
      } else {
        children_[EdgeKey(node, byte)] = child;
      }
    }
    node = child;
  }
  nodes_[node].longest = index;
}

// Sets `shorter` and `longest` level by level, because a node's depend on those
// of nodes nearer to the root. Each round follows every pattern one byte
// further, so the work is linear in the patterns.
void PatternFinder::Link(absl::Span<const absl::string_view> patterns) {
  struct Path {
    absl::string_view rest;
    int32_t node;
  };
  std::vector<Path> paths;
  for (absl::string_view pattern : patterns) paths.push_back({pattern, kRoot});
  std::vector<bool> is_linked(nodes_.size(), false);
  while (!paths.empty()) {
    for (Path& path : paths) {
      const auto byte = static_cast<uint8_t>(path.rest.back());
      const int32_t node = Child(path.node, byte);
      if (!is_linked[node]) {
        is_linked[node] = true;
        int32_t from = path.node, shorter = -1;
        while (from != kRoot && shorter < 0) {
          from = nodes_[from].shorter;
          shorter = Child(from, byte);
        }
        nodes_[node].shorter = std::max(shorter, kRoot);
        if (nodes_[node].longest < 0) {
          nodes_[node].longest = nodes_[nodes_[node].shorter].longest;
        }
      }
      path = {path.rest.substr(0, path.rest.size() - 1), node};
    }
    paths.erase(std::remove_if(paths.begin(), paths.end(),
                               [](const Path& p) { return p.rest.empty(); }),
                paths.end());
  }
}

PatternFinder::Match PatternFinder::Accepted(
    int32_t node, size_t at,
    absl::FunctionRef<bool(const Match& match)> accepts) const {
  while (nodes_[node].longest >= 0) {
    const int32_t pattern = nodes_[node].longest;
    const Match match = {at, at + sizes_[pattern], pattern};
    if (accepts(match)) return match;
    while (nodes_[node].longest == pattern) node = nodes_[node].shorter;
  }
  return {};
}

std::vector<PatternFinder::Match> PatternFinder::FindAll(
    absl::string_view text) const {
  return FindAll(text, [](const Match&) { return true; });
}

std::vector<PatternFinder::Match> PatternFinder::FindAll(
    absl::string_view text,
    absl::FunctionRef<bool(const Match& match)> accepts) const {
  std::vector<Match> matches;
  if (is_empty()) return matches;
  int32_t node = kRoot;
  for (size_t at = text.size(); at > 0; --at) {
    const auto byte = static_cast<uint8_t>(text[at - 1]);
    int32_t next = Child(node, byte);
    while (next < 0 && node != kRoot) {
      node = nodes_[node].shorter;
      next = Child(node, byte);
    }
    node = std::max(next, kRoot);
    const Match match = Accepted(node, at - 1, accepts);
    if (match.pattern >= 0) matches.push_back(match);
  }
  std::reverse(matches.begin(), matches.end());
  size_t end = 0;
  matches.erase(std::remove_if(matches.begin(), matches.end(),
                               [&end](const Match& match) {
                                 if (match.begin < end) return true;
                                 end = match.end;
                                 return false;
                               }),
                matches.end());
  return matches;
}

}  // namespace sheaf
