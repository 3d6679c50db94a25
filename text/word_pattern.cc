// SPDX-License-Identifier: Apache-2.0

#include "text/word_pattern.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/match.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

enum class Class : uint8_t { kSpace, kLetter, kNumber, kOther };

Class ClassOf(int32_t character) {
  if (IsWhitespace(character)) return Class::kSpace;
  if (IsLetter(character)) return Class::kLetter;
  if (IsNumber(character)) return Class::kNumber;
  return Class::kOther;
}

// The end of the run of one class that begins at `begin`.
size_t RunEnd(absl::string_view text, size_t begin, Class run) {
  size_t end = begin;
  while (end < text.size()) {
    size_t next = end;
    if (ClassOf(NextCharacter(text, next)) != run) break;
    end = next;
  }
  return end;
}

size_t ContractionSize(absl::string_view text) {
  for (absl::string_view contraction :
       {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (absl::StartsWith(text, contraction)) return contraction.size();
  }
  return 0;
}

// The size of the word that begins `text`, which is not empty.
size_t WordSize(absl::string_view text) {
  if (text[0] == '\'') {
    if (const size_t size = ContractionSize(text); size > 0) return size;
  }
  // One space may precede a run of another class.
  const size_t begin = text[0] == ' ' && text.size() > 1 ? 1 : 0;
  size_t after = begin;
  const Class run = ClassOf(NextCharacter(text, after));
  if (run != Class::kSpace) return RunEnd(text, after, run);
  // The last of several spaces belongs to the word that follows.
  const size_t end = RunEnd(text, 0, Class::kSpace);
  if (end == text.size()) return end;
  size_t last = end;
  PreviousCharacter(text, last);
  return last > 0 ? last : end;
}

}  // namespace

void SplitByWordPattern(absl::string_view text,
                        absl::FunctionRef<void(absl::string_view)> take_word) {
  while (!text.empty()) {
    const size_t size = WordSize(text);
    take_word(text.substr(0, size));
    text.remove_prefix(size);
  }
}

}  // namespace sheaf
