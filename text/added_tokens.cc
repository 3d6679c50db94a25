// SPDX-License-Identifier: Apache-2.0

#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace sheaf {
namespace {

bool EndsWithWord(absl::string_view text) {
  size_t at = text.size();
  return !text.empty() && IsWordCharacter(PreviousCharacter(text, at));
}

bool BeginsWithWord(absl::string_view text) {
  size_t at = 0;
  return !text.empty() && IsWordCharacter(NextCharacter(text, at));
}

// Where the white space that ends at `end` begins, but not before `limit`.
size_t WhitespaceBegin(absl::string_view text, size_t end, size_t limit) {
  while (end > limit) {
    size_t at = end;
    if (!IsWhitespace(PreviousCharacter(text, at))) break;
    end = at;
  }
  return end;
}

size_t WhitespaceEnd(absl::string_view text, size_t begin) {
  while (begin < text.size()) {
    size_t at = begin;
    if (!IsWhitespace(NextCharacter(text, at))) break;
    begin = at;
  }
  return begin;
}

}  // namespace

AddedTokenSplitter::AddedTokenSplitter(
    std::vector<const AddedToken*> tokens,
    const std::vector<absl::string_view>& patterns)
    : tokens_(std::move(tokens)), finder_(patterns) {}

std::vector<TextPart> AddedTokenSplitter::Split(absl::string_view text,
                                                size_t prefix_size,
                                                SpecialTokens allowed) const {
  std::vector<TextPart> parts;
  size_t done = 0;         // where the last part ends
  size_t stripped_to = 0;  // only white space from `done` to here
  const auto add_text = [&](size_t end) {
    if (done < end) parts.push_back({text.substr(done, end - done), nullptr});
  };
  for (const PatternFinder::Match& match : finder_.FindAll(text)) {
    const AddedToken& token = *tokens_[match.pattern];
    const bool is_in_prefix = match.end <= prefix_size;
    if (token.needs > (is_in_prefix ? SpecialTokens::kAll : allowed)) continue;
    if (token.single_word && (EndsWithWord(text.substr(0, match.begin)) ||
                              BeginsWithWord(text.substr(match.end)))) {
      continue;
    }
    size_t begin = match.begin, end = match.end;
    if (token.strips_left) begin = WhitespaceBegin(text, begin, done);
    if (token.strips_right) {
      end = WhitespaceEnd(text, std::max(end, stripped_to));
    }
    add_text(begin);
    parts.push_back({text.substr(begin, end - begin), &token});
    // A token within white space that another has stripped still counts, and
    // `done` then moves back.
    done = end;
    stripped_to = std::max(stripped_to, end);
  }
  add_text(text.size());
  return parts;
}

}  // namespace sheaf
