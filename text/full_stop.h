// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "text/abbreviations.h"

namespace sheaf {

// A full stop with a space after it, and its surroundings.
struct FullStop {
  absl::string_view text;
  size_t at;  // of the full stop itself
  // The first letter or digit of the sentence, or one after `at` if the
  // sentence has none before it.
  size_t first;
  // The first letter or digit after the space, which is not a lower-case letter
  // of ordinary text.
  size_t next;
};

// Whether a sentence ends at the full stop, rather than an abbreviation, an
// initial, an ordinal or the number of a list item. Where both are possible, it
// is more often false, because a name that is cut in two is translated worse
// than two sentences in one.
//
// Reads a bounded number of bytes before and after the full stop.
bool EndsSentence(const FullStop& stop, const SentenceWords& words);

// The word that begins at `at`, at most 64 bytes of it: letters, digits, and
// apostrophes between them.
absl::string_view WordAt(absl::string_view text, size_t at);

bool IsLowerCase(int32_t character);
bool IsUpperCase(int32_t character);

}  // namespace sheaf
