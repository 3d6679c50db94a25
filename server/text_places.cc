// SPDX-License-Identifier: Apache-2.0

#include "server/text_places.h"

#include "text/utf8.h"

namespace sheaf {
namespace {

bool IsWhitespaceAt(absl::string_view text, size_t at) {
  return at < text.size() && IsWhitespace(NextCharacter(text, at));
}

}  // namespace

void JoinedPlaces::SkipWhitespace() {
  while (IsWhitespaceAt(original_, original_at_)) {
    NextCharacter(original_, original_at_);
    ++num_code_points_;
  }
}

void JoinedPlaces::AdvanceTo(size_t joined_at) {
  while (joined_at_ < joined_at) {
    const bool is_white = IsWhitespace(NextCharacter(joined_, joined_at_));
    if (!is_white) SkipWhitespace();
    const bool has_own =
        original_at_ < original_.size() &&
        is_white == IsWhitespaceAt(original_, original_at_);
    if (!has_own) continue;
    NextCharacter(original_, original_at_);
    ++num_code_points_;
  }
}

CodePointRange JoinedPlaces::Of(TextRange range) {
  AdvanceTo(range.begin);
  // White space in place of which nothing is joined.
  if (range.begin < joined_.size() && !IsWhitespaceAt(joined_, range.begin)) {
    SkipWhitespace();
  }
  CodePointRange place;
  place.begin = num_code_points_;
  AdvanceTo(range.end);
  place.end = num_code_points_;
  return place;
}

}  // namespace sheaf
