// SPDX-License-Identifier: Apache-2.0

#include "text/language_codes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace sheaf {
namespace {

// Codes of checkpoints, and the beginnings of BCP 47 tags that mean the same.
// Everything else is a tag already, or ICU has its canonical form.
constexpr std::pair<absl::string_view, absl::string_view> kCodes[] = {
    // Codes of ISO 639-3 for the usual form of a language.
    {"fuv", "ff"},
    {"pbt", "ps"},
    {"quy", "qu"},
    // A language that ICU takes for another one (KeepsItsCode()).
    {"twi", "tw"},
    // Codes that are not in ISO 639.
    {"jap", "ja"},
    {"ns", "nso"},
    {"pob", "pt-BR"},
    {"hbs", "sr-Latn"},
    // Korean in Hangul is Korean as it is usually written.
    {"kor-hang", "ko"},
    {"ko-hang", "ko"},
};

// ISO 639-5, and the codes of ISO 639-2 for several, other or no languages.
constexpr absl::string_view kGroups[] = {
    "aav", "afa", "alg", "alv", "apa", "aqa", "aql", "art", "ath", "auf", "aus",
    "awd", "azc", "bad", "bai", "bat", "ber", "bih", "bnt", "btk", "cai", "cau",
    "cba", "ccn", "ccs", "cdc", "cdd", "cel", "cmc", "cpe", "cpf", "cpp", "crp",
    "csu", "cus", "day", "dmn", "dra", "egx", "esx", "euq", "fiu", "fox", "gem",
    "gme", "gmq", "gmw", "grk", "hmx", "hok", "hyx", "iir", "ijo", "inc", "ine",
    "ira", "iro", "itc", "jpx", "kar", "kdo", "khi", "kro", "map", "mis", "mkh",
    "mno", "mul", "mun", "myn", "nah", "nai", "ngf", "nic", "nub", "omq", "omv",
    "oto", "paa", "phi", "plf", "poz", "pqe", "pqw", "pra", "qwe", "roa", "sai",
    "sal", "sdv", "sem", "sgn", "sio", "sit", "sla", "smi", "son", "sqj", "ssa",
    "syd", "tai", "tbq", "trk", "tup", "tut", "tuw", "und", "urj", "wak", "wen",
    "xgn", "xnd", "ypk", "zhx", "zle", "zls", "zlw", "znd", "zxx"};

// The region of a code that names none: "pt_XX".
constexpr absl::string_view kNoRegion = "-XX";

}  // namespace

std::string ToBcp47(absl::string_view code) {
  std::string tag = absl::StrReplaceAll(code, {{"_", "-"}});
  const std::string lower = absl::AsciiStrToLower(tag);
  for (const auto& [from, to] : kCodes) {
    if (lower == from || absl::StartsWith(lower, absl::StrCat(from, "-"))) {
      tag = absl::StrCat(to, tag.substr(from.size()));
      break;
    }
  }
  if (absl::EndsWithIgnoreCase(tag, kNoRegion)) {
    tag.resize(tag.size() - kNoRegion.size());
  }
  return tag;
}

bool IsLanguageGroup(absl::string_view code) {
  return std::binary_search(std::begin(kGroups), std::end(kGroups),
                            absl::AsciiStrToLower(code));
}

bool KeepsItsCode(absl::string_view code) {
  return absl::EqualsIgnoreCase(code, "tw");
}

}  // namespace sheaf
