// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// Finds any of many strings in a text: an Aho-Corasick automaton over the
// reversed strings, which reads the text from its end. At each place it
// therefore knows the longest string that begins there.
//
// Takes memory linear in the strings. Thread-safe: immutable.
class PatternFinder {
 public:
  struct Match {
    size_t begin = 0, end = 0;  // bytes of the text
    int32_t pattern = -1;       // index
  };

  // REQUIRES: no pattern is empty or occurs twice.
  explicit PatternFinder(absl::Span<const absl::string_view> patterns);

  // The matches from left to right: the longest at each place, and then the
  // next one from its end. Takes time linear in the text for any patterns.
  std::vector<Match> FindAll(absl::string_view text) const;

  // The same among the matches that `accepts` accepts. At a place where it
  // refuses the longest match it is asked for the shorter ones, so the time is
  // that times the number of patterns that begin each other.
  std::vector<Match> FindAll(
      absl::string_view text,
      absl::FunctionRef<bool(const Match& match)> accepts) const;

  bool is_empty() const { return sizes_.empty(); }

 private:
  struct Node {
    int32_t shorter = 0;   // the node of the longest end of this node's string
    int32_t longest = -1;  // the longest pattern that ends this node's string
  };

  // The node to which `byte` leads from `node`. -1 if there is none.
  int32_t Child(int32_t node, uint8_t byte) const;
  // The longest accepted match that begins at `at`, where the text leads to
  // `node`. Its pattern is -1 if there is none.
  Match Accepted(int32_t node, size_t at,
                 absl::FunctionRef<bool(const Match& match)> accepts) const;
  void Insert(absl::string_view pattern, int32_t index);
  void Link(absl::Span<const absl::string_view> patterns);

  std::vector<size_t> sizes_;  // [patterns], bytes
  std::vector<Node> nodes_;    // the first is the root
  std::array<int32_t, 256> root_children_;
  absl::flat_hash_map<uint64_t, int32_t> children_;  // of the other nodes
};

}  // namespace sheaf
