// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/marks.h"
#include "text/pattern_finder.h"

namespace sheaf {

// The strings that a request lists in do_not_translate. They are found where no
// longer one begins, and only at the borders of words if they begin or end with
// a word character.
//
// Thread-safe: immutable.
class DoNotTranslate {
 public:
  static constexpr size_t kMaxStrings = 1000;
  static constexpr size_t kMaxStringBytes = 256;

  DoNotTranslate() : DoNotTranslate(absl::Span<const absl::string_view>()) {}

  // An error names the field, its value and what is allowed.
  static absl::StatusOr<DoNotTranslate> Create(
      absl::Span<const std::string> strings);

  // Appends the places where the strings occur, in order and disjoint. Takes
  // time linear in the text. REQUIRES: `text` is UTF-8.
  void AppendSpans(absl::string_view text, std::vector<TextRange>& spans) const;

 private:
  explicit DoNotTranslate(absl::Span<const absl::string_view> strings)
      : finder_(strings) {}

  PatternFinder finder_;
};

// What to look for in addition to `strings`.
struct ProtectedSpansOptions {
  // Placeholders, escapes, tags, code (placeholders.h) and addresses, paths,
  // versions, names (addresses.h).
  bool has_patterns = true;
  const DoNotTranslate* strings = nullptr;
};

// The parts of a text that must stand in its translation exactly as they are,
// in order, disjoint and not empty. Those that overlap are one.
//
// Takes time linear in the text, and calls `is_wanted` about once per
// millisecond; once that returns false, the rest of the text has no patterns.
// REQUIRES: `text` is UTF-8.
std::vector<TextRange> FindProtectedSpans(
    absl::string_view text, const ProtectedSpansOptions& options,
    absl::FunctionRef<bool()> is_wanted = [] { return true; });

}  // namespace sheaf
