// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "train/common/ngram_bleu.h"

namespace sheaf {

// The scores of translation and summarization that are usually published: BLEU
// and chrF with the defaults of sacreBLEU 2, ROUGE as in the package
// rouge-score without stemming. Texts are UTF-8.

// Splits a text into words as mteval-v13a does ("13a").
std::vector<std::string> Tokenize13a(absl::string_view text);

// BLEU of a corpus. The number of references may differ between sentences.
class Bleu {
 public:
  void Add(absl::string_view hypothesis,
           const std::vector<std::string>& references);

  const BleuCounts& counts() const { return counts_; }
  double Score() const { return counts_.Score(); }
  // "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp", as in sacreBLEU, except for
  // its version.
  std::string Signature() const;

 private:
  std::vector<int32_t> Ids(absl::string_view text);

  BleuCounts counts_;
  std::unordered_map<std::string, int32_t> ids_;  // of words
  size_t least_references_ = SIZE_MAX, most_references_ = 0;
};

// chrF2 of a corpus (Popovic 2015): character n-grams up to 6 without white
// space, with a double weight for recall. Of several references, the one with
// the best score counts.
class Chrf {
 public:
  void Add(absl::string_view hypothesis,
           const std::vector<std::string>& references);
  double Score() const;  // 0 to 100

 private:
  static constexpr int kMaxOrder = 6;
  struct Counts {
    int64_t hypothesis[kMaxOrder] = {};
    int64_t reference[kMaxOrder] = {};
    int64_t matches[kMaxOrder] = {};
  };
  static double ScoreOf(const Counts& counts);
  static Counts Compare(const std::u32string& hypothesis,
                        const std::u32string& reference);

  Counts sum_;
};

// F1 of one summary, 0 to 1, by unigrams, bigrams, and the longest common
// subsequence of the whole texts. Words are runs of a-z and 0-9 in lower case.
// If there are several references, the best counts for each figure.
struct Rouge {
  double rouge1 = 0, rouge2 = 0, rougeL = 0;
};
Rouge ScoreSummary(absl::string_view summary,
                   const std::vector<std::string>& references);

}  // namespace sheaf
