// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "Eigen/Core"
#include "base/enum_names.h"

namespace sheaf {

// How the key and value heads of a group become one.
enum class GroupingMethod {
  kMean,    // their average
  kFirst,   // the first of them
  kRandom,  // new weights, as T5 initialises them
  kSvd,     // the best in the sense of least squares; the queries follow
};
inline constexpr EnumNames<GroupingMethod, 4> kGroupingMethods = {
    {{{GroupingMethod::kMean, "mean"},
      {GroupingMethod::kFirst, "first"},
      {GroupingMethod::kRandom, "random"},
      {GroupingMethod::kSvd, "svd"}}}};

using Matrix = Eigen::MatrixXd;

// One side of an attention. The model computes only the products
//   M_i = left_i^T right_j      [d_left, d_right], for each query head i
// where query head i uses the KV head j = i / (H / G). For the scores, left_i
// is Wq_i and right_j is Wk_j. For the outputs, left_i is Wo_i^T and right_j is
// Wv_j. T5 has neither rotary positions nor a bias between the two factors.
// Therefore any invertible matrix of a head may move from one factor to the
// other.
struct HeadPairs {
  Matrix left;   // [H * head_dim, d_left]
  Matrix right;  // [G * head_dim, d_right]
  int32_t head_dim = 0;
};

// The norm of errors: sum over i of the mean of (x^T E_i y)^2, where x has the
// second moments `left` and y has `right`. An empty matrix means the identity,
// which gives the Frobenius norm.
struct Metric {
  Matrix left;
  Matrix right;
};

// Returns the pairs with `num_groups` KV heads. If num_groups == G, they are
// unchanged bit for bit. Only kSvd changes `left`. REQUIRES: num_groups divides
// G.
//
// kSvd finds, for each new group, the shared right factor R [head_dim, d_right]
// and the left factors L_i that minimise sum_i |M_i - L_i^T R|^2 in `metric`.
// The span of R is that of the first head_dim right singular vectors of the
// stacked M_i. No matrix of the size of M is built. With the stacked right
// factors K and the second moments of the left ones, P_j = sum over i of j of
// left_i C left_i^T, the left singular vectors are those of
// P^(1/2) K D K^T P^(1/2), which has (heads of a group * head_dim)^2 numbers.
// The free invertible matrix is chosen so that each row of R has the average
// length of its rows of the L_i.
//
// `seed` is used by kRandom.
HeadPairs GroupHeads(const HeadPairs& pairs, int32_t num_groups,
                     GroupingMethod method, const Metric& metric,
                     uint64_t seed);

// Returns sqrt(sum_i |M_i - M'_i|^2 / sum_i |M_i|^2) in `metric`, over all
// heads, or 0 if all M_i and M'_i are 0.
double RelativeError(const HeadPairs& original, const HeadPairs& grouped,
                     const Metric& metric);

}  // namespace sheaf
