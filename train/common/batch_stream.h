// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "train/common/token_file.h"

namespace sheaf {

struct PairRef {
  int32_t file;
  int64_t index;
};

// The position of a stream, from which a run continues.
struct StreamPosition {
  int64_t epoch = 0;
  int64_t pool_start = 0;     // place in the epoch where the pool begins
  int64_t batch_in_pool = 0;  // the next batch
  double pool_progress = 0;   // of the training when the pool was made
};

struct StreamOptions {
  int64_t batch_tokens = 4096;  // of a batch, source and target with padding
  // [files]: how often each pair of a file occurs in an epoch, such as 1 or
  // 0.5.
  std::vector<double> weights;
  // While the training's progress is below this, only pairs up to a length
  // limit are used, which grows from kShortest.
  double short_first = 0;
  uint64_t seed = 0;
};

// An endless stream of batches of pairs of similar length. Each epoch has a
// random order of all pairs. A pool of several batches is sorted by length and
// cut into batches, which are returned in random order. The same options and
// position give the same batches.
class BatchStream {
 public:
  static constexpr int64_t kShortest = 24;     // ids of the longer side
  static constexpr double kLongest = 512;      // growth of the length limit
  static constexpr int64_t kPoolBatches = 64;  // approximate size of a pool

  // `files` must outlive the stream. REQUIRES: they have a pair that fits in a
  // batch.
  BatchStream(const std::vector<TokenFile>& files, const StreamOptions& options,
              const StreamPosition& position);

  // `progress` is that of the training, 0 to 1. It is used for a new pool.
  std::vector<PairRef> Next(double progress);

  const StreamPosition& position() const { return position_; }

 private:
  void MakeEpoch();
  void MakePool();
  int64_t Length(const PairRef& pair) const;
  double LengthLimit() const;

  const std::vector<TokenFile>& files_;
  const StreamOptions options_;
  StreamPosition position_;
  int64_t pool_end_ = 0;
  int64_t shortest_ = kShortest;  // or the shortest pair, if that is longer
  std::vector<PairRef> epoch_;
  std::vector<std::vector<PairRef>> pool_;
};

}  // namespace sheaf
