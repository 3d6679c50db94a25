// SPDX-License-Identifier: Apache-2.0

#include "train/convert/grouping.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "Eigen/Eigenvalues"
#include "base/check.h"

namespace sheaf {
namespace {

// Returns the rows of one head or of several consecutive heads.
auto Rows(const Matrix& matrix, int64_t first_head, int64_t num_heads,
          int64_t head_dim) {
  return matrix.middleRows(first_head * head_dim, num_heads * head_dim);
}

// Returns a C b^T. An empty C means the identity.
Matrix Moments(const Matrix& a, const Matrix& metric, const Matrix& b) {
  return metric.size() == 0 ? Matrix(a * b.transpose())
                            : Matrix(a * (metric * b.transpose()));
}

// Returns the symmetric root of a positive semi-definite matrix.
Matrix Root(const Matrix& matrix) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(matrix);
  const Eigen::VectorXd roots = solver.eigenvalues().cwiseMax(0).cwiseSqrt();
  return solver.eigenvectors() * roots.asDiagonal() *
         solver.eigenvectors().transpose();
}

Matrix RandomRows(int64_t rows, int64_t columns, uint64_t seed) {
  std::mt19937_64 random(seed);
  // Box-Muller, because std::normal_distribution differs between libraries.
  const auto uniform = [&] { return ((random() >> 11) + 0.5) * 0x1p-53; };
  const double deviation = 1 / std::sqrt(static_cast<double>(columns));
  Matrix result(rows, columns);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const double radius = std::sqrt(-2 * std::log(uniform()));
      result(i, j) = deviation * radius * std::cos(2 * M_PI * uniform());
    }
  }
  return result;
}

// Replaces the factors of one group by those of kSvd. `left` has the rows of
// its query heads, `right` those of its KV heads.
void FactorGroup(int32_t head_dim, const Metric& metric,
                 Eigen::Ref<Matrix> left, Matrix& right) {
  const int64_t num_rights = right.rows() / head_dim;
  const int64_t num_lefts = left.rows() / head_dim;
  const int64_t share = num_lefts / num_rights;  // query heads per KV head
  Matrix roots = Matrix::Zero(right.rows(), right.rows());  // P^(1/2)
  for (int64_t j = 0; j < num_rights; ++j) {
    Matrix moments = Matrix::Zero(head_dim, head_dim);
    for (int64_t i = j * share; i < (j + 1) * share; ++i) {
      const Matrix head = Rows(left, i, 1, head_dim);
      moments += Moments(head, metric.left, head);
    }
    roots.block(j * head_dim, j * head_dim, head_dim, head_dim) = Root(moments);
  }
  const Matrix gram = Moments(right, metric.right, right);
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(roots * gram * roots);
  // The eigenvalues are the squares of the singular values in ascending order,
  // so that the last ones are used.
  const Eigen::VectorXd values =
      solver.eigenvalues().tail(head_dim).cwiseMax(0).cwiseSqrt();
  const double least =
      values.maxCoeff() * std::sqrt(std::numeric_limits<double>::epsilon());
  // Row t of the right factor is row t of `basis` times the right factors. Row
  // t of the left factors has the length sigma_t over all heads.
  Eigen::VectorXd inverse(head_dim), scale(head_dim);
  for (int32_t t = 0; t < head_dim; ++t) {
    const bool counts = values[t] > least;
    inverse[t] = counts ? 1 / values[t] : 0;
    scale[t] = counts ? std::sqrt(values[t] / std::sqrt(num_lefts)) : 1;
  }
  const Matrix basis = inverse.asDiagonal() *
                       solver.eigenvectors().rightCols(head_dim).transpose() *
                       roots;
  const Matrix projected = basis * gram;  // [head_dim, KV heads * head_dim]
  for (int64_t i = 0; i < num_lefts; ++i) {
    const Matrix head = Rows(left, i, 1, head_dim);
    left.middleRows(i * head_dim, head_dim) =
        scale.cwiseInverse().asDiagonal() *
        projected.middleCols(i / share * head_dim, head_dim) * head;
  }
  right = scale.asDiagonal() * basis * Matrix(right);
}

}  // namespace

HeadPairs GroupHeads(const HeadPairs& pairs, int32_t num_groups,
                     GroupingMethod method, const Metric& metric,
                     uint64_t seed) {
  const int64_t head_dim = pairs.head_dim;
  const int64_t num_lefts = pairs.left.rows() / head_dim;
  const int64_t num_rights = pairs.right.rows() / head_dim;
  SHEAF_CHECK(num_groups > 0 && num_rights % num_groups == 0);
  if (num_groups == num_rights) return pairs;
  const int64_t size = num_rights / num_groups;
  const int64_t num_queries = num_lefts / num_groups;

  HeadPairs result = pairs;
  result.right.resize(num_groups * head_dim, pairs.right.cols());
  for (int64_t g = 0; g < num_groups; ++g) {
    Matrix right = Rows(pairs.right, g * size, size, head_dim);
    auto out = result.right.middleRows(g * head_dim, head_dim);
    switch (method) {
      case GroupingMethod::kMean:
        out.setZero();
        for (int64_t j = 0; j < size; ++j) out += Rows(right, j, 1, head_dim);
        out /= static_cast<double>(size);
        break;
      case GroupingMethod::kFirst:
        out = Rows(right, 0, 1, head_dim);
        break;
      case GroupingMethod::kRandom:
        out = RandomRows(head_dim, pairs.right.cols(), seed + g);
        break;
      case GroupingMethod::kSvd:
        FactorGroup(pairs.head_dim, metric,
                    result.left.middleRows(g * num_queries * head_dim,
                                           num_queries * head_dim),
                    right);
        out = right;
        break;
    }
  }
  return result;
}

double RelativeError(const HeadPairs& original, const HeadPairs& grouped,
                     const Metric& metric) {
  const int64_t head_dim = original.head_dim;
  const int64_t num_lefts = original.left.rows() / head_dim;
  const int64_t share = num_lefts / (original.right.rows() / head_dim);
  const int64_t grouped_share = num_lefts / (grouped.right.rows() / head_dim);
  double error = 0, total = 0;
  // |X^T Y|^2 = tr(X C X^T Y D Y^T), where X has the original factors and below
  // them the negative grouped ones.
  Matrix x(2 * head_dim, original.left.cols()),
      y(2 * head_dim, original.right.cols());
  for (int64_t i = 0; i < num_lefts; ++i) {
    x << Rows(original.left, i, 1, head_dim),
        -Rows(grouped.left, i, 1, head_dim);
    y << Rows(original.right, i / share, 1, head_dim),
        Rows(grouped.right, i / grouped_share, 1, head_dim);
    const Matrix a = Moments(x, metric.left, x);
    const Matrix b = Moments(y, metric.right, y);
    error += a.cwiseProduct(b).sum();
    total += a.topLeftCorner(head_dim, head_dim)
                 .cwiseProduct(b.topLeftCorner(head_dim, head_dim))
                 .sum();
  }
  if (total <= 0) return error > 0 ? INFINITY : 0;
  return std::sqrt(std::max(error, 0.0) / total);
}

}  // namespace sheaf
