#include "train/convert/grouping.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "Eigen/Eigenvalues"
#include "base/check.h"

namespace sheaf {
namespace {

// The rows of one head, or of several that stand together.
auto Rows(const Matrix& matrix, int64_t first_head, int64_t num_heads,
          int64_t d_kv) {
  return matrix.middleRows(first_head * d_kv, num_heads * d_kv);
}

// a C b^T; an empty C is the identity.
Matrix Moments(const Matrix& a, const Matrix& metric, const Matrix& b) {
  return metric.size() == 0 ? Matrix(a * b.transpose())
                            : Matrix(a * (metric * b.transpose()));
}

// The symmetric root of a positive semi-definite matrix.
Matrix Root(const Matrix& matrix) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(matrix);
  const Eigen::VectorXd roots = solver.eigenvalues().cwiseMax(0).cwiseSqrt();
  return solver.eigenvectors() * roots.asDiagonal() *
         solver.eigenvectors().transpose();
}

Matrix RandomRows(int64_t rows, int64_t columns, uint64_t seed) {
  std::mt19937_64 random(seed);
  // Box and Muller's: std::normal_distribution differs between libraries.
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

// One group of kSvd: `left` are the rows of its query heads, `right` those of
// its KV heads; both are replaced.
void FactorGroup(int32_t d_kv, const Metric& metric, Eigen::Ref<Matrix> left,
                 Matrix& right) {
  const int64_t num_rights = right.rows() / d_kv;
  const int64_t num_lefts = left.rows() / d_kv;
  const int64_t share = num_lefts / num_rights;  // query heads of a KV head
  Matrix roots = Matrix::Zero(right.rows(), right.rows());  // P^(1/2)
  for (int64_t j = 0; j < num_rights; ++j) {
    Matrix moments = Matrix::Zero(d_kv, d_kv);
    for (int64_t i = j * share; i < (j + 1) * share; ++i) {
      const Matrix head = Rows(left, i, 1, d_kv);
      moments += Moments(head, metric.left, head);
    }
    roots.block(j * d_kv, j * d_kv, d_kv, d_kv) = Root(moments);
  }
  const Matrix gram = Moments(right, metric.right, right);
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(roots * gram * roots);
  // Eigenvalues, the squares of the singular values, rise: the last ones count.
  const Eigen::VectorXd values =
      solver.eigenvalues().tail(d_kv).cwiseMax(0).cwiseSqrt();
  const double least =
      values.maxCoeff() * std::sqrt(std::numeric_limits<double>::epsilon());
  // In units of a singular vector: row t of the right factor is `basis` row t
  // times the rights, and the lefts' row t is sigma_t long over all heads.
  Eigen::VectorXd inverse(d_kv), scale(d_kv);
  for (int32_t t = 0; t < d_kv; ++t) {
    const bool counts = values[t] > least;
    inverse[t] = counts ? 1 / values[t] : 0;
    scale[t] = counts ? std::sqrt(values[t] / std::sqrt(num_lefts)) : 1;
  }
  const Matrix basis = inverse.asDiagonal() *
                       solver.eigenvectors().rightCols(d_kv).transpose() *
                       roots;
  const Matrix projected = basis * gram;  // [d_kv, KV heads * d_kv]
  for (int64_t i = 0; i < num_lefts; ++i) {
    const Matrix head = Rows(left, i, 1, d_kv);
    left.middleRows(i * d_kv, d_kv) =
        scale.cwiseInverse().asDiagonal() *
        projected.middleCols(i / share * d_kv, d_kv) * head;
  }
  right = scale.asDiagonal() * basis * Matrix(right);
}

}  // namespace

HeadPairs GroupHeads(const HeadPairs& pairs, int32_t num_groups,
                     GroupingMethod method, const Metric& metric,
                     uint64_t seed) {
  const int64_t d_kv = pairs.d_kv;
  const int64_t num_lefts = pairs.left.rows() / d_kv;
  const int64_t num_rights = pairs.right.rows() / d_kv;
  SHEAF_CHECK(num_groups > 0 && num_rights % num_groups == 0);
  if (num_groups == num_rights) return pairs;
  const int64_t size = num_rights / num_groups;
  const int64_t num_queries = num_lefts / num_groups;

  HeadPairs result = pairs;
  result.right.resize(num_groups * d_kv, pairs.right.cols());
  for (int64_t g = 0; g < num_groups; ++g) {
    Matrix right = Rows(pairs.right, g * size, size, d_kv);
    auto out = result.right.middleRows(g * d_kv, d_kv);
    switch (method) {
      case GroupingMethod::kMean:
        out.setZero();
        for (int64_t j = 0; j < size; ++j) out += Rows(right, j, 1, d_kv);
        out /= static_cast<double>(size);
        break;
      case GroupingMethod::kFirst:
        out = Rows(right, 0, 1, d_kv);
        break;
      case GroupingMethod::kRandom:
        out = RandomRows(d_kv, pairs.right.cols(), seed + g);
        break;
      case GroupingMethod::kSvd:
        FactorGroup(
            pairs.d_kv, metric,
            result.left.middleRows(g * num_queries * d_kv, num_queries * d_kv),
            right);
        out = right;
        break;
    }
  }
  return result;
}

double RelativeError(const HeadPairs& original, const HeadPairs& grouped,
                     const Metric& metric) {
  const int64_t d_kv = original.d_kv;
  const int64_t num_lefts = original.left.rows() / d_kv;
  const int64_t share = num_lefts / (original.right.rows() / d_kv);
  const int64_t grouped_share = num_lefts / (grouped.right.rows() / d_kv);
  double error = 0, total = 0;
  // |X^T Y|^2 = tr(X C X^T Y D Y^T), with the original and the negative grouped
  // factors one upon the other in X.
  Matrix x(2 * d_kv, original.left.cols()), y(2 * d_kv, original.right.cols());
  for (int64_t i = 0; i < num_lefts; ++i) {
    x << Rows(original.left, i, 1, d_kv), -Rows(grouped.left, i, 1, d_kv);
    y << Rows(original.right, i / share, 1, d_kv),
        Rows(grouped.right, i / grouped_share, 1, d_kv);
    const Matrix a = Moments(x, metric.left, x);
    const Matrix b = Moments(y, metric.right, y);
    error += a.cwiseProduct(b).sum();
    total += a.topLeftCorner(d_kv, d_kv)
                 .cwiseProduct(b.topLeftCorner(d_kv, d_kv))
                 .sum();
  }
  if (total <= 0) return error > 0 ? INFINITY : 0;
  return std::sqrt(std::max(error, 0.0) / total);
}

}  // namespace sheaf
