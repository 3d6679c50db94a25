// SPDX-License-Identifier: Apache-2.0

#include "train/common/batch_stream.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <tuple>

namespace sheaf {
namespace {

// Not std::shuffle, which differs between libraries.
template <typename T>
void Shuffle(std::vector<T>& values, std::mt19937_64& random) {
  for (size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[random() % i]);
  }
}

}  // namespace

BatchStream::BatchStream(const std::vector<TokenFile>& files,
                         const StreamOptions& options,
                         const StreamPosition& position)
    : files_(files), options_(options), position_(position) {
  int64_t least = INT64_MAX;
  for (size_t f = 0; f < files_.size(); ++f) {
    for (int64_t i = 0; i < files_[f].size(); ++i) {
      least = std::min(least, Length({int32_t(f), i}));
    }
  }
  shortest_ = std::max(kShortest, least);
  MakeEpoch();
  // The position may come from other files or another batch size.
  position_.pool_start =
      std::min(position_.pool_start, static_cast<int64_t>(epoch_.size()));
  MakePool();
  position_.batch_in_pool =
      std::min(position_.batch_in_pool, static_cast<int64_t>(pool_.size()));
}

int64_t BatchStream::Length(const PairRef& pair) const {
  const TokenFile::Pair ids = files_[pair.file].at(pair.index);
  return static_cast<int64_t>(std::max(ids.source.size(), ids.target.size()));
}

void BatchStream::MakeEpoch() {
  std::mt19937_64 random(options_.seed * 1000003 + position_.epoch);
  epoch_.clear();
  for (size_t f = 0; f < files_.size(); ++f) {
    for (int64_t i = 0; i < files_[f].size(); ++i) {
      double times = options_.weights[f];
      for (; times >= 1; times -= 1) epoch_.push_back({int32_t(f), i});
      if (static_cast<double>(random() >> 11) * 0x1p-53 < times) {
        epoch_.push_back({int32_t(f), i});
      }
    }
  }
  Shuffle(epoch_, random);
}

double BatchStream::LengthLimit() const {
  if (position_.pool_progress >= options_.short_first) return INFINITY;
  const double share = position_.pool_progress / options_.short_first;
  return static_cast<double>(shortest_) + share * share * kLongest;
}

void BatchStream::MakePool() {
  const double longest = LengthLimit();
  std::vector<PairRef> pairs;
  int64_t num_tokens = 0;
  pool_end_ = position_.pool_start;
  const int64_t end = static_cast<int64_t>(epoch_.size());
  while (pool_end_ < end && num_tokens < kPoolBatches * options_.batch_tokens) {
    const PairRef pair = epoch_[pool_end_++];
    if (static_cast<double>(Length(pair)) > longest) continue;
    const TokenFile::Pair ids = files_[pair.file].at(pair.index);
    num_tokens += static_cast<int64_t>(ids.source.size() + ids.target.size());
    pairs.push_back(pair);
  }
  std::sort(
      pairs.begin(), pairs.end(), [&](const PairRef& a, const PairRef& b) {
        const TokenFile::Pair x = files_[a.file].at(a.index);
        const TokenFile::Pair y = files_[b.file].at(b.index);
        return std::tuple(x.source.size(), x.target.size(), a.file, a.index) <
               std::tuple(y.source.size(), y.target.size(), b.file, b.index);
      });
  pool_.clear();
  size_t source = 0, target = 0;  // longest lengths in the batch
  for (const PairRef& pair : pairs) {
    const TokenFile::Pair ids = files_[pair.file].at(pair.index);
    const size_t new_source = std::max(source, ids.source.size());
    const size_t new_target = std::max(target, ids.target.size());
    if (pool_.empty() || static_cast<int64_t>((new_source + new_target) *
                                              (pool_.back().size() + 1)) >
                             options_.batch_tokens) {
      pool_.emplace_back();
      source = ids.source.size();
      target = ids.target.size();
    } else {
      source = new_source;
      target = new_target;
    }
    pool_.back().push_back(pair);
  }
  std::mt19937_64 random(options_.seed * 7919 + position_.epoch * 1000003 +
                         position_.pool_start);
  Shuffle(pool_, random);
}

std::vector<PairRef> BatchStream::Next(double progress) {
  while (position_.batch_in_pool == static_cast<int64_t>(pool_.size())) {
    position_.batch_in_pool = 0;
    position_.pool_start = pool_end_;
    position_.pool_progress = progress;
    if (pool_end_ == static_cast<int64_t>(epoch_.size())) {
      position_.pool_start = 0;
      ++position_.epoch;
      MakeEpoch();
    }
    MakePool();
  }
  return pool_[position_.batch_in_pool++];
}

}  // namespace sheaf
