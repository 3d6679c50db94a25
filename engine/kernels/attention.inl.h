// Attention over KV blocks and over a packed source: see kernels.h.

namespace sheaf::kernels {
namespace {

// The sums of n products of rows of x with rows of keys or values, for a type
// of the cache. A bfloat16 row holds two tokens, or two places of a head.
struct F32Cache {
  static constexpr int64_t kBytes = 4;
  static constexpr int kPerRow = 1;
  template <int R, int P, bool kPrefetch>
  static inline __attribute__((always_inline)) void Add(
      const float* x, int64_t ldx, int32_t n, const Streams<P>& b, int64_t ldb,
      Vec (&sum)[R][P][kVecsPerPanel]) {
    Tile<R, P, kPrefetch>(x, ldx, n, b, ldb, sum);
  }
  static float At(const float* words, int32_t row, int64_t ldb, int32_t i) {
    return words[row * ldb + i];
  }
};
struct Bf16Cache {
  static constexpr int64_t kBytes = 2;
  static constexpr int kPerRow = 2;
  template <int R, int P, bool kPrefetch>
  static inline __attribute__((always_inline)) void Add(
      const float* x, int64_t ldx, int32_t n, const Streams<P>& b, int64_t ldb,
      Vec (&sum)[R][P][kVecsPerPanel]) {
    TileBf16<R, P, kPrefetch>(x, ldx, n, b, ldb, sum);
  }
  static float At(const float* words, int32_t row, int64_t ldb, int32_t i) {
    uint32_t pair;
    __builtin_memcpy(&pair, words + row / 2 * ldb + i, sizeof(pair));
    pair = row % 2 == 0 ? pair << 16 : pair & 0xffff0000u;
    float value;
    __builtin_memcpy(&value, &pair, sizeof(value));
    return value;
  }
};

// Where 16 tokens' keys, or some tokens' values, are, and what is read next.
struct Piece {
  const float* at;
  const float* next;
};

// Scores of R query rows against P panels of keys: row r's go to
// scores[r * ld], 16 a panel. Tokens past the context give numbers that nobody
// reads.
template <typename Cache, int R, int P>
inline void ScorePanels(const float* q, int64_t q_stride, int32_t dim,
                        const Piece* keys, float* scores, int64_t ld) {
  Streams<P> b;
  for (int p = 0; p < P; ++p) {
    b.at[p] = keys[p].at;
    b.ahead[p] = keys[p].next;
  }
  Vec sum[R][P][kVecsPerPanel] = {};
  Cache::template Add<R, P, true>(q, q_stride, dim, b, kPanel, sum);
  for (int r = 0; r < R; ++r) {
    for (int p = 0; p < P; ++p) {
      for (int v = 0; v < kVecsPerPanel; ++v) {
        Store(scores + r * ld + p * kPanel + v * kLanes, sum[r][p][v]);
      }
    }
  }
}

// out[r][i] += sum over n tokens of weights[r * ld + t] * values[t][i], t
// ascending, for P panels of 16 places from `i` on.
template <typename Cache, int R, int P>
inline void AddValuePanels(const float* weights, int64_t ld,
                           const Piece& values, int32_t dim, int32_t n,
                           int32_t i, float* out, int64_t out_stride) {
  Streams<P> b;
  Vec sum[R][P][kVecsPerPanel];
  for (int p = 0; p < P; ++p) {
    b.at[p] = values.at + i + p * kPanel;
    b.ahead[p] = values.next + i + p * kPanel;
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < kVecsPerPanel; ++v) {
        sum[r][p][v] = Load(out + r * out_stride + i + p * kPanel + v * kLanes);
      }
    }
  }
  Cache::template Add<R, P, true>(weights, ld, n, b, dim, sum);
  for (int r = 0; r < R; ++r) {
    for (int p = 0; p < P; ++p) {
      for (int v = 0; v < kVecsPerPanel; ++v) {
        Store(out + r * out_stride + i + p * kPanel + v * kLanes, sum[r][p][v]);
      }
    }
  }
}

// The same for all places of a head.
template <typename Cache, int R>
inline void AddValues(const float* weights, int64_t ld, const Piece& values,
                      int32_t dim, int32_t n, float* out, int64_t out_stride) {
  constexpr int P = PanelsFor<F32Product>(R);
  int32_t i = 0;
  for (; i + P * kPanel <= dim; i += P * kPanel) {
    AddValuePanels<Cache, R, P>(weights, ld, values, dim, n, i, out,
                                out_stride);
  }
  for (; i + kPanel <= dim; i += kPanel) {
    AddValuePanels<Cache, R, 1>(weights, ld, values, dim, n, i, out,
                                out_stride);
  }
  for (; i < dim; ++i) {
    for (int r = 0; r < R; ++r) {
      float sum = out[r * out_stride + i];
      for (int32_t t = 0; t < n; ++t) {
        sum += weights[r * ld + t] * Cache::At(values.at, t, dim, i);
      }
      out[r * out_stride + i] = sum;
    }
  }
}

// scores[t] += bias[t] for t < n; returns the greatest. What follows up to a
// whole vector becomes -infinity.
float AddBias(float* scores, const float* bias, int32_t n) {
  int32_t t = 0;
  if (bias != nullptr) {
    for (; t + kLanes <= n; t += kLanes) {
      Store(scores + t, Load(scores + t) + Load(bias + t));
    }
    for (; t < n; ++t) scores[t] += bias[t];
  }
  const int32_t padded = RoundUp(n, kLanes);
  for (t = n; t < padded; ++t) scores[t] = -kInfinity;
  Vec max = Broadcast(-kInfinity);
  for (t = 0; t < padded; t += kLanes) max = Max(max, Load(scores + t));
  return MaxLane(max);
}

// scores[t] = exp(scores[t] - max) for t < n; returns their sum.
float ExpInPlace(float* scores, int32_t n, float max) {
  const int32_t padded = RoundUp(n, kLanes);
  Vec sum = {};
  for (int32_t t = 0; t < padded; t += kLanes) {
    const Vec e = Exp(Load(scores + t) - max);
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

// Calls fn.operator()<R>(row) for rows in blocks of R <= kMax.
template <int kMax, typename Fn>
inline void ForRowBlocks(int32_t begin, int32_t end, const Fn& fn) {
  if constexpr (kMax > 1) {
    for (; begin + kMax <= end; begin += kMax)
      fn.template operator()<kMax>(begin);
    if (begin < end) ForRowBlocks<kMax - 1>(begin, end, fn);
  } else {
    for (; begin < end; ++begin) fn.template operator()<1>(begin);
  }
}

// The most rows whose scores for two panels fit in registers.
constexpr int kMaxScoreRows = kLanes == 4 ? 1 : kLanes == 8 ? 3 : 6;

// Walks over a range of a sequence's tokens in its blocks.
template <typename Cache>
class BlockWalk {
 public:
  explicit BlockWalk(const DecodeAttention& a) : a_(a) {}
  const float* Keys(int32_t token) const { return At(token, 0); }
  const float* Values(int32_t token) const {
    return At(token, int64_t{a_.kv.block_tokens} * a_.dim * Cache::kBytes);
  }
  // Tokens from `token` on that lie in its block, at most to the end.
  int32_t Run(int32_t token) const {
    const int32_t in_block = a_.kv.block_tokens - token % a_.kv.block_tokens;
    return MinOf(in_block, a_.end - token);
  }

 private:
  const float* At(int32_t token, int64_t offset) const {
    const int32_t in_block = token % a_.kv.block_tokens;
    return reinterpret_cast<const float*>(
        a_.kv.base +
        a_.kv.block_ids[token / a_.kv.block_tokens] * a_.kv.block_stride +
        offset + int64_t{in_block} * a_.dim * Cache::kBytes);
  }
  const DecodeAttention& a_;
};

template <typename Cache>
void AttendDecodeIn(const DecodeAttention& a) {
  const BlockWalk<Cache> walk(a);
  const int32_t n = a.end - a.begin;
  const int64_t ld = RoundUp(n, kPanel);
  // Two panels at a time, while the two after them are on their way.
  const auto next_keys = [&](int32_t t) {
    return t < a.end ? walk.Keys(t) : walk.Values(a.begin);
  };
  for (int32_t t = a.begin; t < a.end; t += 2 * kPanel) {
    const Piece keys[2] = {{walk.Keys(t), next_keys(t + 2 * kPanel)},
                           {next_keys(t + kPanel), next_keys(t + 3 * kPanel)}};
    float* scores = a.scores + (t - a.begin);
    ForRowBlocks<kMaxScoreRows>(0, a.num_rows, [&]<int R>(int32_t r) {
      if (t + kPanel < a.end) {
        ScorePanels<Cache, R, 2>(a.q + r * a.dim, a.dim, a.dim, keys,
                                 scores + r * ld, ld);
      } else {
        ScorePanels<Cache, R, 1>(a.q + r * a.dim, a.dim, a.dim, keys,
                                 scores + r * ld, ld);
      }
    });
  }
  const int64_t part_stride = PartFloats(a.dim);
  for (int32_t r = 0; r < a.num_rows; ++r) {
    float* scores = a.scores + r * ld;
    float* part = a.parts + r * part_stride;
    ClearRow(part, a.dim);
    part[a.dim] = AddBias(
        scores, a.bias ? a.bias + r * a.bias_stride + a.begin : nullptr, n);
    part[a.dim + 1] = ExpInPlace(scores, n, part[a.dim]);
  }
  for (int32_t t = a.begin; t < a.end;) {
    const int32_t run = walk.Run(t);
    const Piece values = {walk.Values(t),
                          walk.Values(t + run < a.end ? t + run : t)};
    ForRowBlocks<kMaxTileRows>(0, a.num_rows, [&]<int R>(int32_t r) {
      AddValues<Cache, R>(a.scores + r * ld + (t - a.begin), ld, values, a.dim,
                          run, a.parts + r * part_stride, part_stride);
    });
    t += run;
  }
}

void AttendDecode(const DecodeAttention& a) {
  if (a.kv.type == KvType::kBf16) {
    AttendDecodeIn<Bf16Cache>(a);
  } else {
    AttendDecodeIn<F32Cache>(a);
  }
}

void JoinParts(const float* parts, int64_t stride, int32_t num_parts,
               int32_t dim, float* out) {
  float max = -kInfinity;
  for (int32_t p = 0; p < num_parts; ++p) {
    const float part_max = parts[p * stride + dim];
    max = part_max > max ? part_max : max;
  }
  ClearRow(out, dim);
  float sum = 0;
  for (int32_t p = 0; p < num_parts; ++p) {
    const float* part = parts + p * stride;
    const float weight = Exp(Broadcast(part[dim] - max))[0];
    sum += weight * part[dim + 1];
    for (int32_t i = 0; i < dim; ++i) out[i] += weight * part[i];
  }
  ScaleRow(out, dim, 1.0f / sum);
}

// Rows of queries that pass over a part of the keys while it is in the cache.
constexpr int32_t kQueryRows = 48;

// The softmax of each row is kept relative to its greatest score so far.
void AttendEncode(const EncodeAttention& a) {
  float max[kQueryRows], sum[kQueryRows];
  for (int32_t first = a.first_row; first < a.end_row; first += kQueryRows) {
    const int32_t end = MinOf(first + kQueryRows, a.end_row);
    for (int32_t row = first; row < end; ++row) {
      ClearRow(a.out + row * a.out_stride, a.dim);
      max[row - first] = -kInfinity;
      sum[row - first] = 0;
    }
    for (int32_t t = 0; t < a.len; t += kContextPart) {
      const int32_t n = MinOf(kContextPart, a.len - t);
      const float* keys = a.k_panels + int64_t{t} * a.dim;
      const float* v = a.v + int64_t{t} * a.dim;
      ForRowBlocks<MinOf(6, kMaxTileRows)>(first, end, [&]<int R>(int32_t row) {
        for (int32_t i = 0; i < n; i += kPanel) {
          const float* panel = keys + int64_t{i} * a.dim;
          const Piece piece = {panel, panel};
          ScorePanels<F32Cache, R, 1>(a.q + row * a.q_stride, a.q_stride, a.dim,
                                      &piece, a.scores + i, kContextPart);
        }
        for (int32_t r = 0; r < R; ++r) {
          float* scores = a.scores + r * kContextPart;
          float& row_max = max[row + r - first];
          float& row_sum = sum[row + r - first];
          const float part_max = AddBias(scores, a.bias + t - (row + r), n);
          if (part_max > row_max) {
            const float factor = Exp(Broadcast(row_max - part_max))[0];
            ScaleRow(a.out + (row + r) * a.out_stride, a.dim, factor);
            row_sum *= factor;
            row_max = part_max;
          }
          row_sum += ExpInPlace(scores, n, row_max);
        }
        AddValues<F32Cache, R>(a.scores, kContextPart, {v, v}, a.dim, n,
                               a.out + row * a.out_stride, a.out_stride);
      });
    }
    for (int32_t row = first; row < end; ++row) {
      ScaleRow(a.out + row * a.out_stride, a.dim, 1.0f / sum[row - first]);
    }
  }
}

}  // namespace
}  // namespace sheaf::kernels
