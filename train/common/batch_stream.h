#pragma once

#include <cstdint>
#include <vector>

#include "train/common/token_file.h"

namespace sheaf {

struct PairRef {
  int32_t file;
  int64_t index;
};

// Where a stream stands: what a resumed run goes on from.
struct StreamPosition {
  int64_t epoch = 0;
  int64_t pool_start = 0;     // first place of the epoch that the pool has
  int64_t batch_in_pool = 0;  // the next to give
  double pool_progress = 0;   // of the training when the pool was made
};

struct StreamOptions {
  int64_t batch_tokens = 4096;  // of a batch, source and target with padding
  // How often a pair of each file comes in an epoch, as 1 or 0.5; [files].
  std::vector<double> weights;
  // While the training's progress is below this, only pairs up to a length
  // that grows from kShortest on (short ones first).
  double short_first = 0;
  uint64_t seed = 0;
};

// Endless batches of pairs of similar length: pairs come in a random order of
// the whole epoch, a pool of some batches at a time is sorted by length and cut
// in batches, and those are given in random order. The same options and
// position give the same batches.
class BatchStream {
 public:
  static constexpr int64_t kShortest = 24;     // ids of the longer side
  static constexpr double kLongest = 512;      // what the limit grows by
  static constexpr int64_t kPoolBatches = 64;  // about

  // `files` outlive the stream. REQUIRES: they have a pair, which fits.
  BatchStream(const std::vector<TokenFile>& files, const StreamOptions& options,
              const StreamPosition& position);

  // `progress` of the training, 0 to 1, counts when a new pool is made.
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
  int64_t shortest_ = kShortest;  // or of the shortest pair, if that is longer
  std::vector<PairRef> epoch_;
  std::vector<std::vector<PairRef>> pool_;
};

}  // namespace sheaf
