// SPDX-License-Identifier: Apache-2.0

#include "text/markup/chunk_choice.h"

#include <cstddef>

namespace sheaf {
namespace {

// Chooses in two rounds. In the first one, no range contains another label. In
// the second one, ranges grow over single words that are labelled otherwise,
// but not over what was chosen in the first one.
class Chooser {
 public:
  Chooser(absl::Span<const int32_t> labels, size_t num_children)
      : positions_(num_children),
        num_known_(labels.size() + 1),
        num_labelled_(labels.size() + 1),
        num_chosen_(labels.size() + 1) {
    for (size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] >= 0) {
        positions_[static_cast<size_t>(labels[i])].push_back(i);
      }
      num_known_[i + 1] = num_known_[i] + (labels[i] != kUnknownWord ? 1 : 0);
      num_labelled_[i + 1] = num_labelled_[i] + (labels[i] >= 0 ? 1 : 0);
    }
  }

  std::vector<TextRange> Choose() {
    std::vector<TextRange> ranges;
    ranges.reserve(positions_.size());
    std::vector<int64_t> begins(num_known_.size());
    for (const Positions& positions : positions_) {
      ranges.push_back(ChooseFirst(positions));
      if (positions.empty()) continue;
      begins[positions[ranges.back().begin]] = 1;
    }
    for (size_t i = 0; i + 1 < begins.size(); ++i) {
      num_chosen_[i + 1] = num_chosen_[i] + begins[i];
    }
    for (size_t i = 0; i < ranges.size(); ++i) {
      const Positions& positions = positions_[i];
      if (positions.empty()) continue;
      const TextRange grown = Grow(positions, ranges[i]);
      ranges[i] = {positions[grown.begin], positions[grown.end - 1] + 1};
    }
    return ranges;
  }

 private:
  using Positions = std::vector<size_t>;

  // The number of words between two of a label, by one of the sums.
  static int64_t Between(const std::vector<int64_t>& sums, size_t a, size_t b) {
    return sums[b] - sums[a + 1];
  }

  // A range of indexes of `positions`, the heaviest without another label.
  TextRange ChooseFirst(const Positions& positions) const {
    TextRange best;
    int64_t best_sum = 0;
    size_t begin = 0;
    int64_t sum = 0;
    for (size_t i = 0; i < positions.size(); ++i) {
      int64_t gap = 0;
      if (i > 0) {
        gap = Between(num_known_, positions[i - 1], positions[i]);
        if (Between(num_labelled_, positions[i - 1], positions[i]) > 0 ||
            sum <= gap) {
          sum = gap = 0;
          begin = i;
        }
      }
      sum += 1 - gap;
      if (sum > best_sum) {
        best_sum = sum;
        best = {begin, i + 1};
      }
    }
    return best;
  }

  // Grows a range of indexes of `positions` to both sides, so far as that gains
  // more words of the label than others.
  TextRange Grow(const Positions& positions, TextRange range) const {
    TextRange grown = range;
    const auto gain = [&](size_t a, size_t b) {
      return 1 - Between(num_known_, positions[a], positions[b]);
    };
    const auto is_free = [&](size_t a, size_t b) {
      return Between(num_chosen_, positions[a], positions[b]) == 0;
    };
    int64_t sum = 0;
    int64_t best = 0;
    for (size_t i = range.end; i < positions.size() && is_free(i - 1, i); ++i) {
      sum += gain(i - 1, i);
      if (sum > best) {
        best = sum;
        grown.end = i + 1;
      }
    }
    sum = best = 0;
    for (size_t i = range.begin; i > 0 && is_free(i - 1, i); --i) {
      sum += gain(i - 1, i);
      if (sum > best) {
        best = sum;
        grown.begin = i - 1;
      }
    }
    return grown;
  }

  std::vector<Positions> positions_;  // by label
  // Sums over the words before an index:
  std::vector<int64_t> num_known_;     // all except unknown ones
  std::vector<int64_t> num_labelled_;  // words of any child
  std::vector<int64_t> num_chosen_;  // beginnings of ranges of the first round
};

}  // namespace

std::vector<TextRange> ChooseChunks(absl::Span<const int32_t> labels,
                                    size_t num_children) {
  return Chooser(labels, num_children).Choose();
}

size_t ChooseCut(absl::Span<const int32_t> labels, int32_t label,
                 bool is_front) {
  // The words of the front that are on the right side, minus those that are
  // not, relative to an empty front.
  int64_t sum = 0;
  int64_t best = 0;
  size_t cut = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != kUnknownWord) {
      sum += (labels[i] == label) == is_front ? 1 : -1;
    }
    if (sum > best || (sum == best && !is_front)) {
      best = sum;
      cut = i + 1;
    }
  }
  return cut;
}

}  // namespace sheaf
