// SPDX-License-Identifier: Apache-2.0

#include "train/convert/choose_heads.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "engine/model/alignment_heads.h"
#include "text/source_encoder.h"
#include "text/text_alignment.h"
#include "text/token_spans.h"
#include "train/tokenize/translation_model.h"

namespace sheaf {
namespace {

constexpr size_t kMaxAlignedTokens = 254;
constexpr size_t kMaxHeads = 8;
// A further head must find this much more of the links.
constexpr double kLeastGain = 0.002;

// By target token the source token; -1: no link.
using LinkList = std::vector<int32_t>;

// The texts of the pairs as tokens, without prompts and end tokens.
std::vector<std::pair<std::vector<int32_t>, std::vector<int32_t>>> TokensOf(
    const Tokenizers& tokenizers, const std::vector<TextPair>& pairs) {
  std::vector<std::pair<std::vector<int32_t>, std::vector<int32_t>>> tokens;
  tokens.reserve(pairs.size());
  for (const TextPair& pair : pairs) {
    tokens.emplace_back(tokenizers.source->Encode(pair.source),
                        tokenizers.target->Encode(pair.references.front()));
    auto& [source, target] = tokens.back();
    if (std::max(source.size(), target.size()) <= kMaxAlignedTokens) continue;
    source.clear();
    target.clear();
  }
  return tokens;
}

// The most likely source place of target token j; -1: it translates nothing.
int32_t BestPlace(const TranslationModel& model, const TokenPair& pair,
                  size_t j, std::vector<double>& weights) {
  model.Weigh(pair, j, weights);
  const auto best = std::max_element(weights.begin(), weights.end());
  return best + 1 == weights.end()
             ? -1
             : static_cast<int32_t>(best - weights.begin());
}

// The links of the first `num_lines` pairs on which both directions agree.
std::vector<LinkList> ReferenceLinks(const AlignmentModel& model,
                                     const std::vector<TextPair>& pairs,
                                     size_t num_lines) {
  const auto tokens = TokensOf(model.tokenizers, pairs);
  const auto forward = [&](int64_t i) -> TokenPair {
    return {tokens[i].first, tokens[i].second};
  };
  const auto backward = [&](int64_t i) -> TokenPair {
    return {tokens[i].second, tokens[i].first};
  };
  TranslationModel to_target({.least_probability = 1e-6});
  TranslationModel to_source({.least_probability = 1e-6});
  const int64_t num_pairs = static_cast<int64_t>(tokens.size());
  to_target.Train(num_pairs, forward);
  to_source.Train(num_pairs, backward);
  std::vector<LinkList> links;
  std::vector<double> weights;
  for (size_t p = 0; p < std::min(num_lines, tokens.size()); ++p) {
    LinkList& own = links.emplace_back();
    const TokenPair pair = forward(static_cast<int64_t>(p));
    const TokenPair reverse = backward(static_cast<int64_t>(p));
    for (size_t j = 0; j < pair.target.size(); ++j) {
      const int32_t i = BestPlace(to_target, pair, j, weights);
      const bool is_mutual =
          i >= 0 &&
          BestPlace(to_source, reverse, i, weights) == static_cast<int32_t>(j);
      own.push_back(is_mutual ? i : -1);
    }
  }
  return links;
}

// Compares the attention of heads with reference links while pairs are decoded
// one after another.
class HeadJudge : public AlignmentObserver {
 public:
  HeadJudge(const std::vector<ForcedPair>& pairs,
            const std::vector<LinkList>& links)
      : pairs_(pairs), links_(links) {}

  // The heads to judge together, best first, by shift. None: each by itself.
  void set_ranked(std::array<std::vector<AlignmentHead>, 2> ranked) {
    ranked_ = std::move(ranked);
  }

  void OnSourceWeights(const DecodeEntry& /*entry*/, int32_t token_index,
                       const AlignmentHead& head,
                       absl::Span<const float> weights) override {
    absl::MutexLock lock(&mutex_);
    weights_[{token_index, head}] = {weights.begin(), weights.end()};
  }

  // Takes the weights of pair p, which has been decoded.
  void TakePair(size_t p) {
    absl::MutexLock lock(&mutex_);
    const int32_t num_start =
        static_cast<int32_t>(pairs_[p].start_tokens.size());
    for (int32_t shift : {0, 1}) {
      for (size_t j = 0; j < links_[p].size(); ++j) {
        if (links_[p][j] < 0) continue;
        num_links_ += shift;
        const int32_t row = num_start - 1 + shift + static_cast<int32_t>(j);
        ranked_[shift].empty() ? JudgeEach(p, j, row, shift)
                               : JudgeTogether(p, j, row, shift);
      }
    }
    weights_.clear();
  }

  // The number of links that a head, or the first heads, found.
  const std::map<AlignmentHead, int64_t>& found_by(int32_t shift) const {
    return found_by_[shift];
  }
  const std::array<int64_t, kMaxHeads>& found_by_first(int32_t shift) const {
    return found_by_first_[shift];
  }
  int64_t num_links() const { return num_links_; }

 private:
  using Weights = std::vector<float>;

  bool IsRight(size_t p, size_t j, const Weights& weights) const {
    const SourceMargins& margins = pairs_[p].margins;
    const auto best = std::max_element(weights.begin() + margins.leading,
                                       weights.end() - margins.trailing);
    return best - weights.begin() == margins.leading + links_[p][j];
  }

  void JudgeEach(size_t p, size_t j, int32_t row, int32_t shift) {
    for (auto at = weights_.lower_bound({row, {}});
         at != weights_.end() && at->first.first == row; ++at) {
      found_by_[shift][at->first.second] += IsRight(p, j, at->second);
    }
  }

  void JudgeTogether(size_t p, size_t j, int32_t row, int32_t shift) {
    Weights sums;
    for (size_t k = 0; k < ranked_[shift].size(); ++k) {
      const auto at = weights_.find({row, ranked_[shift][k]});
      if (at == weights_.end()) return;
      sums.resize(at->second.size());
      for (size_t t = 0; t < sums.size(); ++t) sums[t] += at->second[t];
      found_by_first_[shift][k] += IsRight(p, j, sums);
    }
  }

  const std::vector<ForcedPair>& pairs_;
  const std::vector<LinkList>& links_;
  std::array<std::vector<AlignmentHead>, 2> ranked_;
  absl::Mutex mutex_;
  std::map<std::pair<int32_t, AlignmentHead>, Weights> weights_;  // by row
  std::map<AlignmentHead, int64_t> found_by_[2];                  // by shift
  std::array<int64_t, kMaxHeads> found_by_first_[2] = {};
  int64_t num_links_ = 0;
};

std::vector<AlignmentHead> BestHeads(
    const std::map<AlignmentHead, int64_t>& found_by) {
  std::vector<AlignmentHead> heads;
  for (const auto& [head, found] : found_by) heads.push_back(head);
  std::stable_sort(heads.begin(), heads.end(),
                   [&](const AlignmentHead& a, const AlignmentHead& b) {
                     return found_by.at(a) > found_by.at(b);
                   });
  heads.resize(std::min(heads.size(), kMaxHeads));
  return heads;
}

}  // namespace

ForcedPair MakeForcedPair(const AlignmentModel& model, absl::string_view source,
                          absl::string_view target) {
  ForcedPair pair;
  pair.source = EncodeSource(*model.tokenizers.source, model.prompt, source);
  pair.start_tokens = {model.prompt.decoder_start.value_or(
      model.description.architecture.tokens.start_id)};
  if (model.prompt.forced_first.has_value()) {
    pair.start_tokens.push_back(*model.prompt.forced_first);
  }
  pair.target = model.tokenizers.target->Encode(target);
  pair.margins = {CountLeadingIds(*model.tokenizers.source, model.prompt),
                  static_cast<int32_t>(model.prompt.after.size())};
  return pair;
}

absl::StatusOr<HeadChoice> ChooseHeads(const AlignmentModel& model,
                                       const std::vector<TextPair>& pairs,
                                       size_t num_lines) {
  std::vector<ForcedPair> forced;
  for (size_t i = 0; i < std::min(num_lines, pairs.size()); ++i) {
    forced.push_back(
        MakeForcedPair(model, pairs[i].source, pairs[i].references.front()));
  }
  const std::vector<LinkList> links = ReferenceLinks(model, pairs, num_lines);
  ModelDescription description = model.description;
  description.architecture.alignment = AllHeads(description.architecture);
  const auto judge = [&](HeadJudge& heads) {
    return DecodeForced(
        model.directory, description, forced, &heads,
        [&](size_t p, const std::vector<int32_t>&) { heads.TakePair(p); });
  };
  HeadJudge each(forced, links);
  absl::Status status = judge(each);
  if (!status.ok()) return status;
  if (each.num_links() == 0) {
    return absl::FailedPreconditionError(
        "the pairs have no words that surely translate one another");
  }
  HeadJudge together(forced, links);
  const std::array<std::vector<AlignmentHead>, 2> ranked = {
      BestHeads(each.found_by(0)), BestHeads(each.found_by(1))};
  together.set_ranked(ranked);
  status = judge(together);
  if (!status.ok()) return status;
  HeadChoice choice;
  choice.num_links = each.num_links();
  for (int32_t shift : {0, 1}) {
    for (size_t k = 0; k < ranked[shift].size(); ++k) {
      const double agreement =
          static_cast<double>(together.found_by_first(shift)[k]) /
          static_cast<double>(choice.num_links);
      if (agreement < choice.agreement + kLeastGain) continue;
      choice.agreement = agreement;
      choice.heads.shift = shift;
      choice.heads.heads.assign(ranked[shift].begin(),
                                ranked[shift].begin() + k + 1);
    }
  }
  std::sort(choice.heads.heads.begin(), choice.heads.heads.end());
  return choice;
}

absl::StatusOr<double> MeasureErrorRate(
    const AlignmentModel& model, const std::vector<GoldAlignment>& gold) {
  std::vector<ForcedPair> forced;
  forced.reserve(gold.size());
  for (const GoldAlignment& each : gold) {
    forced.push_back(MakeForcedPair(model, each.source, each.target));
  }
  AlignmentErrorRate errors;
  const absl::Status status = DecodeForced(
      model.directory, model.description, forced, /*observer=*/nullptr,
      [&](size_t i, const std::vector<int32_t>& positions) {
        const TextAlignment alignment = MakeTextAlignment(
            positions,
            FindSourceSpans(*model.tokenizers.source, model.prompt,
                            forced[i].source, gold[i].source),
            FindTokenSpans(*model.tokenizers.target, forced[i].target,
                           gold[i].target));
        errors.Add(gold[i], alignment);
      });
  if (!status.ok()) return status;
  return errors.Value();
}

absl::Status WriteAlignmentHeads(const std::string& path,
                                 const AlignmentHeads& heads) {
  const std::string text = absl::StrCat(
      "{\"heads\": [",
      absl::StrJoin(heads.heads, ", ",
                    [](std::string* out, const AlignmentHead& head) {
                      absl::StrAppend(out, "[", head.layer, ", ", head.head,
                                      "]");
                    }),
      "], \"shift\": ", heads.shift, "}\n");
  std::FILE* file = std::fopen(path.c_str(), "wbx");
  if (file == nullptr && errno == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat(path, " exists"));
  }
  if (file != nullptr) {
    const bool is_written = std::fputs(text.c_str(), file) >= 0;
    if (std::fclose(file) == 0 && is_written) return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(path, ": cannot be written"));
}

}  // namespace sheaf
