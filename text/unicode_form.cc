// SPDX-License-Identifier: Apache-2.0

#include "text/unicode_form.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/check.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// ICU sorts the marks after a letter by insertion. Longer runs are sorted here,
// so that it finds them in order.
constexpr size_t kMaxUnsortedMarks = 64;

// Appends what `character` decomposes to, or itself.
void Decompose(int32_t character, const icu::Normalizer2& form,
               std::vector<int32_t>& out) {
  icu::UnicodeString decomposition;
  if (!form.getDecomposition(character, decomposition)) {
    out.push_back(character);
    return;
  }
  for (int32_t at = 0; at < decomposition.length();) {
    out.push_back(decomposition.char32At(at));
    at = decomposition.moveIndex32(at, 1);
  }
}

// Sorts the marks between two letters by their classes, as Unicode requires.
void SortMarks(std::vector<int32_t>& characters) {
  const auto is_mark = [](int32_t character) {
    return u_getCombiningClass(character) != 0;
  };
  for (auto begin = characters.begin(); begin != characters.end();) {
    const auto end = std::find_if_not(begin, characters.end(), is_mark);
    std::stable_sort(begin, end, [](int32_t a, int32_t b) {
      return u_getCombiningClass(a) < u_getCombiningClass(b);
    });
    begin = std::find_if(end, characters.end(), is_mark);
  }
}

// The end of the run of characters from `begin` that may be reordered or
// composed with others before them.
size_t RunEnd(absl::string_view text, size_t begin,
              const icu::Normalizer2& form, size_t& num_characters) {
  num_characters = 0;
  while (begin < text.size()) {
    size_t next = begin;
    if (form.hasBoundaryBefore(NextCharacter(text, next))) break;
    begin = next;
    ++num_characters;
  }
  return begin;
}

// The text with its long runs of marks decomposed and sorted, which does not
// change its normalization forms.
std::string SortLongRuns(absl::string_view text, const icu::Normalizer2& form) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    size_t num_characters = 0;
    at = RunEnd(text, begin, form, num_characters);
    if (num_characters <= kMaxUnsortedMarks) {
      if (num_characters == 0) NextCharacter(text, at);
      out.append(text.data() + begin, at - begin);
      continue;
    }
    std::vector<int32_t> characters;
    characters.reserve(num_characters);
    for (size_t next = begin; next < at;) {
      Decompose(NextCharacter(text, next), form, characters);
    }
    SortMarks(characters);
    for (const int32_t character : characters) AppendCharacter(character, out);
  }
  return out;
}

}  // namespace

std::string ToUnicodeForm(UnicodeForm form, absl::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer =
      form == UnicodeForm::kNfc ? icu::Normalizer2::getNFCInstance(error)
                                : icu::Normalizer2::getNFKCInstance(error);
  SHEAF_CHECK(U_SUCCESS(error));
  const std::string sorted = SortLongRuns(text, *normalizer);
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  normalizer->normalizeUTF8(
      0, icu::StringPiece(sorted.data(), static_cast<int32_t>(sorted.size())),
      sink, /*edits=*/nullptr, error);
  SHEAF_CHECK(U_SUCCESS(error));
  return out;
}

void AppendDecomposed(int32_t character, std::vector<int32_t>& out) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFKDInstance(error);
  SHEAF_CHECK(U_SUCCESS(error));
  Decompose(character, *normalizer, out);
}

}  // namespace sheaf
