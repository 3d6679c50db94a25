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

// One side of an attention: what the model computes of it is only the products
//   M_i = left_i^T right_j      [d_left, d_right], for each query head i
// where query head i uses the KV head j = i / (H / G). For the scores left_i is
// Wq_i and right_j is Wk_j; for the outputs left_i is Wo_i^T and right_j is
// Wv_j. T5 has no rotary positions and no bias there, so nothing stands between
// the two factors, and any invertible matrix of the head's own may move from
// one to the other.
struct HeadPairs {
  Matrix left;   // [H * head_dim, d_left]
  Matrix right;  // [G * head_dim, d_right]
  int32_t head_dim = 0;
};

// In which sense an error counts: sum over i of the mean of (x^T E_i y)^2 where
// x has the second moments `left` and y `right`. Empty: the identity, so the
// Frobenius norm.
struct Metric {
  Matrix left;
  Matrix right;
};

// The pairs with `num_groups` KV heads. REQUIRES: num_groups divides G. At
// num_groups == G they are unchanged, to the bit. Only kSvd changes `left`.
//
// kSvd: for each new group the shared right factor R [head_dim, d_right] and
// the left factors L_i that minimise sum_i |M_i - L_i^T R|^2 in `metric`: the
// span of R is that of the first head_dim right singular vectors of the stacked
// M_i. Nothing of the size of M is built: with the stacked rights K and the
// lefts' second moments P_j = sum over i of j of left_i C left_i^T, the left
// singular vectors are those of P^(1/2) K D K^T P^(1/2), of (heads of a group *
// head_dim)^2 numbers. The free invertible matrix is chosen so that each row of
// R is as long as its rows of the L_i are on average.
//
// `seed` is for kRandom.
HeadPairs GroupHeads(const HeadPairs& pairs, int32_t num_groups,
                     GroupingMethod method, const Metric& metric,
                     uint64_t seed);

// sqrt(sum_i |M_i - M'_i|^2 / sum_i |M_i|^2) in `metric`, over all heads; 0 if
// all M_i are 0 and so are all M'_i.
double RelativeError(const HeadPairs& original, const HeadPairs& grouped,
                     const Metric& metric);

}  // namespace sheaf
