// SPDX-License-Identifier: Apache-2.0

#include "text/unicode_form.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace sheaf {
namespace {

std::string ByIcu(UnicodeForm form, const std::string& text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer =
      form == UnicodeForm::kNfc ? icu::Normalizer2::getNFCInstance(error)
                                : icu::Normalizer2::getNFKCInstance(error);
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  normalizer->normalizeUTF8(0, text, sink, nullptr, error);
  EXPECT_TRUE(U_SUCCESS(error));
  return out;
}

// Letters, marks of many classes, marks that decompose to others or compose
// with what is before, and characters with compatibility forms.
std::string RandomText(std::mt19937& random, int num_marks) {
  const std::vector<std::string> marks = {
      "\xCC\x81",     "\xCC\xA3",     "\xCC\xB8",     "\xCD\x85",
      "\xCD\x84",     "\xE0\xBD\xB3", "\xE0\xBD\xB1", "\xE0\xBE\x81",
      "\xD6\xB0",     "\xE1\x85\xA1", "\xE1\x86\xA8", "\xF0\x9D\x85\xA5",
      "\xE0\xBE\xB5", "\xCC\x80"};
  const std::vector<std::string> others = {"a",
                                           "e",
                                           " ",
                                           "\xC3\xA9",
                                           "\xE1\xBA\x9B",
                                           "\xEF\xAC\x81",
                                           "\xE2\x85\xA7",
                                           "\xE1\x84\x80",
                                           "\xEA\xB0\x80",
                                           "\xE4\xB8\xAD",
                                           "\xE2\x84\xAB"};
  std::string text;
  for (int run = 0; run < 3; ++run) {
    text += others[random() % others.size()];
    for (size_t n = random() % (num_marks + 1); n > 0; --n) {
      text += marks[random() % marks.size()];
    }
  }
  return text;
}

TEST(UnicodeFormTest, TextsAreNormalizedAsUnicodeSays) {
  std::mt19937 random(1);
  for (int round = 0; round < 600; ++round) {
    const std::string text = RandomText(random, round % 2 == 0 ? 4 : 400);
    for (const UnicodeForm form : {UnicodeForm::kNfc, UnicodeForm::kNfkc}) {
      EXPECT_EQ(ToUnicodeForm(form, text), ByIcu(form, text));
    }
  }
  EXPECT_EQ(ToUnicodeForm(UnicodeForm::kNfc, ""), "");
}

// With ICU alone this takes minutes.
TEST(UnicodeFormTest, VeryManyMarksAreSortedAtOnce) {
  std::mt19937 random(2);
  std::string text = "a";
  while (text.size() < (2u << 20)) {
    text += random() % 2 == 0 ? "\xCC\x81" : "\xCC\xA3";
  }
  const std::string out = ToUnicodeForm(UnicodeForm::kNfkc, text);
  EXPECT_EQ(out.substr(0, 5), "\xE1\xBA\xA1\xCC\xA3");  // marks below first
  EXPECT_EQ(out.substr(out.size() - 2), "\xCC\x81");
}

}  // namespace
}  // namespace sheaf
