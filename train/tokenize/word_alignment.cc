// SPDX-License-Identifier: Apache-2.0

#include "train/tokenize/word_alignment.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace sheaf {
namespace {

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

// The pairs of a file without the prompt and the end tokens, in the model's
// type of ids.
class PairReader {
 public:
  PairReader(const TokenFile& file, size_t prompt)
      : file_(file), prompt_(prompt) {}

  // Empty if places in the source have no room in an alignment. Valid until the
  // next call.
  TokenPair At(int64_t index) {
    const TokenFile::Pair pair = file_.at(index);
    if (pair.source.size() <= prompt_ + 1 ||
        pair.source.size() >= TokenFile::kUnaligned ||
        pair.target.size() <= 1) {
      return {};
    }
    source_.assign(pair.source.begin() + static_cast<ptrdiff_t>(prompt_),
                   pair.source.end() - 1);
    target_.assign(pair.target.begin(), pair.target.end() - 1);
    return {source_, target_};
  }

 private:
  const TokenFile& file_;
  const size_t prompt_;
  std::vector<int32_t> source_, target_;
};

// The place in the source of each target token, with the end token's last.
// `size` is the number of tokens of the source with its end token.
std::vector<uint8_t> Align(const TranslationModel& model, const TokenPair& pair,
                           size_t prompt, size_t size) {
  std::vector<uint8_t> places;
  places.reserve(pair.target.size() + 1);
  std::vector<double> weights;
  for (size_t j = 0; j < pair.target.size(); ++j) {
    model.Weigh(pair, j, weights);
    const size_t best =
        std::max_element(weights.begin(), weights.end()) - weights.begin();
    places.push_back(best + 1 < weights.size()
                         ? static_cast<uint8_t>(prompt + best)
                         : TokenFile::kUnaligned);
  }
  places.push_back(static_cast<uint8_t>(size - 1));
  return places;
}

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
  const size_t prompt = PromptLength(file);
  PairReader pairs(file, prompt);
  TranslationModel model(options);
  model.Train(file.size(), [&](int64_t i) { return pairs.At(i); });
  for (int64_t p = 0; p < file.size(); ++p) {
    const TokenPair pair = pairs.At(p);
    const TokenFile::Pair whole = file.at(p);
    file.SetAlignment(p, pair.source.empty()
                             ? std::vector<uint8_t>(whole.target.size(),
                                                    TokenFile::kUnaligned)
                             : Align(model, pair, prompt, whole.source.size()));
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
