// SPDX-License-Identifier: Apache-2.0

#include "engine/model/short_head.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/round_up.h"

namespace sheaf {
namespace {

int64_t MaxOwnTokens(const Shortlist& shortlist) {
  return std::min(ShortHead::kMaxOwnTokens,
                  int64_t{shortlist.vocabulary().size} -
                      static_cast<int64_t>(shortlist.common().size()));
}

// Bytes of a weight, without scales.
int64_t WeightBytes(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return 4;
    case WeightType::kBf16:
      return 2;
    case WeightType::kInt8:
    case WeightType::kInt4:
      return 1;
  }
  return 0;
}

}  // namespace

class ShortHead::Tokens : public OutputTokens {
 public:
  Tokens(ShortHead& head, std::vector<int32_t> ids,
         std::unique_ptr<Linear> own_columns, absl::Span<const int32_t> own_ids)
      : OutputTokens(std::move(ids)),
        head_(head),
        own_columns_(std::move(own_columns)) {
    const auto places = [&](absl::Span<const int32_t> of) {
      std::vector<int32_t> places;
      places.reserve(of.size());
      int32_t place = 0;
      for (int32_t id : of) {
        while (this->ids()[place] != id) ++place;
        places.push_back(place);
      }
      return places;
    };
    common_places_ = places(head.shortlist_.common());
    own_places_ = places(own_ids);
  }
  ~Tokens() override { head_.free_.push_back(std::move(own_columns_)); }

  const Linear& own_columns() const { return *own_columns_; }
  // The index in ids() of each common token, and of each own one.
  absl::Span<const int32_t> common_places() const { return common_places_; }
  absl::Span<const int32_t> own_places() const { return own_places_; }

 private:
  ShortHead& head_;
  std::unique_ptr<Linear> own_columns_;
  std::vector<int32_t> common_places_, own_places_;
};

int64_t ShortHead::Bytes(const Architecture& architecture,
                         const Shortlist& shortlist, WeightType type,
                         int32_t max_sequences) {
  const auto num_common = static_cast<int64_t>(shortlist.common().size());
  const int64_t max_own = MaxOwnTokens(shortlist);
  return (num_common + max_sequences * max_own) * WeightBytes(type) *
             architecture.decoder.d_model +
         int64_t{max_sequences} * (num_common + max_own) *
             static_cast<int64_t>(sizeof(float));
}

ShortHead::ShortHead(const Weights& weights, const Shortlist& shortlist,
                     ThreadTeam& team, const kernels::Kernels& kernels,
                     int32_t max_sequences)
    : weights_(weights),
      shortlist_(shortlist),
      team_(team),
      kernels_(kernels),
      max_own_(MaxOwnTokens(shortlist)),
      own_column_(RoundUp(static_cast<int64_t>(shortlist.common().size()),
                          int64_t{kernels::kPanel})),
      ldy_(own_column_ + RoundUp(max_own_, int64_t{kernels::kPanel})),
      common_(weights.head.MakeSubset(
          static_cast<int64_t>(shortlist.common().size()))) {
  common_.CopyColumns(weights.head, shortlist.common(), team);
  free_.reserve(max_sequences);
  for (int32_t i = 0; i < max_sequences; ++i) {
    free_.push_back(
        std::make_unique<Linear>(weights.head.MakeSubset(max_own_)));
  }
  is_known_.resize(shortlist.vocabulary().size);
  for (int32_t id : shortlist.common()) is_known_[id] = true;
  own_.reserve(max_own_);
}

void ShortHead::FindOwn(absl::Span<const int32_t> source) {
  own_.clear();
  for (int32_t token : source) {
    for (int32_t id : shortlist_.TargetsOf(token)) {
      if (is_known_[id]) continue;
      is_known_[id] = true;
      own_.push_back(id);
    }
    if (static_cast<int64_t>(own_.size()) > max_own_) break;
  }
  for (int32_t id : own_) is_known_[id] = false;
  std::sort(own_.begin(), own_.end());
}

std::unique_ptr<OutputTokens> ShortHead::MakeOutputTokens(
    absl::Span<const int32_t> source) {
  FindOwn(source);
  if (static_cast<int64_t>(own_.size()) > max_own_) return nullptr;
  const absl::Span<const int32_t> common = shortlist_.common();
  std::vector<int32_t> ids(common.size() + own_.size());
  std::merge(common.begin(), common.end(), own_.begin(), own_.end(),
             ids.begin());
  SHEAF_CHECK(!free_.empty());
  std::unique_ptr<Linear> own_columns = std::move(free_.back());
  free_.pop_back();
  own_columns->CopyColumns(weights_.head, own_, team_);
  return std::make_unique<Tokens>(*this, std::move(ids), std::move(own_columns),
                                  own_);
}

void ShortHead::Run(const ThreadTeam::Member& member,
                    absl::Span<const HeadRow> rows, const float* x,
                    float* y) const {
  const auto tokens_of = [](const HeadRow& row) {
    return static_cast<const Tokens*>(row.output_tokens);
  };
  // The places differ between segments, but not the columns.
  const auto common_places = [&](const HeadRow& row) {
    return tokens_of(row)->common_places();
  };
  RunColumns(member, common_, rows, x, y, common_places);
  for (size_t first = 0, end = 0; first < rows.size(); first = end) {
    const Tokens& tokens = *tokens_of(rows[first]);
    while (end < rows.size() && tokens_of(rows[end]) == &tokens) ++end;
    const int64_t row = static_cast<int64_t>(first);
    RunColumns(member, tokens.own_columns(), rows.subspan(first, end - first),
               x + row * weights_.head.K(), y + row * ldy_ + own_column_,
               [&](const HeadRow&) { return tokens.own_places(); });
  }
}

// A member reads only what it has just computed, and every product has its own
// part of y, so no barrier is needed.
void ShortHead::RunColumns(
    const ThreadTeam::Member& member, const Linear& columns,
    absl::Span<const HeadRow> rows, const float* x, float* y,
    absl::FunctionRef<absl::Span<const int32_t>(const HeadRow&)> places_of)
    const {
  columns.Run(member, {x, columns.K()}, static_cast<int32_t>(rows.size()), y,
              ldy_, /*accumulate=*/false);
  const float cap = weights_.architecture.logit_softcap;
  const absl::Span<const Linear::Slice> slices = columns.slices();
  for (size_t i = member.index(); i < slices.size(); i += member.count()) {
    for (size_t row = 0; row < rows.size(); ++row) {
      float* from =
          y + static_cast<int64_t>(row) * ldy_ + slices[i].first_column;
      if (cap != 0) kernels_.soft_cap(from, slices[i].num_columns, cap);
      const absl::Span<const int32_t> places = places_of(rows[row]).subspan(
          slices[i].first_column, slices[i].num_columns);
      for (size_t j = 0; j < places.size(); ++j) {
        rows[row].logits[places[j]] = from[j];
      }
    }
  }
}

}  // namespace sheaf
