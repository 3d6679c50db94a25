#pragma once

#include <cstdint>

#include "engine/kernels/activation.h"
#include "engine/kernels/isa.h"

// The arithmetic of a step, in f32: pointers and shapes, no allocation, no
// threads, no errors. Each kernel exists once in source and is compiled for
// every Isa; a Kernels table holds one compilation. What a kernel writes for
// one row depends on nothing but that row's inputs: not on how many rows there
// are, nor on how they are split over calls (batch invariance).
namespace sheaf::kernels {

// Columns of a weight panel, and tokens of a K panel.
inline constexpr int32_t kPanel = 16;

// The most inputs of a product in int8: then no sum overflows 32 bits, nor does
// one with 128 added to each input.
inline constexpr int32_t kMaxInt8K = 66000;

// Values that the scans of a row of logits take together.
inline constexpr int32_t kScanBlock = 64;
// Powers below have the weight 0 (exp_weights): e^-80 of the greatest's weight.
inline constexpr float kLeastWeightPower = -80.0f;

// y[m][n] = sum over k of x[m][k] * w[k][n], or += that; k ascends.
//   x  [num_rows, K], row stride ldx
//   w  panels [ceil(num_columns / 16)][K][16]: column n is panel n / 16, lane
//      n % 16; the lanes past num_columns are read and not used
//   y  [num_rows, num_columns], row stride ldy; may not overlap x
// Reads each panel once for as many rows as the registers hold (6 with AVX2, 8
// with AVX-512); memory-bound there.
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
};

// The same with weights in bfloat16: widened to f32 as they are read, or, with
// Kernels::has_bf16_products, x rounded to bfloat16 and the sums in f32.
//   w  panels [ceil(num_columns / 16)][ceil(K / 2)][16][2]: two k of a column
//      side by side; an odd K ends with a zero
//   words  [num_rows, ceil(K / 2)] scratch
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
};

// y[m][n] = (sum over k of x[m][k] * w[k][n]) * x_scales[m] * w_scales[n], or
// += that. The sums are exact 32-bit integers and the scaling is one code, so
// the result is the same to the bit for every Isa.
//   x  [num_rows, K / g] words as quantize_rows writes them, row stride ldx
//   w  panels [ceil(num_columns / 16)][K / g][16][g] of [-127, 127], where g is
//      Kernels::int8_group; -128 is not a weight
//   w_sums  [num_columns rounded up to 16] sums over k of each column
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
};

// What keys and values are kept as. bfloat16 are widened to f32 as they are
// read, or, with Kernels::has_bf16_products, queries and the softmax's weights
// are rounded to bfloat16 too.
enum class KvType { kF32, kBf16 };

// The grouped keys and values of some KV heads in one layer.
//   block b of the sequence is at base + block_ids[b] * block_stride, and in it
//   head h at h * head_stride:
//     K  [block_tokens / 16][dim][16]  token t is panel t / 16, lane t % 16
//     V  [block_tokens][dim], right behind K
//   and in bfloat16, two places of a head, or two tokens, side by side:
//     K  [block_tokens / 16][dim / 2][16][2]
//     V  [block_tokens / 2][dim][2]
struct KvView {
  const char* base;
  const int32_t* block_ids;
  int64_t block_stride;  // bytes
  int64_t head_stride;   // bytes
  int32_t block_tokens;  // a multiple of 16
  KvType type;
};

// Tokens of a context that attention takes at a time: parts of a long context
// can be taken by several threads.
inline constexpr int32_t kContextPart = 256;

// What attention over a part of a context leaves of a row: [dim] the sum of
// exp(score - max) V, then max, then the sum of exp(score - max).
inline constexpr int64_t PartFloats(int32_t dim) { return dim + 32; }

// Attention of some query rows over tokens [begin, end) of some KV heads, whose
// scores are q[r] K^T + bias[r]; they are not scaled. The rows of a head are
// a query group, of one sequence or of several that share the context: each key
// and value is read from memory once for all of them, in the order of memory.
//   q       [num_kv_heads, num_rows, dim], dense; may be written over
//   bias    row r of head h adds bias[(h * num_rows + r) * bias_stride + t] to
//           token t; null for none
//   parts   [num_kv_heads, num_rows, PartFloats(dim)]: what join_parts reads
//   next    where the caller will read keys after this; any address will do
struct DecodeAttention {
  float* q;
  int32_t num_kv_heads;
  int32_t num_rows;
  int32_t dim;  // even for bfloat16
  KvView kv;
  int32_t begin, end;  // begin < end; begin is a multiple of 16
  const float* bias;
  int64_t bias_stride;
  float* parts;
  const char* next;
};

// What the encoder's attention multiplies. kBf16 is as in KvType. kInt16 is
// integers of 16 bits within +-8191 in units of their own: one for each row of
// queries, one for the keys and one for the values of a head, and 1/8191 for
// the softmax's weights of a part. Their sums are exact.
enum class EncodeType { kF32, kBf16, kInt16 };

// The keys and values of one head of a source, as rows `stride` apart.
struct HeadRows {
  const float* k;
  const float* v;
  int64_t stride;
  int32_t len;
  int32_t dim;  // even for kBf16, a multiple of 32 for kInt16
};

// What 1 stands for in packed keys and values: 1 unless they are kInt16.
struct HeadUnits {
  float k;
  float v;
};

// Rows of queries that pass over a part of the keys while it is in the cache.
inline constexpr int32_t kQueryRows = 48;
// Rows of queries whose scores are held at a time, at most.
inline constexpr int32_t kScoredRows = 6;
// Of EncodeAttention::scratch.
inline constexpr int64_t EncodeScratchFloats(int32_t dim) {
  return int64_t{kScoredRows} * kContextPart + int64_t{kQueryRows} * dim;
}

// Attention of query rows [first_row, end_row) of one head over all `len`
// tokens of one source: out[i] = softmax(q[i] K^T + bias) V, where key t's bias
// is bias[t - i] (one value a relative position).
//   k_panels, v  as pack_head writes them
//   scratch      [EncodeScratchFloats(dim)]
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
  const float* bias;  // the value for t - i == 0; [-(len-1), len-1] around it
  float* scratch;
};

// The greatest of some values, where it is (the first among equals), and the
// sum of exp(x - max): log softmax of x[i] is x[i] - max - log(sum_exp).
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
  // Whether bfloat16 are multiplied as such, rather than widened.
  bool has_bf16_products;
  // How many k of a row, or of a column, lie side by side for gemm_int8, and
  // fill a word of 32 bits: 2, as 16 bits each, or 4, as 8 bits with 128 added.
  int32_t int8_group;
  // Each row of x [num_rows, K] by itself, symmetric: scale = max |x| / 127,
  // q = x / scale rounded to the nearest (ties to even). q has row stride
  // `ldq` words, each of int8_group values; zeros follow a row to its end. A
  // row of zeros has scale 0.
  void (*quantize_rows)(const float* x, int64_t ldx, int32_t num_rows,
                        int32_t K, int32_t* q, int64_t ldq, float* scales);
  void (*attend_decode)(const DecodeAttention& args);
  // out [dim] = the softmax-weighted sum of values over all parts of a row's
  // context, which lie `stride` floats apart in the order of the context.
  void (*join_parts)(const float* parts, int64_t stride, int32_t num_parts,
                     int32_t dim, float* out);
  // Writes the keys as panels [ceil(len / 16)][dim][16] and the values as rows
  // [len][dim], in kBf16 both in pairs as KvView has them, in kInt16 in pairs
  // of any order: [ceil(len / 16)][dim / 2][16][2] and, at most, [len rounded
  // up to 32 / 2][dim][2].
  HeadUnits (*pack_head)(const HeadRows& head, EncodeType type, char* k_panels,
                         char* v);
  void (*attend_encode)(const EncodeAttention& args);
  // The fastest where inputs are rounded anyway.
  EncodeType narrow_encode_type;
  // x [num_rows, dim] with row stride ldx -> y by y = x / sqrt(mean(x^2) +
  // epsilon) * weight, y dense.
  void (*rms_norm)(const float* x, int64_t ldx, int32_t num_rows, int32_t dim,
                   const float* weight, float epsilon, float* y);
  // out[i] = activation(gate[i]) * (linear ? linear[i] : 1); out may be gate.
  void (*activate)(Activation activation, const float* gate,
                   const float* linear, int64_t n, float* out);
  MaxAndSum (*max_and_sum)(const float* x, int32_t n);
  // maxima[i] = the greatest of x's values [64 * i, 64 * (i + 1)), the last
  // block cut at n: [ceil(n / 64)].
  void (*block_maxima)(const float* x, int32_t n, float* maxima);
  // weights[i] = exp((x[i] - max) * scale), and 0 where that is below e^-80.
  // Returns their sum, in a fixed order. REQUIRES: no x[i] is above max.
  double (*exp_weights)(const float* x, int32_t n, float max, float scale,
                        float* weights);
};

// REQUIRES: isa is not above DetectIsa().
const Kernels& KernelsFor(Isa isa);

}  // namespace sheaf::kernels
