// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The words that stand for small numbers and for months in one language, from
// ICU's tables. All are in lower case.
//
// Thread-safe: immutable.
class NumberWords {
 public:
  // The words of `language`, a BCP 47 tag. A language that ICU does not know
  // has none. Makes them at the first call, which takes some milliseconds. The
  // reference is valid forever.
  static const NumberWords& For(absl::string_view language);

  // The number of a cardinal or ordinal from 0 to 20, a multiple of ten up to
  // 100, or 1000: 3 for "three", "third", "drei", "dritten". -1 if the word is
  // none.
  int Number(absl::string_view word) const { return Find(numbers_, word); }

  // The same for a word that begins with a number of at least four bytes:
  // "dreimal". REQUIRES: `word` is UTF-8.
  int NumberAtBegin(absl::string_view word) const;

  // 1 for "january" and "jan". -1 if the word is none.
  int Month(absl::string_view word) const { return Find(months_, word); }

 private:
  using Words = absl::flat_hash_map<std::string, int>;

  explicit NumberWords(const std::string& language);
  void AddNumbers(const std::string& language);
  void AddMonths(const std::string& language);
  static int Find(const Words& words, absl::string_view word);

  Words numbers_;
  Words months_;
};

}  // namespace sheaf
