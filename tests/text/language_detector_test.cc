// SPDX-License-Identifier: Apache-2.0

#include "text/language_detector.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<Language> Languages(const std::vector<std::string>& tags) {
  std::vector<Language> languages;
  languages.reserve(tags.size());
  for (const std::string& tag : tags) {
    languages.push_back(ReadLanguage(tag).value());
  }
  return languages;
}

// The best language's tag; "" if there is none.
std::string Best(absl::string_view text,
                 const std::vector<std::string>& expected = {}) {
  const std::vector<DetectedLanguage> detected =
      LanguageDetector(Languages(expected)).Detect(text);
  return detected.empty() ? "" : detected.front().language.ToString();
}

// The confidence of one language; 0 if it was not found.
float ConfidenceOf(absl::string_view text, const std::string& tag) {
  for (const DetectedLanguage& each : LanguageDetector().Detect(text)) {
    if (each.language.ToString() == tag) return each.confidence;
  }
  return 0;
}

TEST(LanguageDetectorTest, TellsLanguagesByTheirBcp47Tags) {
  for (const auto& [text, tag] :
       std::vector<std::pair<const char*, const char*>>{
           {"Where do you want to go today?", "en"},
           {"Wo möchten Sie heute hingehen?", "de"},
           {"Où voulez-vous aller aujourd'hui ?", "fr"},
           {"¿Adónde quiere ir usted hoy por la tarde?", "es"},
           {"Onde você gostaria de ir hoje à tarde?", "pt"},
           {"Jeg hedder Ole og jeg bor i Danmark.", "da"},
           {"Jeg heter Ole og jeg bor i Norge.", "no"},
           {"Eg heiter Ole og eg bur i Noreg.", "nn"},
           {"Saya tinggal di Jakarta dan bekerja di kantor.", "id"},
           {"Bună ziua, ce mai faceţi?", "ro"},
           {"Привет, как у тебя дела сегодня?", "ru"},
           {"Це українська мова.", "uk"},
           {"これは日本語です。", "ja"},
           {"안녕하세요", "ko"},
           {"ยินดีต้อนรับ", "th"},
           {"नमस्ते, आप कैसे हैं?", "hi"},
           // CLD2 has other codes for these.
           {"שלום, מה שלומך היום?", "he"},
           {"Kumusta ka? Ako ay Pilipino.", "fil"},
           {"Sugeng enjing, kepriye kabare?", "jv"},
           // Scripts.
           {"这是一个测试。", "zh-Hans"},
           {"這是一個測試。", "zh-Hant"},
           {"Ово је српски језик.", "sr"},
           {"O'zbek tilida yozilgan matn bu.", "uz"},
           {"Ўзбек тилида ёзилган матн.", "uz-Cyrl"},
           // A script of one language.
           {"ᱚᱞ ᱪᱤᱠᱤ ᱟᱠᱷᱚᱨ", "sat"},
       }) {
    EXPECT_EQ(Best(text), tag) << text;
  }
}

// The small tables of CLD2 do not have these languages.
TEST(LanguageDetectorTest, HasTheLargeTables) {
  EXPECT_EQ(Best("Қазақ тілінде жазылған мәтін."), "kk");
  EXPECT_EQ(Best("Ina kwana? Yaya gida da aiki a yau?"), "ha");
  EXPECT_EQ(Best("Saluton, kiel vi fartas hodiaŭ?"), "eo");
}

TEST(LanguageDetectorTest, TextsWithoutALetterHaveNone) {
  for (const char* text :
       {"", " \n\t", "12345", "---", "\U0001F600\U0001F600", "19:30 \u20ac"}) {
    EXPECT_THAT(LanguageDetector().Detect(text), IsEmpty()) << text;
  }
}

TEST(LanguageDetectorTest, ExpectedLanguagesAreFavoured) {
  const char kShort[] = "Mir gefällt mein Haus.";
  EXPECT_LE(ConfidenceOf(kShort, "de"), 0.5);
  const auto detected =
      LanguageDetector(Languages({"en", "de"})).Detect(kShort);
  ASSERT_FALSE(detected.empty());
  EXPECT_EQ(detected.front().language.code, "de");
  EXPECT_GT(detected.front().confidence, 0.9);
  // Without evidence they are not chosen.
  EXPECT_EQ(Best("Ciao", {"en", "de", "it"}), "it");
  EXPECT_EQ(Best("\u0416", {"ja", "de"}), "ru");
  // Close ones are not excluded.
  EXPECT_EQ(Best("這是一個測試。", {"en", "zh"}), "zh-Hant");
  EXPECT_EQ(Best("Jeg hedder Ole og jeg bor i Danmark.", {"en", "no"}), "da");
  // The others are still found.
  EXPECT_EQ(Best("Où voulez-vous aller aujourd'hui ?", {"en", "de"}), "fr");
  EXPECT_EQ(Best("Ha nincs ötleted, kérdezz meg.", {"en", "de"}), "hu");
}

TEST(LanguageDetectorTest, ConfidencesAreTheSharesOfTheLetters) {
  const std::string english =
      "The committee met on Tuesday to discuss the new proposal in detail. "
      "Nobody had expected so many people to come and listen to the speakers. "
      "After two hours the chairman thanked everyone and closed the meeting. "
      "The next one will be held in the library at the end of the month. ";
  const std::string german =
      "Der Ausschuss trat am Dienstag zusammen, um den Vorschlag zu beraten. ";
  EXPECT_GT(ConfidenceOf(english, "en"), 0.95);
  const std::string mixed = english + german;
  EXPECT_NEAR(ConfidenceOf(mixed, "en"), 0.8, 0.08);
  EXPECT_NEAR(ConfidenceOf(mixed, "de"), 0.2, 0.08);
  // Two letters are a guess.
  const std::vector<DetectedLanguage> guess = LanguageDetector().Detect("OK");
  ASSERT_FALSE(guess.empty());
  EXPECT_LE(guess.front().confidence, 0.5);
  float sum = 0;
  for (const DetectedLanguage& each : LanguageDetector().Detect(mixed)) {
    sum += each.confidence;
  }
  EXPECT_LE(sum, 1.001);
}

TEST(LanguageDetectorTest, PiecesOfALongTextCountTogether) {
  std::string text;
  while (text.size() < (1 << 20)) text += "Das ist ein längerer Satz. ";
  int num_asked = 0;
  const std::vector<DetectedLanguage> all =
      LanguageDetector().Detect(text, [&] { return ++num_asked > 0; });
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all.front().language.code, "de");
  EXPECT_GT(all.front().confidence, 0.95);
  // About once per 8 KiB.
  EXPECT_GT(num_asked, 100);
  EXPECT_LT(num_asked, 300);
  // Stops once the result is not wanted.
  num_asked = 0;
  LanguageDetector().Detect(text, [&] { return ++num_asked < 3; });
  EXPECT_EQ(num_asked, 3);
}

TEST(LanguageDetectorTest, ThreadsDoNotDisturbOneAnother) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"Where do you want to go today?", "en"},
      {"Wo möchten Sie heute hingehen?", "de"},
      {"这是一个测试。", "zh-Hans"},
      {"Ўзбек тилида ёзилган матн.", "uz-Cyrl"}};
  const LanguageDetector detector;
  std::vector<std::thread> threads;
  threads.reserve(cases.size());
  for (const auto& each : cases) {
    threads.emplace_back([&detector, each] {
      for (int i = 0; i < 100; ++i) {
        const auto detected = detector.Detect(each.first);
        ASSERT_FALSE(detected.empty());
        ASSERT_EQ(detected.front().language.ToString(), each.second);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A text at the very end of readable memory: a read behind it ends the test.
class TextAtTheEdge {
 public:
  explicit TextAtTheEdge(size_t max_bytes)
      : page_(sysconf(_SC_PAGESIZE)),
        bytes_((max_bytes / page_ + 1) * page_),
        memory_(static_cast<char*>(mmap(nullptr, bytes_ + page_,
                                        PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    mprotect(memory_ + bytes_, page_, PROT_NONE);
  }
  TextAtTheEdge(const TextAtTheEdge&) = delete;
  TextAtTheEdge& operator=(const TextAtTheEdge&) = delete;
  ~TextAtTheEdge() { munmap(memory_, bytes_ + page_); }

  absl::string_view Put(const std::string& text) {
    char* begin = memory_ + bytes_ - text.size();
    std::copy(text.begin(), text.end(), begin);
    return {begin, text.size()};
  }

 private:
  const size_t page_, bytes_;
  char* const memory_;
};

// CLD2 parses untrusted text and is not ours.
TEST(LanguageDetectorTest, AnyTextIsReadWithinItsBounds) {
  constexpr size_t kMaxBytes = 20000;
  TextAtTheEdge edge(kMaxBytes);
  std::mt19937 rng(24);
  const std::vector<std::string> parts = {"<",          ">",
                                          "&",          "&#x1F;",
                                          "<script>",   "<!--",
                                          "</",         "lang=\"de\"",
                                          " ",          "the ",
                                          "und ",       "\u6f22",
                                          "\u0e01",     "e\u0301",
                                          "\U0001F600", "\n",
                                          "ab",         std::string(1, '\0'),
                                          "\u0627",     "\u0430",
                                          "\uac00",     "\U00020000",
                                          "."};
  const LanguageDetector detector(Languages({"en", "de"}));
  for (int i = 0; i < 400; ++i) {
    std::string text;
    const size_t size = rng() % (i % 20 == 0 ? kMaxBytes - 8 : 60);
    const bool is_random = rng() % 2 == 0;
    while (text.size() < size) {
      if (!is_random) {
        text += parts[rng() % parts.size()];
        continue;
      }
      const auto character = static_cast<int32_t>(rng() % 0x110000);
      if (character >= 0xD800 && character < 0xE000) continue;
      AppendCharacter(character, text);
    }
    float sum = 0;
    for (const DetectedLanguage& each : detector.Detect(edge.Put(text))) {
      sum += each.confidence;
      ASSERT_GE(each.confidence, 0);
    }
    ASSERT_LE(sum, 1.01) << i;
  }
}

}  // namespace
}  // namespace sheaf
