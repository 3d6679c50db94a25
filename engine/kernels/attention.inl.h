// Attention over KV blocks and over a packed source: see kernels.h.

namespace sheaf::kernels {
namespace {

// What a type of the cache means to the kernels: the sums of products of rows
// of x with rows of keys or values. A row of the cache's words holds a token,
// or a place of a head; in bfloat16 two of them. Rows of x are floats, but
// pairs of bfloat16 where the Isa has products of those: Prepare() makes them
// so.
struct F32Cache {
  static constexpr int64_t kBytes = 4;
  template <int R, int P, bool kPrefetch>
  static inline __attribute__((always_inline)) void Add(
      const float* x, int64_t ldx, int32_t n, const Streams<P>& b, int64_t ldb,
      Vec (&sum)[R][P][kVecsPerPanel]) {
    Tile<R, P, kPrefetch>(x, ldx, n, b, ldb, sum);
  }
  static float At(const float* words, int32_t row, int64_t ldb, int32_t i) {
    return words[row * ldb + i];
  }
  static float Factor(const float* x, int32_t k) { return x[k]; }
  static void Prepare(float*, int32_t) {}
};

struct Bf16Cache {
  static constexpr int64_t kBytes = 2;
  template <int R, int P, bool kPrefetch>
  static inline __attribute__((always_inline)) void Add(
      const float* x, int64_t ldx, int32_t n, const Streams<P>& b, int64_t ldb,
      Vec (&sum)[R][P][kVecsPerPanel]) {
#if defined(__AVX512BF16__)
    TileDot<R, P, kPrefetch>(reinterpret_cast<const int32_t*>(x), ldx, n, b,
                             ldb, sum);
#else
    TileBf16<R, P, kPrefetch>(x, ldx, n, b, ldb, sum);
#endif
  }
  static float At(const float* words, int32_t row, int64_t ldb, int32_t i) {
    return Half(words[row / 2 * ldb + i], row);
  }
#if defined(__AVX512BF16__)
  static float Factor(const float* x, int32_t k) { return Half(x[k / 2], k); }
  // n floats become pairs of bfloat16 in the first half of their room, an odd
  // one with a zero.
  static void Prepare(float* x, int32_t n) {
    RoundToBf16(x, n, reinterpret_cast<int32_t*>(x));
  }
#else
  static float Factor(const float* x, int32_t k) { return x[k]; }
  static void Prepare(float*, int32_t) {}
#endif

 private:
  // The k-th of two bfloat16 in a word.
  static float Half(float word, int32_t k) {
    uint32_t pair;
    __builtin_memcpy(&pair, &word, sizeof(pair));
    pair = k % 2 == 0 ? pair << 16 : pair & 0xffff0000u;
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
template <typename Cache, int R, int P, bool kPrefetch>
inline void ScorePanels(const float* q, int64_t q_stride, int32_t dim,
                        const Piece* keys, float* scores, int64_t ld) {
  Streams<P> b;
  for (int p = 0; p < P; ++p) {
    b.at[p] = keys[p].at;
    b.ahead[p] = keys[p].next;
  }
  Vec sum[R][P][kVecsPerPanel] = {};
  Cache::template Add<R, P, kPrefetch>(q, q_stride, dim, b, kPanel, sum);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecsPerPanel; ++v) {
        Store(scores + r * ld + p * kPanel + v * kLanes, sum[r][p][v]);
      }
    }
  }
}

// out[r][i] += sum over n tokens of weights[r * ld + t] * values[t][i], t
// ascending, for P panels of 16 places from `i` on.
template <typename Cache, int R, int P, bool kPrefetch>
inline void AddValuePanels(const float* weights, int64_t ld,
                           const Piece& values, int32_t dim, int32_t n,
                           int32_t i, float* out, int64_t out_stride) {
  Streams<P> b;
  Vec sum[R][P][kVecsPerPanel];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    b.at[p] = values.at + i + p * kPanel;
    b.ahead[p] = values.next + i + p * kPanel;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecsPerPanel; ++v) {
        sum[r][p][v] = Load(out + r * out_stride + i + p * kPanel + v * kLanes);
      }
    }
  }
  Cache::template Add<R, P, kPrefetch>(weights, ld, n, b, dim, sum);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecsPerPanel; ++v) {
        Store(out + r * out_stride + i + p * kPanel + v * kLanes, sum[r][p][v]);
      }
    }
  }
}

// The same for all places of a head.
template <typename Cache, int R, bool kPrefetch>
inline void AddValues(const float* weights, int64_t ld, const Piece& values,
                      int32_t dim, int32_t n, float* out, int64_t out_stride) {
  constexpr int P = PanelsFor<F32Product>(R);
  int32_t i = 0;
  for (; i + P * kPanel <= dim; i += P * kPanel) {
    AddValuePanels<Cache, R, P, kPrefetch>(weights, ld, values, dim, n, i, out,
                                           out_stride);
  }
  for (; i + kPanel <= dim; i += kPanel) {
    AddValuePanels<Cache, R, 1, kPrefetch>(weights, ld, values, dim, n, i, out,
                                           out_stride);
  }
  for (; i < dim; ++i) {
    for (int r = 0; r < R; ++r) {
      float sum = out[r * out_stride + i];
      for (int32_t t = 0; t < n; ++t) {
        sum += Cache::Factor(weights + r * ld, t) *
               Cache::At(values.at, t, dim, i);
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

// The rows whose places of 64 fit in registers.
constexpr int kMaxValueRows = MinOf(kScoredRows, kMaxTileRows);

// Takes 16 more scores of a row, of which n count, into its part: they become
// weights relative to the greatest score so far.
inline void TakeScores(float* scores, const float* bias, int32_t n, int32_t dim,
                       float* part) {
  constexpr int kVecs = kVecsPerPanel;
  if (n < kPanel) {
    for (int32_t t = 0; bias != nullptr && t < n; ++t) scores[t] += bias[t];
    for (int32_t t = n; t < kPanel; ++t) scores[t] = -kInfinity;
    bias = nullptr;
  }
  Vec score[kVecs], greatest = Broadcast(-kInfinity);
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) {
    score[v] = Load(scores + v * kLanes);
    if (bias != nullptr) score[v] += Load(bias + v * kLanes);
    greatest = Max(greatest, score[v]);
  }
  float& max = part[dim];
  float* sums = part + dim + kPanel;
  if (AnyAbove(greatest, max)) {
    const float new_max = MaxLane(greatest);
    const float factor = Exp(Broadcast(max - new_max))[0];
    ScaleRow(part, dim, factor);
    ScaleRow(sums, kPanel, factor);
    max = new_max;
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) {
    const Vec weights = Exp(score[v] - max);
    Store(scores + v * kLanes, weights);
    Store(sums + v * kLanes, Load(sums + v * kLanes) + weights);
  }
}

// The tokens in panels of 16; of each panel all heads, keys then values: that
// is the order in which they lie in memory.
template <typename Cache>
void AttendDecodeIn(const DecodeAttention& a) {
  const int32_t num_queries = a.num_kv_heads * a.num_rows;
  const int64_t part_stride = PartFloats(a.dim);
  const int64_t panel_bytes = int64_t{kPanel} * a.dim * Cache::kBytes;
  const int64_t to_values = a.kv.block_tokens / kPanel * panel_bytes;
  for (int32_t i = 0; i < num_queries; ++i) {
    float* part = a.parts + i * part_stride;
    ClearRow(part, static_cast<int32_t>(part_stride));
    part[a.dim] = -kInfinity;
    Cache::Prepare(a.q + i * a.dim, a.dim);
  }
  const auto head_zero = [&](int32_t token) {
    return a.kv.base +
           a.kv.block_ids[token / a.kv.block_tokens] * a.kv.block_stride +
           token % a.kv.block_tokens / kPanel * panel_bytes;
  };
  alignas(64) float scores[kMaxValueRows * kPanel];
  for (int32_t t = a.begin; t < a.end; t += kPanel) {
    const int32_t n = MinOf(kPanel, a.end - t);
    const char* keys = head_zero(t);
    for (int32_t head = 0; head < a.num_kv_heads; ++head) {
      const char* next = head + 1 < a.num_kv_heads ? keys + a.kv.head_stride
                         : t + kPanel < a.end      ? head_zero(t + kPanel)
                                                   : a.next;
      const Piece k = {reinterpret_cast<const float*>(keys),
                       reinterpret_cast<const float*>(next)};
      const Piece v = {reinterpret_cast<const float*>(keys + to_values),
                       reinterpret_cast<const float*>(next + to_values)};
      const int32_t first = head * a.num_rows;
      ForRowBlocks<kMaxValueRows>(
          first, first + a.num_rows, [&]<int R>(int32_t row) {
            ScorePanels<Cache, R, 1, true>(a.q + row * a.dim, a.dim, a.dim, &k,
                                           scores, kPanel);
            float* part = a.parts + row * part_stride;
            for (int32_t r = 0; r < R; ++r) {
              TakeScores(
                  scores + r * kPanel,
                  a.bias ? a.bias + (row + r) * a.bias_stride + t : nullptr, n,
                  a.dim, part + r * part_stride);
              Cache::Prepare(scores + r * kPanel, n);
            }
            AddValues<Cache, R, true>(scores, kPanel, v, a.dim, n, part,
                                      part_stride);
          });
      keys = next;
    }
  }
  for (int32_t i = 0; i < num_queries; ++i) {
    float* part = a.parts + i * part_stride;
    float sum = 0;
    for (int32_t t = 0; t < kPanel; ++t) sum += part[a.dim + kPanel + t];
    part[a.dim + 1] = sum;
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

// All panels of a part of the keys for R rows, P at a time.
template <typename Cache, int R, int P>
inline void ScoreAllPanels(const float* q, int32_t dim, const float* keys,
                           int32_t num_panels, float* scores, int64_t ld) {
  const int64_t panel_floats = int64_t{dim} * kPanel * Cache::kBytes / 4;
  int32_t i = 0;
  for (; i + P <= num_panels; i += P) {
    Piece pieces[P];
    for (int p = 0; p < P; ++p) {
      pieces[p].at = pieces[p].next = keys + (i + p) * panel_floats;
    }
    ScorePanels<Cache, R, P, false>(q, dim, dim, pieces, scores + i * kPanel,
                                    ld);
  }
  if constexpr (P > 1) {
    if (i < num_panels) {
      ScoreAllPanels<Cache, R, 1>(q, dim, keys + i * panel_floats,
                                  num_panels - i, scores + i * kPanel, ld);
    }
  }
}

// The softmax of each row is kept relative to its greatest score so far.
template <typename Cache>
void AttendEncodeIn(const EncodeAttention& a) {
  float* all_scores = a.scratch;
  float* q = a.scratch + int64_t{kMaxValueRows} * kContextPart;
  float max[kQueryRows], sum[kQueryRows];
  for (int32_t first = a.first_row; first < a.end_row; first += kQueryRows) {
    const int32_t end = MinOf(first + kQueryRows, a.end_row);
    for (int32_t row = first; row < end; ++row) {
      float* q_row = q + int64_t{row - first} * a.dim;
      for (int32_t i = 0; i < a.dim; ++i) q_row[i] = a.q[row * a.q_stride + i];
      Cache::Prepare(q_row, a.dim);
      ClearRow(a.out + row * a.out_stride, a.dim);
      max[row - first] = -kInfinity;
      sum[row - first] = 0;
    }
    for (int32_t t = 0; t < a.len; t += kContextPart) {
      const int32_t n = MinOf(kContextPart, a.len - t);
      const int64_t offset = int64_t{t} * a.dim * Cache::kBytes;
      const auto* keys = reinterpret_cast<const float*>(a.k_panels + offset);
      const auto* v = reinterpret_cast<const float*>(a.v + offset);
      ForRowBlocks<kMaxValueRows>(first, end, [&]<int R>(int32_t row) {
        ScoreAllPanels<Cache, R, PanelsFor<F32Product>(R)>(
            q + int64_t{row - first} * a.dim, a.dim, keys,
            (n + kPanel - 1) / kPanel, all_scores, kContextPart);
        for (int32_t r = 0; r < R; ++r) {
          float* scores = all_scores + r * kContextPart;
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
          Cache::Prepare(scores, n);
        }
        AddValues<Cache, R, false>(all_scores, kContextPart, {v, v}, a.dim, n,
                                   a.out + row * a.out_stride, a.out_stride);
      });
    }
    for (int32_t row = first; row < end; ++row) {
      ScaleRow(a.out + row * a.out_stride, a.dim, 1.0f / sum[row - first]);
    }
  }
}

void AttendEncode(const EncodeAttention& a) {
  if (a.type == KvType::kBf16) {
    AttendEncodeIn<Bf16Cache>(a);
  } else {
    AttendEncodeIn<F32Cache>(a);
  }
}

// The bfloat16 nearest to x, ties to even, in the upper half of a word.
inline uint32_t RoundedBits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits + 0x7fff + (bits >> 16 & 1);
}

void PackHead(const HeadRows& head, KvType type, char* k_panels, char* v) {
  const int32_t dim = head.dim;
  if (type == KvType::kF32) {
    auto* keys = reinterpret_cast<float*>(k_panels);
    auto* values = reinterpret_cast<float*>(v);
    for (int32_t t = 0; t < head.len; ++t) {
      const float* k_row = head.k + t * head.stride;
      const float* v_row = head.v + t * head.stride;
      float* lane = keys + int64_t{t / kPanel} * dim * kPanel + t % kPanel;
      for (int32_t i = 0; i < dim; ++i) lane[i * kPanel] = k_row[i];
      for (int32_t i = 0; i < dim; ++i) values[int64_t{t} * dim + i] = v_row[i];
    }
    return;
  }
  auto* keys = reinterpret_cast<uint32_t*>(k_panels);
  auto* values = reinterpret_cast<uint32_t*>(v);
  for (int32_t t = 0; t < head.len; ++t) {
    const float* k_row = head.k + t * head.stride;
    uint32_t* lane =
        keys + int64_t{t / kPanel} * (dim / 2) * kPanel + t % kPanel;
    for (int32_t i = 0; i < dim / 2; ++i) {
      lane[i * kPanel] = RoundedBits(k_row[2 * i]) >> 16 |
                         (RoundedBits(k_row[2 * i + 1]) & 0xffff0000u);
    }
  }
  for (int32_t t = 0; t < head.len; t += 2) {
    const float* v_row = head.v + t * head.stride;
    uint32_t* row = values + int64_t{t / 2} * dim;
    if (t + 1 < head.len) {
      for (int32_t i = 0; i < dim; ++i) {
        row[i] = RoundedBits(v_row[i]) >> 16 |
                 (RoundedBits(v_row[head.stride + i]) & 0xffff0000u);
      }
    } else {
      for (int32_t i = 0; i < dim; ++i) row[i] = RoundedBits(v_row[i]) >> 16;
    }
  }
}

}  // namespace
}  // namespace sheaf::kernels
