// SPDX-License-Identifier: Apache-2.0

#include "text/language_detector.h"

#include <cld2/public/encodings.h>
#include <unicode/uscript.h>

#include <cstdio>
// clang-format off
// After <cstdio>, because it uses FILE without including it.
#include <cld2/public/compact_lang_det.h>
// clang-format on

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Enough for a certain result, and less than a millisecond.
constexpr size_t kPieceBytes = 8 << 10;
// CLD2 uses no more of them.
constexpr size_t kMaxHints = 4;
constexpr float kUnreliableWeight = 0.5f;

// A language of CLD2, with the scripts in which CLD2 knows it, the usual one
// first.
struct KnownLanguage {
  std::optional<Language> language;  // none: not the name of a language
  std::string code;                  // CLD2's
  std::vector<std::string> scripts;  // "Latn"; empty if there is only one
  int close_set = 0;  // languages of a set are close; 0: it has none
};

// The tag of a language whose code CLD2 gives. Empty: it is none, or a joke.
std::string TagOf(absl::string_view code) {
  if (code.empty() || code == "un" || code == "xxx" || code == "tlh" ||
      absl::StartsWith(code, "zz")) {
    return "";
  }
  // A script whose language CLD2 does not tell.
  if (absl::ConsumePrefix(&code, "xx-")) return TagOfScript(code);
  if (code == "zh") return "zh-Hans";
  if (code == "sr-ME") return "sr-Latn";
  return std::string(code);
}

KnownLanguage Know(CLD2::Language number) {
  KnownLanguage known;
  known.code = CLD2::LanguageCode(number);
  known.close_set = CLD2::LanguageCloseSet(number);
  known.language = ReadLanguage(TagOf(known.code));
  // A client may send the tag back.
  if (known.language && !known.language->is_known) known.language.reset();
  constexpr int kMostScripts = 4;
  for (int i = 0; i < kMostScripts; ++i) {
    const auto script = CLD2::LanguageRecognizedScript(number, i);
    if (script == CLD2::ULScript_Common) break;
    known.scripts.emplace_back(CLD2::ULScriptCode(script));
  }
  // Those of the tag are told apart by CLD2 itself.
  if (known.scripts.size() == 1 ||
      (known.language && known.language->has_script)) {
    known.scripts.clear();
  }
  return known;
}

// By the number that CLD2 gives a language.
const std::vector<KnownLanguage>& KnownLanguages() {
  static const auto* const all = [] {
    auto* list = new std::vector<KnownLanguage>;
    list->reserve(CLD2::NUM_LANGUAGES);
    for (int i = 0; i < CLD2::NUM_LANGUAGES; ++i) {
      list->push_back(Know(static_cast<CLD2::Language>(i)));
    }
    return list;
  }();
  return *all;
}

// CLD2's code of a language, as a hint; empty if there is none. A hint for one
// of several close languages would exclude the others, as one for Chinese
// excludes its other script.
std::string HintFor(const Language& language) {
  for (const KnownLanguage& known : KnownLanguages()) {
    if (known.language && known.language->code == language.code) {
      const bool has_close = known.close_set != 0 || language.code == "zh";
      return has_close ? "" : known.code;
    }
  }
  return "";
}

// Those of the scripts with the most letters in `piece`; "" if none has any.
std::string MostUsed(absl::Span<const std::string> scripts,
                     absl::string_view piece) {
  std::vector<int> counts(scripts.size());
  for (size_t at = 0; at < piece.size();) {
    UErrorCode status = U_ZERO_ERROR;
    const UScriptCode script =
        uscript_getScript(NextCharacter(piece, at), &status);
    const char* name = uscript_getShortName(script);
    for (size_t i = 0; i < scripts.size(); ++i) counts[i] += scripts[i] == name;
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  return *most == 0 ? "" : scripts[most - counts.begin()];
}

// The language as it is written in `piece`.
Language AsWritten(const KnownLanguage& known, absl::string_view piece) {
  const Language& language = *known.language;
  if (known.scripts.empty()) return language;
  const std::string script = MostUsed(known.scripts, piece);
  if (script.empty() || script == language.script) return language;
  return ReadLanguage(absl::StrCat(language.code, "-", script))
      .value_or(language);
}

int LetterBytes(absl::string_view piece) {
  size_t bytes = 0;
  for (size_t at = 0; at < piece.size();) {
    const size_t begin = at;
    if (IsLetter(NextCharacter(piece, at))) bytes += at - begin;
  }
  return static_cast<int>(bytes);
}

// The languages that CLD2 finds in a piece.
struct Verdict {
  std::array<CLD2::Language, 3> languages;
  std::array<int, 3> percents;  // of the bytes of letters
  int letter_bytes = 0;         // that CLD2 counts
  bool is_reliable = false;
};

// CLD2 reads one byte behind the piece, which a std::string has.
Verdict Ask(const std::string& piece, const std::string& hints, int flags) {
  Verdict verdict;
  const CLD2::CLDHints hint = {hints.empty() ? nullptr : hints.c_str(),
                               /*tld_hint=*/nullptr, CLD2::UNKNOWN_ENCODING,
                               CLD2::UNKNOWN_LANGUAGE};
  std::array<double, 3> scores;
  CLD2::ExtDetectLanguageSummary(
      piece.data(), static_cast<int>(piece.size()), /*is_plain_text=*/true,
      &hint, flags, verdict.languages.data(), verdict.percents.data(),
      scores.data(), /*resultchunkvector=*/nullptr, &verdict.letter_bytes,
      &verdict.is_reliable);
  return verdict;
}

// The end of the piece that begins at `begin`, behind white space if there is
// some in its second half.
size_t PieceEnd(absl::string_view text, size_t begin) {
  if (text.size() - begin <= kPieceBytes) return text.size();
  const size_t end = CharacterBegin(text, begin + kPieceBytes);
  const size_t space = text.substr(0, end).find_last_of(" \t\r\n");
  return space == absl::string_view::npos || space < begin + kPieceBytes / 2
             ? end
             : space + 1;
}

// Adds up the bytes of letters in each language.
class Shares {
 public:
  void Add(const std::string& piece, const std::string& hints) {
    const int letter_bytes = LetterBytes(piece);
    if (letter_bytes == 0) return;
    letter_bytes_ += static_cast<float>(letter_bytes);
    float weight = 1;
    Verdict verdict = Ask(piece, hints, /*flags=*/0);
    if (verdict.languages[0] == CLD2::UNKNOWN_LANGUAGE ||
        !verdict.is_reliable) {
      // Without hints, which would decide alone where letters tell nothing.
      verdict = Ask(piece, /*hints=*/"", CLD2::kCLDFlagBestEffort);
      weight = kUnreliableWeight;
    }
    // The percents are whole numbers and add up to this at most, because CLD2
    // counts one byte more in the whole than in its parts. It leaves out what
    // repeats itself.
    const int counted = std::max(2, verdict.letter_bytes);
    const int all_percents = 100 * (counted - 1) / counted;
    const float per_percent = weight * static_cast<float>(letter_bytes) /
                              static_cast<float>(all_percents);
    for (size_t i = 0; i < verdict.languages.size(); ++i) {
      const KnownLanguage& known = KnownLanguages()[verdict.languages[i]];
      if (verdict.percents[i] == 0 || !known.language) continue;
      AddBytes(AsWritten(known, piece),
               per_percent * static_cast<float>(verdict.percents[i]));
    }
  }

  std::vector<DetectedLanguage> MostConfidentFirst() && {
    for (DetectedLanguage& each : shares_) {
      each.confidence = std::min(1.0f, each.confidence / letter_bytes_);
    }
    std::stable_sort(shares_.begin(), shares_.end(),
                     [](const DetectedLanguage& a, const DetectedLanguage& b) {
                       return a.confidence > b.confidence;
                     });
    return std::move(shares_);
  }

 private:
  void AddBytes(const Language& language, float bytes) {
    for (DetectedLanguage& each : shares_) {
      if (!IsSame(each.language, language)) continue;
      each.confidence += bytes;
      return;
    }
    shares_.push_back({language, bytes});
  }

  std::vector<DetectedLanguage> shares_;  // with bytes as confidences
  float letter_bytes_ = 0;
};

}  // namespace

LanguageDetector::LanguageDetector(absl::Span<const Language> expected) {
  if (expected.size() > kMaxHints) return;
  std::vector<std::string> codes;
  for (const Language& language : expected) {
    std::string code = HintFor(language);
    if (!code.empty()) codes.push_back(std::move(code));
  }
  hints_ = absl::StrJoin(codes, ",");
}

std::vector<DetectedLanguage> LanguageDetector::Detect(
    absl::string_view text, absl::FunctionRef<bool()> is_wanted) const {
  Shares shares;
  for (size_t begin = 0; begin < text.size() && is_wanted();) {
    const size_t end = PieceEnd(text, begin);
    shares.Add(std::string(text.substr(begin, end - begin)), hints_);
    begin = end;
  }
  return std::move(shares).MostConfidentFirst();
}

}  // namespace sheaf
