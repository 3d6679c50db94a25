// SPDX-License-Identifier: Apache-2.0

#pragma once

// Norms, activations, rotation, and the scan of a row of logits; see kernels.h.

#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

void RmsNorm(const float* x, int64_t ldx, int32_t num_rows, int32_t dim,
             const float* weight, float epsilon, float* y) {
  for (int32_t row = 0; row < num_rows; ++row, x += ldx, y += dim) {
    Vec squares = {};
    int32_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) {
      const Vec v = Load(x + i);
      squares += v * v;
    }
    float sum = Sum(squares);
    for (; i < dim; ++i) sum += x[i] * x[i];
    const float scale =
        1.0f / __builtin_sqrtf(sum / static_cast<float>(dim) + epsilon);
    for (i = 0; i + kLanes <= dim; i += kLanes) {
      Store(y + i, Load(x + i) * scale * Load(weight + i));
    }
    for (; i < dim; ++i) y[i] = x[i] * scale * weight[i];
  }
}

void LayerNorm(const float* x, int64_t ldx, int32_t num_rows, int32_t dim,
               const float* weight, const float* bias, float epsilon,
               float* y) {
  const float n = static_cast<float>(dim);
  for (int32_t row = 0; row < num_rows; ++row, x += ldx, y += dim) {
    Vec sums = {};
    int32_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) sums += Load(x + i);
    float sum = Sum(sums);
    for (; i < dim; ++i) sum += x[i];
    const float mean = sum / n;
    Vec squares = {};
    for (i = 0; i + kLanes <= dim; i += kLanes) {
      const Vec v = Load(x + i) - mean;
      squares += v * v;
    }
    float square_sum = Sum(squares);
    for (; i < dim; ++i) square_sum += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / __builtin_sqrtf(square_sum / n + epsilon);
    for (i = 0; i + kLanes <= dim; i += kLanes) {
      Store(y + i,
            (Load(x + i) - mean) * scale * Load(weight + i) + Load(bias + i));
    }
    for (; i < dim; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  }
}

inline Vec Relu(Vec x) { return Max(x, Vec{}); }
inline Vec Silu(Vec x) { return x / (1.0f + Exp(-x)); }
// 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3) is
// x / (1 + e^-2u).
inline Vec GeluTanh(Vec x) {
  const Vec two_u = 1.5957691216057308f * (x + 0.044715f * x * x * x);
  return x / (1.0f + Exp(-two_u));
}
// 0.5 x (1 + erf(z)) with z = x / sqrt(2) is max(x, 0) - 0.5 |x| erfc(|z|).
// erfc(z) is e^(-z^2) t p(t) with t = 1 / (1 + 0.39 z), where p is the
// polynomial of degree 5 that minimizes the maximum error of z erfc(z)
// (1.2e-8).
inline Vec GeluErf(Vec x) {
  const Vec magnitude = Max(x, -x);
  const Vec t = 1.0f / (1.0f + magnitude * 0.275771645f);  // 0.39 / sqrt(2)
  Vec p = t * -0.225651970f + 0.879095119f;
  p = p * t - 0.623333249f;
  p = p * t + 0.640013822f;
  p = p * t + 0.0951344124f;
  p = p * t + 0.234741906f;
  const Vec erfc = Exp(-0.5f * x * x) * t * p;
  return Max(x, Vec{}) - 0.5f * magnitude * erfc;
}

template <Vec (*kFunction)(Vec)>
void ActivateWith(const float* gate, const float* linear, int64_t n,
                  float* out) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec y = kFunction(Load(gate + i));
    Store(out + i, linear ? y * Load(linear + i) : y);
  }
  for (; i < n; ++i) {
    const float y = kFunction(Broadcast(gate[i]))[0];
    out[i] = linear ? y * linear[i] : y;
  }
}

void Activate(Activation activation, const float* gate, const float* linear,
              int64_t n, float* out) {
  switch (activation) {
    case Activation::kRelu:
      return ActivateWith<Relu>(gate, linear, n, out);
    case Activation::kGeluTanh:
      return ActivateWith<GeluTanh>(gate, linear, n, out);
    case Activation::kGeluErf:
      return ActivateWith<GeluErf>(gate, linear, n, out);
    case Activation::kSilu:
      return ActivateWith<Silu>(gate, linear, n, out);
  }
}

void Rotate(float* x, int32_t num_heads, int32_t dim, const float* angles) {
  const int32_t n = dim / 2;
  const float* cosines = angles;
  const float* sines = angles + n;
  for (int32_t head = 0; head < num_heads; ++head) {
    float* a = x + int64_t{head} * dim;
    float* b = a + n;
    int32_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const Vec a_i = Load(a + i), b_i = Load(b + i);
      const Vec cosine = Load(cosines + i), sine = Load(sines + i);
      Store(a + i, a_i * cosine - b_i * sine);
      Store(b + i, b_i * cosine + a_i * sine);
    }
    for (; i < n; ++i) {
      const float a_i = a[i], b_i = b[i];
      a[i] = a_i * cosines[i] - b_i * sines[i];
      b[i] = b_i * cosines[i] + a_i * sines[i];
    }
  }
}

void SoftCapRow(float* x, int64_t n, float cap) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(x + i, SoftCap(Load(x + i), cap));
  for (; i < n; ++i) x[i] = SoftCap(Broadcast(x[i]), cap)[0];
}

// The values per block in which ScanMaxAndSum() looks for the maximum: so many
// that reducing a vector to one value costs little, and so few that searching a
// block value by value does.
constexpr int32_t kSearchBlock = 1024;

MaxAndSum ScanMaxAndSum(const float* x, int32_t n) {
  float max = -kInfinity;
  int32_t argmax = 0;  // until the search below, where its block begins
  for (int32_t begin = 0; begin < n; begin += kSearchBlock) {
    const int32_t end = MinOf(begin + kSearchBlock, n);
    Vec maxima = Broadcast(-kInfinity);
    int32_t i = begin;
    for (; i + kLanes <= end; i += kLanes) maxima = Max(maxima, Load(x + i));
    float block_max = MaxLane(maxima);
    for (; i < end; ++i) block_max = x[i] > block_max ? x[i] : block_max;
    if (block_max > max) {
      max = block_max;
      argmax = begin;
    }
  }
  while (argmax < n - 1 && x[argmax] != max) ++argmax;
  Vec sums = {};
  int32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sums += Exp(Load(x + i) - max);
  float sum = Sum(sums);
  for (; i < n; ++i) sum += Exp(Broadcast(x[i] - max))[0];
  return {max, argmax, sum};
}

}  // namespace
}  // namespace sheaf::kernels
