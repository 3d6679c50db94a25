// Attention over KV blocks and over a packed source: see kernels.h.

namespace sheaf::kernels {
namespace {

// Scores of R query rows against panels [0, num_panels) of keys: writes
// scores[r * ld + t]. Tokens past the context give numbers that nobody reads.
template <int R>
void ScorePanels(const float* q, int64_t q_stride, int32_t dim,
                 const float* panels, int32_t num_panels, float* scores,
                 int64_t ld) {
  for (int32_t p = 0; p < num_panels; ++p) {
    Vec sum[R][1][kVecsPerPanel] = {};
    Tile<R, 1>(q, q_stride, dim, panels + int64_t{p} * dim * kPanel, 0, kPanel,
               sum);
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < kVecsPerPanel; ++v) {
        Store(scores + r * ld + p * kPanel + v * kLanes, sum[r][0][v]);
      }
    }
  }
}

// out[r] += sum over n tokens of weights[r * ld + t] * values[t], t ascending.
template <int R>
void AddValues(const float* weights, int64_t ld, const float* values,
               int32_t dim, int32_t n, float* out, int64_t out_stride) {
  int32_t i = 0;
  for (; i + kPanel <= dim; i += kPanel) {
    Vec sum[R][1][kVecsPerPanel];
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < kVecsPerPanel; ++v) {
        sum[r][0][v] = Load(out + r * out_stride + i + v * kLanes);
      }
    }
    Tile<R, 1>(weights, ld, n, values + i, 0, dim, sum);
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < kVecsPerPanel; ++v) {
        Store(out + r * out_stride + i + v * kLanes, sum[r][0][v]);
      }
    }
  }
  for (; i < dim; ++i) {
    for (int r = 0; r < R; ++r) {
      float sum = out[r * out_stride + i];
      for (int32_t t = 0; t < n; ++t) {
        sum += weights[r * ld + t] * values[int64_t{t} * dim + i];
      }
      out[r * out_stride + i] = sum;
    }
  }
}

// scores[t] = exp(scores[t] + bias[t] - max) for t < n; returns their sum.
float ExpInPlace(float* scores, const float* bias, int32_t n) {
  if (bias != nullptr) {
    int32_t t = 0;
    for (; t + kLanes <= n; t += kLanes) {
      Store(scores + t, Load(scores + t) + Load(bias + t));
    }
    for (; t < n; ++t) scores[t] += bias[t];
  }
  // Pads to whole vectors with what adds nothing.
  const int32_t padded = RoundUp(n, kLanes);
  for (int32_t t = n; t < padded; ++t) scores[t] = -kInfinity;
  Vec max = Broadcast(-kInfinity);
  for (int32_t t = 0; t < padded; t += kLanes) max = Max(max, Load(scores + t));
  const Vec top = Broadcast(MaxLane(max));
  Vec sum = {};
  for (int32_t t = 0; t < padded; t += kLanes) {
    const Vec e = Exp(Load(scores + t) - top);
    Store(scores + t, e);
    sum += e;
  }
  return Sum(sum);
}

void ScaleRow(float* x, int32_t n, float scale) {
  for (int32_t i = 0; i < n; ++i) x[i] *= scale;
}

void ClearRow(float* x, int32_t n) {
  for (int32_t i = 0; i < n; ++i) x[i] = 0;
}

// Calls fn.operator()<R>(row) for rows in blocks of R <= kMaxTileRows.
template <typename Fn>
inline void ForRowBlocks(int32_t begin, int32_t end, const Fn& fn) {
  while (begin < end) {
    const int32_t n = MinOf(end - begin, kMaxTileRows);
    switch (n) {
      case 1:
        fn.template operator()<1>(begin);
        break;
      case 2:
        fn.template operator()<2>(begin);
        break;
      case 3:
        fn.template operator()<3>(begin);
        break;
      case 4:
        fn.template operator()<4>(begin);
        break;
      case 5:
        fn.template operator()<5>(begin);
        break;
      default:
        fn.template operator()<6>(begin);
        break;
    }
    begin += n;
  }
}

void AttendDecode(const DecodeAttention& a) {
  const int64_t ld = RoundUp(a.context_len, kPanel);
  const int32_t block_tokens = a.kv.block_tokens;
  const int64_t values_at = int64_t{block_tokens} * a.dim;
  for (int32_t t = 0, b = 0; t < a.context_len; t += block_tokens, ++b) {
    const float* keys = a.kv.base + a.kv.block_ids[b] * a.kv.block_stride;
    const int32_t n = MinOf(block_tokens, a.context_len - t);
    ForRowBlocks(0, a.num_rows, [&]<int R>(int32_t r) {
      ScorePanels<R>(a.q + r * a.q_stride, a.q_stride, a.dim, keys,
                     RoundUp(n, kPanel) / kPanel, a.scores + r * ld + t, ld);
    });
  }
  for (int32_t r = 0; r < a.num_rows; ++r) {
    float* scores = a.scores + r * ld;
    const float* bias = a.bias ? a.bias + r * a.bias_stride : nullptr;
    const float scale = 1.0f / ExpInPlace(scores, bias, a.context_len);
    ScaleRow(scores, a.context_len, scale);
    ClearRow(a.out + r * a.out_stride, a.dim);
  }
  for (int32_t t = 0, b = 0; t < a.context_len; t += block_tokens, ++b) {
    const float* values =
        a.kv.base + a.kv.block_ids[b] * a.kv.block_stride + values_at;
    const int32_t n = MinOf(block_tokens, a.context_len - t);
    ForRowBlocks(0, a.num_rows, [&]<int R>(int32_t r) {
      AddValues<R>(a.scores + r * ld + t, ld, values, a.dim, n,
                   a.out + r * a.out_stride, a.out_stride);
    });
  }
}

void AttendEncode(const EncodeAttention& a) {
  const int64_t ld = RoundUp(a.len, kPanel);
  ForRowBlocks(a.first_row, a.end_row, [&]<int R>(int32_t row) {
    ScorePanels<R>(a.q + row * a.q_stride, a.q_stride, a.dim, a.k_panels,
                   static_cast<int32_t>(ld / kPanel), a.scores, ld);
    for (int r = 0; r < R; ++r) {
      float* scores = a.scores + r * ld;
      const float sum = ExpInPlace(scores, a.bias - (row + r), a.len);
      ScaleRow(scores, a.len, 1.0f / sum);
      ClearRow(a.out + (row + r) * a.out_stride, a.dim);
    }
    AddValues<R>(a.scores, ld, a.v, a.dim, a.len, a.out + row * a.out_stride,
                 a.out_stride);
  });
}

}  // namespace
}  // namespace sheaf::kernels
