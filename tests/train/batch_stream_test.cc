// SPDX-License-Identifier: Apache-2.0

#include "train/common/batch_stream.h"

#include <algorithm>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

// Pairs of many lengths: source 2 + i % 50, target 2 + i % 7.
std::vector<TokenFile> Files() {
  std::vector<TokenFile> files(2, TokenFile(/*vocab_size=*/1000));
  for (int i = 0; i < 900; ++i) {
    files[i % 3 == 0].Add(std::vector<int32_t>(2 + i % 50, 5),
                          std::vector<int32_t>(2 + i % 7, 6));
  }
  return files;
}

StreamOptions Options() {
  StreamOptions options;
  options.batch_tokens = 120;
  options.weights = {1, 2};
  options.seed = 3;
  return options;
}

std::pair<int32_t, int64_t> KeyOf(const PairRef& pair) {
  return {pair.file, pair.index};
}

TEST(BatchStreamTest, AnEpochHasEachPairAsOftenAsItsFileSays) {
  const std::vector<TokenFile> files = Files();
  BatchStream stream(files, Options(), {});
  std::map<std::pair<int32_t, int64_t>, int> times;
  while (true) {
    const std::vector<PairRef> batch = stream.Next(0.5);
    if (stream.position().epoch == 1) break;
    for (const PairRef& pair : batch) ++times[KeyOf(pair)];
  }
  EXPECT_EQ(times.size(), 900);
  for (const auto& [pair, count] : times) EXPECT_EQ(count, pair.first + 1);
}

TEST(BatchStreamTest, PaddedBatchesFit) {
  const std::vector<TokenFile> files = Files();
  BatchStream stream(files, Options(), {});
  for (int i = 0; i < 300; ++i) {
    const std::vector<PairRef> batch = stream.Next(0.5);
    size_t source = 0, target = 0;
    for (const PairRef& pair : batch) {
      source = std::max(source, files[pair.file].at(pair.index).source.size());
      target = std::max(target, files[pair.file].at(pair.index).target.size());
    }
    EXPECT_LE((source + target) * batch.size(), 120);
    EXPECT_FALSE(batch.empty());
  }
}

TEST(BatchStreamTest, AStreamFromAPositionGoesOnAsTheFirst) {
  const std::vector<TokenFile> files = Files();
  StreamOptions options = Options();
  options.weights = {0.7, 1.3};
  options.short_first = 0.4;
  BatchStream first(files, options, {});
  for (int i = 0; i < 500; ++i) {
    if (i % 50 == 49) {
      BatchStream resumed(files, options, first.position());
      BatchStream copy = first;
      for (int j = 0; j < 100; ++j) {
        const double progress = (i + j) / 600.0;
        const auto a = copy.Next(progress), b = resumed.Next(progress);
        ASSERT_EQ(a.size(), b.size());
        for (size_t k = 0; k < a.size(); ++k)
          EXPECT_EQ(KeyOf(a[k]), KeyOf(b[k]));
      }
    }
    first.Next(i / 600.0);
  }
}

TEST(BatchStreamTest, APositionBeyondItsFilesGoesOnWithTheNextEpoch) {
  const std::vector<TokenFile> files = Files();
  for (const int64_t pool_start : {int64_t{0}, int64_t{1'000'000}}) {
    StreamPosition position;
    position.pool_start = pool_start;
    position.batch_in_pool = 1'000'000;
    BatchStream stream(files, Options(), position);
    EXPECT_FALSE(stream.Next(0.5).empty());
  }
}

TEST(BatchStreamTest, ShortPairsComeFirst) {
  const std::vector<TokenFile> files = Files();
  StreamOptions options = Options();
  options.short_first = 0.5;
  BatchStream stream(files, options, {});
  size_t longest_early = 0, longest_late = 0;
  for (int i = 0; i < 400; ++i) {
    const double progress = i / 400.0;
    for (const PairRef& pair : stream.Next(progress)) {
      const size_t length = files[pair.file].at(pair.index).source.size();
      size_t& longest = progress < 0.05 ? longest_early : longest_late;
      longest = std::max(longest, length);
    }
  }
  EXPECT_LE(longest_early, 24);
  EXPECT_EQ(longest_late, 51);
}

}  // namespace
}  // namespace sheaf
