// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/marks.h"

namespace sheaf {

// Source terms, each with the forms that its translation may have.
//
// A term is found as whole words (words.h), whatever its letters' case and the
// amount of white space between words. A target form is written as it is to
// appear; one that ends with '*' is the beginning of a word, and the model
// chooses the rest ("Vertrag*").
//
// A prefix of words of any term is a key of 64 bits, so a million terms of two
// words take about 100 MB and a few seconds.
//
// Thread-safe once all terms are added.
class Glossary {
 public:
  static constexpr size_t kMaxTermBytes = 512;
  static constexpr size_t kMaxTermWords = 32;
  static constexpr size_t kMaxTargets = 16;

  // Names the place of an entry in messages: "line 7".
  using NameOfPlace = std::function<std::string(int32_t place)>;
  explicit Glossary(NameOfPlace name_of_place)
      : name_of_place_(std::move(name_of_place)) {}

  // Adds a term with its forms, best first. White space at their ends does not
  // count. `place` is that of the entry. INVALID_ARGUMENT tells what is
  // allowed, or names the place of an entry that has the same source and other
  // forms; one with the same forms is ignored.
  absl::Status Add(absl::string_view source,
                   absl::Span<const absl::string_view> targets, int32_t place);

  struct Match {
    TextRange range;
    int32_t entry = 0;  // by the order of Add()
  };
  // The terms of a text from left to right: the longest at each place, and then
  // the next one from its end. Takes time linear in the text. REQUIRES: `text`
  // is UTF-8.
  std::vector<Match> Find(absl::string_view text) const;

  int32_t size() const { return static_cast<int32_t>(entries_.size()); }
  absl::string_view SourceOf(int32_t entry) const;
  std::vector<absl::string_view> TargetsOf(int32_t entry) const;

  // Bytes of memory that it takes.
  int64_t num_bytes() const;

 private:
  struct Entry {
    uint32_t begin;  // in text_
    int32_t place;
  };
  // What is known of the words of a prefix.
  struct Prefix {
    int32_t entry = -1;  // the term of exactly these words; -1: none
    bool has_longer = false;
  };

  absl::string_view LineOf(int32_t entry) const;

  const NameOfPlace name_of_place_;
  std::string text_;  // the entries: source and targets, separated by tabs
  std::vector<Entry> entries_;
  absl::flat_hash_map<uint64_t, Prefix> prefixes_;  // by the hash of the words
};

}  // namespace sheaf
