// SPDX-License-Identifier: Apache-2.0

#include "train/evaluate/scores.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsPeriodOrComma(char c) { return c == '.' || c == ','; }

// ASCII punctuation except ' , - and the period, and the space.
bool IsSymbol(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') ||
         (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
         (c >= ':' && c <= '@') || c == '/';
}

// The separators of Python's str.split().
bool IsPythonSpace(int32_t character) {
  return IsWhitespace(character) || (character >= 0x1c && character <= 0x1f);
}

// Returns the characters of a text, without bytes that are not UTF-8.
std::u32string Characters(absl::string_view text) {
  std::u32string characters;
  if (!IsValidUtf8(text)) return characters;
  for (size_t at = 0; at < text.size();) {
    characters += static_cast<char32_t>(NextCharacter(text, at));
  }
  return characters;
}

std::vector<std::string> SplitAtSpace(absl::string_view text) {
  std::vector<std::string> words;
  bool is_in_word = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (IsPythonSpace(NextCharacter(text, at))) {
      is_in_word = false;
      continue;
    }
    if (!is_in_word) words.emplace_back();
    is_in_word = true;
    absl::StrAppend(&words.back(), text.substr(begin, at - begin));
  }
  return words;
}

// Each of these functions is one regular expression of the tokenization. It
// replaces matches from left to right, without overlap.

// A period or comma that follows no digit.
std::string PartAfterNoDigit(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (!IsDigit(text[i]) && i + 1 < text.size() &&
        IsPeriodOrComma(text[i + 1])) {
      absl::StrAppend(&out, " ", text.substr(++i, 1), " ");
    }
  }
  return out;
}

// A period or comma that no digit follows.
std::string PartBeforeNoDigit(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsPeriodOrComma(text[i]) && i + 1 < text.size() &&
        !IsDigit(text[i + 1])) {
      absl::StrAppend(&out, " ", text.substr(i, 1), " ", text.substr(i + 1, 1));
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

// A dash that follows a digit.
std::string PartDash(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (IsDigit(text[i]) && i + 1 < text.size() && text[i + 1] == '-') {
      out += " - ";
      ++i;
    }
  }
  return out;
}

// The words of ROUGE. Two characters outside ASCII have a lower case inside it.
std::vector<std::string> RougeWords(absl::string_view text) {
  std::vector<std::string> words;
  bool is_in_word = false;
  for (char32_t c : Characters(text)) {
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
    if (c == 0x212a) c = 'k';
    if (c == 0x130) c = 'i';
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (is_word && !is_in_word) words.emplace_back();
    if (is_word) words.back() += static_cast<char>(c);
    is_in_word = is_word;
  }
  return words;
}

double F1(double matches, double hypothesis, double reference) {
  if (matches == 0) return 0;
  const double precision = matches / hypothesis;
  const double recall = matches / reference;
  return 2 * precision * recall / (precision + recall);
}

double NgramF1(const std::vector<std::string>& hypothesis,
               const std::vector<std::string>& reference, size_t order) {
  const auto count = [&](const std::vector<std::string>& words) {
    std::map<std::vector<std::string>, int64_t> counts;
    for (size_t i = 0; i + order <= words.size(); ++i) {
      ++counts[{words.begin() + i, words.begin() + i + order}];
    }
    return counts;
  };
  const auto sum = [&](const std::vector<std::string>& words) {
    return words.size() < order ? 0.0 : double(words.size() - order + 1);
  };
  const auto expected = count(reference);
  int64_t matches = 0;
  for (const auto& [ngram, times] : count(hypothesis)) {
    const auto found = expected.find(ngram);
    if (found != expected.end()) matches += std::min(times, found->second);
  }
  return F1(static_cast<double>(matches), sum(hypothesis), sum(reference));
}

double SubsequenceF1(const std::vector<std::string>& a,
                     const std::vector<std::string>& b) {
  std::vector<int64_t> row(b.size() + 1);
  for (const std::string& word : a) {
    int64_t diagonal = 0;
    for (size_t j = 1; j <= b.size(); ++j) {
      const int64_t above = row[j];
      row[j] = word == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return F1(static_cast<double>(row.back()), static_cast<double>(a.size()),
            static_cast<double>(b.size()));
}

}  // namespace

std::vector<std::string> Tokenize13a(absl::string_view text) {
  std::string line = absl::StrReplaceAll(text, {{"<skipped>", ""}});
  line = absl::StrReplaceAll(line, {{"-\n", ""}});
  line = absl::StrReplaceAll(line, {{"\n", " "}});
  for (const auto& [entity, character] :
       {std::pair{"&quot;", "\""}, std::pair{"&amp;", "&"},
        std::pair{"&lt;", "<"}, std::pair{"&gt;", ">"}}) {
    line = absl::StrReplaceAll(line, {{entity, character}});
  }
  std::string parted;
  for (const char c : absl::StrCat(" ", line, " ")) {
    if (IsSymbol(c)) {
      absl::StrAppend(&parted, " ", std::string(1, c), " ");
    } else {
      parted += c;
    }
  }
  return SplitAtSpace(PartDash(PartBeforeNoDigit(PartAfterNoDigit(parted))));
}

std::vector<int32_t> Bleu::Ids(absl::string_view text) {
  std::vector<int32_t> ids;
  for (const std::string& word : Tokenize13a(text)) {
    const auto [place, is_new] =
        ids_.emplace(word, static_cast<int32_t>(ids_.size()));
    ids.push_back(place->second);
  }
  return ids;
}

void Bleu::Add(absl::string_view hypothesis,
               const std::vector<std::string>& references) {
  std::vector<std::vector<int32_t>> reference_ids;
  for (const std::string& reference : references) {
    reference_ids.push_back(Ids(reference));
  }
  counts_.Add(Ids(hypothesis), reference_ids);
  least_references_ = std::min(least_references_, references.size());
  most_references_ = std::max(most_references_, references.size());
}

std::string Bleu::Signature() const {
  return absl::StrCat("nrefs:",
                      least_references_ == most_references_
                          ? absl::StrCat(most_references_)
                          : "var",
                      "|case:mixed|eff:no|tok:13a|smooth:exp");
}

double Chrf::ScoreOf(const Counts& counts) {
  double precision = 0, recall = 0;
  int num_orders = 0;
  for (int i = 0; i < kMaxOrder; ++i) {
    if (counts.hypothesis[i] == 0 || counts.reference[i] == 0) continue;
    const double matches = static_cast<double>(counts.matches[i]);
    precision += matches / static_cast<double>(counts.hypothesis[i]);
    recall += matches / static_cast<double>(counts.reference[i]);
    ++num_orders;
  }
  if (precision + recall == 0) return 0;
  precision /= num_orders;
  recall /= num_orders;
  constexpr double kFactor = 4;  // beta 2, squared
  return 100 * (1 + kFactor) * precision * recall /
         (kFactor * precision + recall);
}

Chrf::Counts Chrf::Compare(const std::u32string& hypothesis,
                           const std::u32string& reference) {
  Counts result;
  const auto count = [](const std::u32string& text, size_t order) {
    std::map<std::u32string, int64_t> counts;
    for (size_t i = 0; i + order <= text.size(); ++i) {
      ++counts[text.substr(i, order)];
    }
    return counts;
  };
  for (int i = 0; i < kMaxOrder; ++i) {
    const auto expected = count(reference, i + 1);
    for (const auto& [ngram, times] : expected) result.reference[i] += times;
    for (const auto& [ngram, times] : count(hypothesis, i + 1)) {
      // An order for which the reference is too short does not count.
      if (!expected.empty()) result.hypothesis[i] += times;
      const auto found = expected.find(ngram);
      if (found != expected.end()) {
        result.matches[i] += std::min(times, found->second);
      }
    }
  }
  return result;
}

void Chrf::Add(absl::string_view hypothesis,
               const std::vector<std::string>& references) {
  const auto without_space = [](absl::string_view text) {
    std::u32string characters = Characters(text);
    std::erase_if(characters, [](char32_t c) {
      return IsPythonSpace(static_cast<int32_t>(c));
    });
    return characters;
  };
  const std::u32string characters = without_space(hypothesis);
  Counts best;
  double best_score = -1;
  for (const std::string& reference : references) {
    const Counts counts = Compare(characters, without_space(reference));
    const double score = ScoreOf(counts);
    if (score > best_score) {
      best_score = score;
      best = counts;
    }
  }
  for (int i = 0; i < kMaxOrder; ++i) {
    sum_.hypothesis[i] += best.hypothesis[i];
    sum_.reference[i] += best.reference[i];
    sum_.matches[i] += best.matches[i];
  }
}

double Chrf::Score() const { return ScoreOf(sum_); }

Rouge ScoreSummary(absl::string_view summary,
                   const std::vector<std::string>& references) {
  const std::vector<std::string> words = RougeWords(summary);
  Rouge best;
  for (const std::string& reference : references) {
    const std::vector<std::string> expected = RougeWords(reference);
    best.rouge1 = std::max(best.rouge1, NgramF1(words, expected, 1));
    best.rouge2 = std::max(best.rouge2, NgramF1(words, expected, 2));
    best.rougeL = std::max(best.rougeL, SubsequenceF1(words, expected));
  }
  return best;
}

}  // namespace sheaf
