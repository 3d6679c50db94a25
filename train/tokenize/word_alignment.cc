// SPDX-License-Identifier: Apache-2.0

#include "train/tokenize/word_alignment.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_map.h"

namespace sheaf {
namespace {

// The source of target tokens that translate nothing. Larger than any 16-bit
// id.
constexpr uint32_t kNull = TokenFile::kMaxVocab;

// (source id, target id) -> number
using Table = absl::flat_hash_map<uint64_t, float>;

uint64_t Key(uint32_t source, uint32_t target) {
  return uint64_t{source} << 16 | target;
}

// Returns the number of ids at the beginning that all sources share.
size_t PromptLength(const TokenFile& file) {
  const auto first = file.at(0).source;
  size_t length = first.size() - 1;
  for (int64_t i = 1; i < file.size() && length > 0; ++i) {
    const auto source = file.at(i).source;
    length = std::min(length, source.size() - 1);
    length =
        std::mismatch(first.begin(), first.begin() + length, source.begin())
            .first -
        first.begin();
  }
  return length;
}

class Model {
 public:
  Model(const AlignmentOptions& options, size_t prompt)
      : options_(options), prompt_(prompt) {}

  bool Fits(const TokenFile::Pair& pair) const {
    return pair.source.size() > prompt_ + 1 &&
           pair.source.size() < TokenFile::kUnaligned && pair.target.size() > 1;
  }

  // Computes the weights of the source places for target token j, with that of
  // the null source last, and their sum.
  double Weigh(const TokenFile::Pair& pair, size_t j,
               std::vector<double>& weights) const {
    const uint32_t target = pair.target[j];
    const size_t n = pair.source.size() - prompt_ - 1;
    const double at = (j + 0.5) / static_cast<double>(pair.target.size() - 1);
    weights.resize(n + 1);
    double prior_sum = 0;
    for (size_t i = 0; i < n; ++i) {
      weights[i] = std::exp(-options_.diagonal *
                            std::abs((i + 0.5) / static_cast<double>(n) - at));
      prior_sum += weights[i];
    }
    double sum = 0;
    for (size_t i = 0; i < n; ++i) {
      weights[i] *= (1 - options_.null_share) / prior_sum *
                    Probability(pair.source[prompt_ + i], target);
      sum += weights[i];
    }
    weights[n] = options_.null_share * Probability(kNull, target);
    return sum + weights[n];
  }

  // One iteration of expectation and maximisation.
  void Improve(const TokenFile& file) {
    Table counts;
    counts.reserve(table_.size());
    std::vector<double> totals(kNull + 1);
    std::vector<double> weights;
    for (int64_t p = 0; p < file.size(); ++p) {
      const TokenFile::Pair pair = file.at(p);
      if (!Fits(pair)) continue;
      for (size_t j = 0; j + 1 < pair.target.size(); ++j) {
        const double sum = Weigh(pair, j, weights);
        if (sum <= 0) continue;
        for (size_t i = 0; i < weights.size(); ++i) {
          const uint32_t source =
              i + 1 == weights.size() ? kNull : pair.source[prompt_ + i];
          const double share = weights[i] / sum;
          counts[Key(source, pair.target[j])] += static_cast<float>(share);
          totals[source] += share;
        }
      }
    }
    for (auto& [key, count] : counts) {
      count = static_cast<float>(count / totals[key >> 16]);
    }
    table_ = std::move(counts);
  }

  std::vector<uint8_t> Align(const TokenFile::Pair& pair) const {
    std::vector<uint8_t> places(pair.target.size(), TokenFile::kUnaligned);
    if (!Fits(pair)) return places;
    std::vector<double> weights;
    for (size_t j = 0; j + 1 < pair.target.size(); ++j) {
      Weigh(pair, j, weights);
      const size_t best =
          std::max_element(weights.begin(), weights.end()) - weights.begin();
      if (best + 1 < weights.size()) {
        places[j] = static_cast<uint8_t>(prompt_ + best);
      }
    }
    places.back() = static_cast<uint8_t>(pair.source.size() - 1);
    return places;
  }

 private:
  double Probability(uint32_t source, uint32_t target) const {
    if (table_.empty()) return 1;  // before the first iteration
    const auto found = table_.find(Key(source, target));
    return found == table_.end() ? 0 : found->second;
  }

  const AlignmentOptions options_;
  const size_t prompt_;
  Table table_;
};

// Returns the number of ids that agree around source[i] and target[j],
// including these.
size_t Agreement(const TokenFile::Pair& pair, size_t i, size_t j) {
  size_t n = 1;
  for (size_t k = 1; k <= std::min(i, j); ++k, ++n) {
    if (pair.source[i - k] != pair.target[j - k]) break;
  }
  const size_t after = std::min(pair.source.size() - i, pair.target.size() - j);
  for (size_t k = 1; k < after; ++k, ++n) {
    if (pair.source[i + k] != pair.target[j + k]) break;
  }
  return n;
}

}  // namespace

void AlignWords(const AlignmentOptions& options, TokenFile& file) {
  if (file.size() == 0) return;
  Model model(options, PromptLength(file));
  for (int i = 0; i < options.num_iterations; ++i) model.Improve(file);
  for (int64_t p = 0; p < file.size(); ++p) {
    file.SetAlignment(p, model.Align(file.at(p)));
  }
}

void AlignCopies(double most_common, TokenFile& file) {
  if (file.size() == 0) return;
  const size_t prompt = PromptLength(file);
  std::vector<int64_t> num_sources(TokenFile::kMaxVocab);
  std::vector<int64_t> last_in(TokenFile::kMaxVocab, -1);
  for (int64_t p = 0; p < file.size(); ++p) {
    for (const uint16_t id : file.at(p).source) {
      num_sources[id] += last_in[id] != p;
      last_in[id] = p;
    }
  }
  const double limit = most_common * static_cast<double>(file.size());
  for (int64_t p = 0; p < file.size(); ++p) {
    const TokenFile::Pair pair = file.at(p);
    std::vector<uint8_t> places(pair.target.size(), TokenFile::kUnaligned);
    const size_t end =
        std::min<size_t>(pair.source.size() - 1, TokenFile::kUnaligned);
    for (size_t j = 0; j + 1 < pair.target.size(); ++j) {
      const bool is_common =
          static_cast<double>(num_sources[pair.target[j]]) > limit;
      size_t longest = is_common ? 1 : 0;
      for (size_t i = prompt; i < end; ++i) {
        if (pair.source[i] != pair.target[j]) continue;
        const size_t n = Agreement(pair, i, j);
        if (n <= longest) continue;
        longest = n;
        places[j] = static_cast<uint8_t>(i);
      }
    }
    file.SetAlignment(p, places);
  }
}

}  // namespace sheaf
