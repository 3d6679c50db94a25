// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"

namespace sheaf {

struct AlignmentOptions {
  int num_iterations = 5;
  double null_share = 0.08;  // share of target tokens that translate nothing
  double diagonal = 4;       // how strongly places in source and target agree
  // Lower probabilities are dropped after each iteration, which saves memory.
  double least_probability = 0;
};

// A source and its target, without prompt and end tokens. A pair with an empty
// list is ignored.
struct TokenPair {
  std::span<const int32_t> source, target;
};

// Probabilities that a source token is translated by a target token: IBM model
// 1 with a prior that favours the diagonal (Dyer et al. 2013, with its two
// parameters fixed).
class TranslationModel {
 public:
  // Pair i. The lists stay valid until the next call.
  using PairAt = absl::FunctionRef<TokenPair(int64_t)>;

  explicit TranslationModel(const AlignmentOptions& options)
      : options_(options) {}

  // The iterations of expectation and maximisation on `num_pairs` pairs. Takes
  // memory for all tokens that occur together in a pair. Ids are at least 0.
  void Train(int64_t num_pairs, PairAt pair_at);

  // Computes the weights of the source places for target token j, with that of
  // the null source last. Returns their sum.
  double Weigh(const TokenPair& pair, size_t j,
               std::vector<double>& weights) const;

  // Calls `take` for each probability above 0, in no particular order, except
  // for those of the null source.
  void ForEach(
      absl::FunctionRef<void(int32_t source, int32_t target, float probability)>
          take) const;

 private:
  // (source id + 1, target id) -> number; source 0 is the null source, of
  // target tokens that translate nothing.
  using Table = absl::flat_hash_map<uint64_t, float>;

  static uint64_t Key(uint32_t source, int32_t target) {
    return uint64_t{source} << 32 | static_cast<uint32_t>(target);
  }
  double Probability(uint32_t source, int32_t target) const;
  void Improve(int64_t num_pairs, PairAt pair_at);

  const AlignmentOptions options_;
  Table table_;
};

}  // namespace sheaf
