// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "engine/kernels/activation.h"
#include "engine/kernels/isa.h"

// The arithmetic of a step, in f32. Kernels take pointers and shapes; they
// allocate nothing, use no threads and report no errors. Each kernel is written
// once and compiled for every Isa; a Kernels table holds one compilation.
//
// The result for one row depends on the inputs of that row only. It depends
// neither on the number of rows nor on how they are split over calls (batch
// invariance).
namespace sheaf::kernels {

// Columns of a weight panel, and tokens of a K panel.
inline constexpr int32_t kPanel = 16;

// The maximum number of inputs of a product in int8. With more, a sum could
// overflow 32 bits, also with 128 added to each input.
inline constexpr int32_t kMaxInt8K = 66000;

// The maximum of Kernels::rows_at_once.
inline constexpr int32_t kMaxRowsAtOnce = 256;

// The number of values per block in the scans of a row of logits.
inline constexpr int32_t kScanBlock = 64;
// Powers below this one get the weight 0 in exp_weights: e^-80 times the
// maximum weight.
inline constexpr float kLeastWeightPower = -80.0f;

// y[m][n] = sum over k of x[m][k] * w[k][n] + bias[n], or += with `accumulate`;
// k ascends.
//   x  [num_rows, K], row stride ldx
//   w  panels [ceil(num_columns / 16)][K][16]: column n is panel n / 16, lane
//      n % 16; lanes past num_columns are read but not used
//   y  [num_rows, num_columns], row stride ldy; may not overlap x
//   bias  [num_columns]; null for none
// Reads each panel once for as many rows as the registers hold (6 with AVX2, 8
// with AVX-512), and is memory-bound with so few rows.
struct Gemm {
  const float* x;
  int64_t ldx;
  int32_t num_rows;
  int32_t K;
  const float* w;
  int32_t num_columns;
  float* y;
  int64_t ldy;
  bool accumulate;
  const float* bias = nullptr;
};

// The same product with weights in bfloat16. They are widened to f32 when they
// are read. With Kernels::has_bf16_products, x is rounded to bfloat16 instead,
// and the sums are in f32.
//   w  panels [ceil(num_columns / 16)][ceil(K / 2)][16][2]: two k of a column
//      side by side; an odd K ends with a zero
//   words  [num_rows, ceil(K / 2)]; scratch
struct GemmBf16 {
  const float* x;
  int64_t ldx;
  int32_t num_rows;
  int32_t K;
  const uint16_t* w;
  int32_t num_columns;
  float* y;
  int64_t ldy;
  bool accumulate;
  int32_t* words;
  const float* bias = nullptr;
};

// Memory in the order in which it will be read.
struct ReadAhead {
  struct Piece {
    const char* at;
    int64_t bytes;
  };
  const Piece* next = nullptr;
  const Piece* end = nullptr;
  int64_t offset = 0;  // in *next

  // Passes over at most `bytes` of a piece, and returns them; none at the end.
  Piece Take(int64_t bytes);
};

// y[m][n] = (sum over k of x[m][k] * w[k][n]) * x_scales[m] * w_scales[n]
// + bias[n], or += with `accumulate`. The sums are exact 32-bit integers and
// all Isas share the code that scales them, so the result is the same to the
// bit.
//   x  [num_rows, K / g] words as quantize_rows writes them, row stride ldx
//   w  panels [ceil(num_columns / 16)][K / g][16][g] of [-127, 127], where g is
//      Kernels::int8_group; -128 is not a weight
//   w_sums  [num_columns rounded up to 16] sums over k of each column
//   ahead  null, or what the caller reads next. A product of many rows is bound
//          by the multiplier, and prefetches some of it to the L2 cache. Others
//          leave it as it is
struct GemmInt8 {
  const int32_t* x;
  int64_t ldx;            // words
  const float* x_scales;  // [num_rows]
  int32_t num_rows;
  int32_t K;  // a multiple of 4, at most kMaxInt8K
  const int8_t* w;
  const float* w_scales;  // [num_columns]
  const int32_t* w_sums;
  int32_t num_columns;
  float* y;
  int64_t ldy;
  bool accumulate;
  const float* bias = nullptr;
  ReadAhead* ahead = nullptr;
};

// The inputs that share a scale in a product in int4, and the inputs of two
// groups, whose weights of a panel lie in one unit of so many bytes.
inline constexpr int32_t kInt4Group = 32;
inline constexpr int32_t kInt4Unit = 2 * kInt4Group;
inline constexpr int64_t kInt4UnitBytes = 64 + kInt4Unit / 2 * kPanel;

// y[m][n] = (sum over the groups of k of scale * (sum over k of x[m][k] *
// w[k][n])) * x_scales[m] + bias[n], or += with `accumulate`. The sums of a
// group are exact integers, they are added in f32 while the groups ascend, and
// each step is rounded as written. So the result is the same to the bit for
// every Isa.
//   x       [num_rows, K] and
//   starts  [num_rows, K / kInt4Group] as int4_inputs writes them
//   w  panels [ceil(num_columns / 16)][K / kInt4Unit] of units. A unit begins
//      with [16][2] scales in bfloat16, those of both groups of a column side
//      by side, each 0 or not denormal. Then come [kInt4Unit / 8][16][4] bytes.
//      Byte i of line j has weight 8 j + i in its low four bits and weight
//      8 j + 4 + i in its high ones, each with 8 added.
struct GemmInt4 {
  const int8_t* x;
  int64_t ldx;  // bytes
  const int32_t* starts;
  int64_t ld_starts;
  const float* x_scales;  // [num_rows]
  int32_t num_rows;
  int32_t K;  // a multiple of kInt4Unit
  const uint8_t* w;
  int32_t num_columns;
  float* y;
  int64_t ldy;
  bool accumulate;
  const float* bias = nullptr;
};

// The type of stored keys and values. bfloat16 are widened to f32 when they are
// read. With Kernels::has_bf16_products, queries and softmax weights are
// rounded to bfloat16 instead.
enum class KvType { kF32, kBf16 };

// The grouped keys and values of some KV heads in one layer. Block b of the
// sequence is at base + block_ids[b] * block_stride; head h of a block is at
// h * head_stride.
//   K  [block_tokens / 16][dim][16]: token t is panel t / 16, lane t % 16
//   V  [block_tokens][dim], directly after K
// In bfloat16, two places of a head, or two tokens, lie side by side:
//   K  [block_tokens / 16][dim / 2][16][2]
//   V  [block_tokens / 2][dim][2]
struct KvView {
  const char* base;
  const int32_t* block_ids;
  int64_t block_stride;  // bytes
  int64_t head_stride;   // bytes
  int32_t block_tokens;  // a multiple of 16
  KvType type;
};

// The number of tokens in a part of a context. Several threads can work on the
// parts of a long context.
inline constexpr int32_t kContextPart = 256;

// The result of attention over a part of a context, for one row: [dim] the sum
// of exp(score - max) V, then max, then the sum of exp(score - max).
inline constexpr int64_t PartFloats(int32_t dim) { return dim + 32; }

// Attention of some query rows over tokens [begin, end) of some KV heads. The
// scores are q[r] K^T + bias[r], without a scale. With a soft cap c they are
// c * tanh(q[r] K^T / c) + bias[r]. The rows of a head are a
// query group of one sequence, or of several sequences that share the context.
// Each key and value is read from memory once for all of them, in the order of
// memory.
//   q       [num_kv_heads, num_rows, dim], dense; may be overwritten
//   bias    row r of head h adds bias[(h * num_rows + r) * bias_stride + t] to
//           token t; null for none
//   parts   [num_kv_heads, num_rows, PartFloats(dim)]: what join_parts reads
//   next    the keys that the caller will read next, to be prefetched; any
//           address is allowed
struct DecodeAttention {
  float* q;
  int32_t num_kv_heads;
  int32_t num_rows;
  int32_t dim;  // even for bfloat16
  KvView kv;
  int32_t begin, end;  // begin < end; begin is a multiple of 16
  const float* bias;
  int64_t bias_stride;
  float softcap;  // 0: none
  float* parts;
  const char* next;
};

// The products of some query rows with the keys of tokens [0, len) of one KV
// head, as in DecodeAttention, without scale, soft cap and bias.
//   q       [num_rows, dim], dense; may be overwritten
//   scores  [num_rows, len rounded up to 16]; those from `len` on are undefined
struct KeyScores {
  float* q;
  int32_t num_rows;
  int32_t dim;  // even for bfloat16
  KvView kv;
  int32_t len;
  float* scores;
};

// The type that the encoder's attention multiplies. kBf16 is as in KvType.
// kInt16 means integers of 16 bits within +-8191, in one unit per row of
// queries, one for the keys and one for the values of a head, and 1/8191 for
// the softmax weights of a part. Their sums are exact.
enum class EncodeType { kF32, kBf16, kInt16 };

// The keys and values of one head of a source, as rows `stride` apart.
struct HeadRows {
  const float* k;
  const float* v;
  int64_t stride;
  int32_t len;
  int32_t dim;  // even for kBf16, a multiple of 32 for kInt16
};

// The value that 1 stands for in packed keys and values: 1 unless they are
// kInt16.
struct HeadUnits {
  float k;
  float v;
};

// The number of query rows that use a part of the keys while it is in the
// cache.
inline constexpr int32_t kQueryRows = 48;
// The maximum number of query rows whose scores are held at a time, without and
// with AMX.
inline constexpr int32_t kScoredRows = 6;
inline constexpr int32_t kTileQueries = 32;
// The size of EncodeAttention::scratch. AMX needs the most: scores, half as
// many query words as places, and sums.
inline constexpr int64_t EncodeScratchFloats(int32_t dim) {
  return int64_t{kTileQueries} * (kContextPart + kPanel) +
         int64_t{kQueryRows} * dim;
}

// Attention of query rows [first_row, end_row) of one head over all `len`
// tokens of one source: out[i] = softmax(score_scale * q[i] K^T + bias) V,
// where the bias of key t is bias[t - i] (one value per relative position).
// With a soft cap c, scores are c * tanh(score_scale * q[i] K^T / c) + bias.
//   k_panels, v  as pack_head writes them
//   bias         null for none
//   back, ahead  the bias of keys t < i - back and t > i + ahead is so low that
//                their weights are 0, so they may be skipped; `len` for no
//                such keys
//   scratch      [EncodeScratchFloats(dim)]; fastest on a cache line
struct EncodeAttention {
  const float* q;  // row 0 of the source
  int64_t q_stride;
  float* out;
  int64_t out_stride;
  int32_t first_row, end_row;
  int32_t dim;
  int32_t len;
  EncodeType type;
  HeadUnits units;
  const char* k_panels;
  const char* v;
  // The value for t - i == 0, with [-(len-1), len-1] around it; null for none.
  const float* bias;
  int32_t back, ahead;
  float softcap;  // 0: none
  float* scratch;
  float score_scale = 1;
};

// The maximum of some values, its index (the first among equals), and the sum
// of exp(x - max). Log softmax of x[i] is x[i] - max - log(sum_exp).
struct MaxAndSum {
  float max;
  int32_t argmax;
  float sum_exp;
};

struct Kernels {
  Isa isa;
  void (*gemm)(const Gemm& args);
  void (*gemm_bf16)(const GemmBf16& args);
  void (*gemm_int8)(const GemmInt8& args);
  // Whether bfloat16 are multiplied directly rather than widened.
  bool has_bf16_products;
  // The number of k of a row, or of a column, that lie side by side for
  // gemm_int8 and fill a word of 32 bits: 2 of 16 bits each, or 4 of 8 bits
  // each with 128 added.
  int32_t int8_group;
  // The number of rows per product with which products of many rows reach their
  // speed: weights are then read rarely enough. At most kMaxRowsAtOnce.
  int32_t rows_at_once;
  // Quantizes each row of x [num_rows, K] by itself, symmetrically: scale =
  // max |x| / 127, and q = x / scale rounded to the nearest (ties to even). q
  // has row stride `ldq` words, each of int8_group values, and zeros fill the
  // rest of a row. A row of zeros has scale 0.
  void (*quantize_rows)(const float* x, int64_t ldx, int32_t num_rows,
                        int32_t K, int32_t* q, int64_t ldq, float* scales);
  // The same for some columns of a row of which other threads have the others:
  // max |x|, and the words of n columns of a row with the given max |x|. The
  // first column is a multiple of 4, and zeros fill the last word.
  float (*max_magnitude)(const float* x, int32_t n);
  void (*quantize_columns)(const float* x, int32_t n, float max, int32_t* q);
  void (*gemm_int4)(const GemmInt4& args);
  // Makes inputs of gemm_int4 from rows of words of quantize_rows, row stride
  // `ldq` words: x [num_rows, K] has the values, and starts [num_rows, K /
  // kInt4Group] is -8 times the sum of each group. K is a multiple of
  // kInt4Group.
  void (*int4_inputs)(const int32_t* q, int64_t ldq, int32_t num_rows,
                      int32_t K, int8_t* x, int64_t ldx, int32_t* starts,
                      int64_t ld_starts);
  void (*attend_decode)(const DecodeAttention& args);
  // out [dim] = the softmax-weighted sum of values over all parts of the
  // context of a row. The parts are `stride` floats apart, in the order of the
  // context.
  void (*join_parts)(const float* parts, int64_t stride, int32_t num_parts,
                     int32_t dim, float* out);
  void (*score_keys)(const KeyScores& args);
  // Writes the keys as panels [ceil(len / 16)][dim][16] and the values as rows
  // [len][dim]. In kBf16 both are in pairs, as in KvView, and in kInt16 in
  // pairs of any order: [ceil(len / 16)][dim / 2][16][2] and at most
  // [RoundUp(len, 32) / 2][dim][2].
  HeadUnits (*pack_head)(const HeadRows& head, EncodeType type, char* k_panels,
                         char* v);
  void (*attend_encode)(const EncodeAttention& args);
  // The fastest type for models whose products round their inputs anyway.
  EncodeType narrow_encode_type;
  // y = x / sqrt(mean(x^2) + epsilon) * weight for each row of x [num_rows,
  // dim], which has row stride ldx; y is dense, and may be x if x is dense.
  void (*rms_norm)(const float* x, int64_t ldx, int32_t num_rows, int32_t dim,
                   const float* weight, float epsilon, float* y);
  // y = (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias for each
  // row of x, as above. y may be x if x is dense.
  void (*layer_norm)(const float* x, int64_t ldx, int32_t num_rows, int32_t dim,
                     const float* weight, const float* bias, float epsilon,
                     float* y);
  // out[i] = activation(gate[i]) * (linear ? linear[i] : 1); out may be gate.
  void (*activate)(Activation activation, const float* gate,
                   const float* linear, int64_t n, float* out);
  // Rotates each head of x [num_heads, dim] in place; dim is even. With n = dim
  // / 2, the pair (x[i], x[n + i]) is rotated by the angle whose cosine is
  // angles[i] and whose sine is angles[n + i].
  void (*rotate)(float* x, int32_t num_heads, int32_t dim, const float* angles);
  // x[i] = cap * tanh(x[i] / cap)
  void (*soft_cap)(float* x, int64_t n, float cap);
  MaxAndSum (*max_and_sum)(const float* x, int32_t n);
  // maxima[i] = the maximum of x[64 * i] to x[64 * i + 63], or up to x[n - 1]
  // in the last block; maxima has ceil(n / 64) values.
  void (*block_maxima)(const float* x, int32_t n, float* maxima);
  // weights[i] = exp((x[i] - max) * scale), or 0 where that is below e^-80.
  // Returns their sum, in a fixed order. REQUIRES: no x[i] is above max.
  double (*exp_weights)(const float* x, int32_t n, float max, float scale,
                        float* weights);
};

// The kernels of an instruction set for ThisProcessor().
// REQUIRES: isa <= DetectIsa().
const Kernels& KernelsFor(Isa isa);

// The same for any processor; only that one can run them.
const Kernels& KernelsFor(Isa isa, const Processor& processor);

}  // namespace sheaf::kernels
