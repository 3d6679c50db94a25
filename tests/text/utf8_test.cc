// SPDX-License-Identifier: Apache-2.0

#include "text/utf8.h"

#include <gtest/gtest.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <cstdint>
#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace sheaf {
namespace {

constexpr auto kForever = [] { return true; };

// The definition: ICU's NFKC of the whole text.
int64_t BytesOfNfkc(const std::string& text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(error);
  std::string out;
  nfkc->normalize(icu::UnicodeString::fromUTF8(text), error).toUTF8String(out);
  EXPECT_TRUE(U_SUCCESS(error));
  return static_cast<int64_t>(out.size());
}

void Append(int32_t character, std::string& text) {
  icu::UnicodeString(static_cast<UChar32>(character)).toUTF8String(text);
}

std::string Repeat(const std::string& unit, size_t bytes) {
  std::string text;
  while (text.size() + unit.size() <= bytes) text += unit;
  return text;
}

TEST(NormalizedBytesTest, IsWhatNfkcHasWhereRunsOfMarksAreShort) {
  constexpr int kTexts = 200, kCharacters = 2000, kMostMarks = 30;
  // Marks that are reordered, marks that compose, letters, jamo that form
  // syllables, and characters that become longer.
  const std::vector<int32_t> marks = {0x301, 0x316,  0x327,
                                      0x323, 0x3099, 0x93C};
  const std::vector<int32_t> others = {'a',    'e',    ' ',    0x1100, 0x1161,
                                       0x11A8, 0xFDFA, 0xFB01, 0x304B, 0x1F600,
                                       0x915,  0xE9,   0x4F60};
  std::mt19937 random(1);
  for (int i = 0; i < kTexts; ++i) {
    std::string text;
    int num_marks = 0;
    for (int j = 0; j < kCharacters; ++j) {
      const bool is_mark = num_marks < kMostMarks && random() % 4 != 0;
      num_marks = is_mark ? num_marks + 1 : 0;
      const std::vector<int32_t>& from = is_mark ? marks : others;
      Append(from[random() % from.size()], text);
    }
    ASSERT_EQ(NormalizedBytes(text, kForever), BytesOfNfkc(text)) << i;
  }
}

TEST(NormalizedBytesTest, IsNeverLessThanNfkcHas) {
  constexpr int kTexts = 200, kCharacters = 2000;
  std::mt19937 random(2);
  for (int i = 0; i < kTexts; ++i) {
    std::string text;
    for (int j = 0; j < kCharacters; ++j) {
      Append(random() % 100 == 0 ? 'e' : 0x300 + random() % 0x70, text);
    }
    ASSERT_GE(NormalizedBytes(text, kForever), BytesOfNfkc(text)) << i;
  }
}

TEST(NormalizedBytesTest, EndsOnceItIsNotWanted) {
  int num_questions = 0;
  const std::string text(1 << 20, 'a');
  EXPECT_LT(NormalizedBytes(text, [&] { return ++num_questions < 3; }),
            int64_t{1} << 19);
  EXPECT_EQ(num_questions, 3);
}

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

TEST(NormalizedBytesTest, TakesTimeLinearInTheTextWhateverItIsMadeOf) {
  // 16 times the text would take 256 times as long if time were quadratic.
  constexpr size_t kSmall = 64 << 10, kLarge = 1 << 20;
  for (const char* unit :
       {"\u0301\u0316", "a\u0316\u0301", "a", "\u4F60", "\u0E2A\u0E27\u0E31",
        "\n", "\U0001F600", ".", "\u1100\u1161\u11A8", "\u0915\u094D"}) {
    const auto time = [&](size_t bytes) {
      const std::string text = Repeat(unit, bytes);
      const double begin = CpuSeconds();
      NormalizedBytes(text, kForever);
      return CpuSeconds() - begin;
    };
    const double small = time(kSmall), large = time(kLarge);
    EXPECT_LT(large, 64 * small + 0.01) << unit;
  }
}

TEST(CharacterKindTest, OfAsciiIsWhatUnicodeSays) {
  for (int32_t c = 0; c < 0x100; ++c) {
    const uint32_t category = U_GET_GC_MASK(c);
    EXPECT_EQ(IsLetter(c), (category & U_GC_L_MASK) != 0) << c;
    EXPECT_EQ(IsNumber(c), (category & U_GC_N_MASK) != 0) << c;
    EXPECT_EQ(IsLetterOrDigit(c), u_isalnum(c) != 0) << c;
    EXPECT_EQ(IsWhitespace(c), u_isUWhiteSpace(c) != 0) << c;
    EXPECT_EQ(IsWordCharacter(c),
              u_isUAlphabetic(c) ||
                  (category & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0)
        << c;
  }
}

TEST(CharacterBeginTest, IsThePlaceItselfOrTheBeginningOfItsCharacter) {
  const std::string text = "a\u00E9\u4F60";  // of 1, 2 and 3 bytes
  const std::vector<size_t> begins = {0, 1, 1, 3, 3, 3, 6};
  for (size_t at = 0; at < begins.size(); ++at) {
    EXPECT_EQ(CharacterBegin(text, at), begins[at]) << at;
  }
}

}  // namespace
}  // namespace sheaf
