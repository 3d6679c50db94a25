// SPDX-License-Identifier: Apache-2.0

// Attention over KV blocks and over a packed source, against the definition in
// double.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "tests/engine/kernels/kernels_test.h"

namespace sheaf::kernels {
namespace {

class AttentionKernelsTest : public KernelsTest {};

INSTANTIATE_TEST_SUITE_P(AllIsas, AttentionKernelsTest, AllCompilations(),
                         CompilationName);

// softmax(cap(q K^T) + bias) V for one query, in double; a cap of 0 is none.
std::vector<double> Attend(const float* q, const std::vector<float>& k,
                           const std::vector<float>& v, const float* bias,
                           int dim, int len, double softcap = 0) {
  std::vector<double> weights(len), out(dim, 0.0);
  double sum = 0;
  for (int t = 0; t < len; ++t) {
    double dot = 0;
    for (int i = 0; i < dim; ++i) dot += double{q[i]} * k[t * dim + i];
    if (softcap != 0) dot = softcap * std::tanh(dot / softcap);
    sum += weights[t] = std::exp(dot + (bias ? bias[t] : 0));
  }
  for (int t = 0; t < len; ++t) {
    for (int i = 0; i < dim; ++i) out[i] += weights[t] / sum * v[t * dim + i];
  }
  return out;
}

// A cache of one KV head, whose blocks are not in order.
struct Cache {
  static constexpr int kNumBlocks = 40;

  Cache(KvType type, int block_tokens, int dim, const std::vector<float>& k,
        const std::vector<float>& v)
      : bytes_of_block(
            2 * block_tokens * dim * (type == KvType::kBf16 ? 2 : 4) + 64),
        bytes(kNumBlocks * bytes_of_block, 0x7f) {
    const int len = static_cast<int>(k.size()) / dim;
    for (int b = 0; b * block_tokens < len; ++b) {
      ids.push_back((b * 7 + 3) % kNumBlocks);
    }
    for (int t = 0; t < len; ++t) {
      char* block = &bytes[ids[t / block_tokens] * bytes_of_block];
      const int at = t % block_tokens;
      for (int i = 0; i < dim; ++i) {
        if (type == KvType::kF32) {
          auto* floats = reinterpret_cast<float*>(block);
          floats[at / 16 * dim * 16 + i * 16 + at % 16] = k[t * dim + i];
          floats[block_tokens * dim + at * dim + i] = v[t * dim + i];
        } else {
          auto* halves = reinterpret_cast<uint16_t*>(block);
          halves[at / 16 * dim * 16 + i / 2 * 32 + at % 16 * 2 + i % 2] =
              ToBf16(k[t * dim + i]);
          halves[block_tokens * dim + at / 2 * dim * 2 + i * 2 + at % 2] =
              ToBf16(v[t * dim + i]);
        }
      }
    }
    view = {bytes.data(),      ids.data(),   bytes_of_block,
            /*head_stride=*/0, block_tokens, type};
  }

  int64_t bytes_of_block;
  std::vector<char> bytes;
  std::vector<int32_t> ids;
  KvView view;
};

// Computes attention in parts, the last of which may be short, and joins them.
std::vector<float> AttendInParts(const Kernels& kernels, const float* q,
                                 int rows, int dim, const KvView& view, int len,
                                 const float* bias, int bias_stride,
                                 float softcap) {
  const int64_t part_floats = PartFloats(dim);
  const int num_parts = (len + kContextPart - 1) / kContextPart;
  std::vector<float> parts(num_parts * rows * part_floats), out(rows * dim);
  for (int part = 0; part < num_parts; ++part) {
    std::vector<float> scratch(q, q + rows * dim);
    kernels.attend_decode({.q = scratch.data(),
                           .num_kv_heads = 1,
                           .num_rows = rows,
                           .dim = dim,
                           .kv = view,
                           .begin = part * kContextPart,
                           .end = std::min((part + 1) * kContextPart, len),
                           .bias = bias,
                           .bias_stride = bias_stride,
                           .softcap = softcap,
                           .parts = parts.data() + part * rows * part_floats,
                           .next = view.base});
  }
  for (int r = 0; r < rows; ++r) {
    kernels.join_parts(parts.data() + r * part_floats, rows * part_floats,
                       num_parts, dim, &out[r * dim]);
  }
  return out;
}

void ExpectAttention(const Kernels& kernels, KvType type, int block_tokens,
                     int dim, int rows, int len, std::mt19937& rng) {
  SCOPED_TRACE(testing::Message()
               << block_tokens << " " << dim << " " << rows << " " << len);
  auto k = Random(rng, len * dim), v = Random(rng, len * dim);
  auto q = Random(rng, rows * dim);
  double error = 2e-5;
  if (type == KvType::kBf16) {
    RoundAll(k);
    RoundAll(v);
    if (kernels.has_bf16_products) {
      // Each weight has a relative error of up to 2^-8, and they add up to 1.
      RoundAll(q);
      error = 0.5 / 256 * 2 * 4;  // |v| is below 4.
    }
  }
  const Cache cache(type, block_tokens, dim, k, v);
  const int bias_stride = len + 4;
  const auto bias = Random(rng, rows * bias_stride);
  // A low cap, so that all scores are well within its curve.
  for (const auto& [b, softcap] :
       {std::pair<const float*, float>{nullptr, 0.0f},
        {bias.data(), 0.0f},
        {bias.data(), 3.0f},
        {nullptr, 50.0f}}) {
    const auto out = AttendInParts(kernels, q.data(), rows, dim, cache.view,
                                   len, b, bias_stride, softcap);
    for (int r = 0; r < rows; ++r) {
      const auto expected =
          Attend(&q[r * dim], k, v, b ? b + r * bias_stride : nullptr, dim, len,
                 softcap);
      for (int i = 0; i < dim; ++i) {
        ASSERT_NEAR(out[r * dim + i], expected[i], error) << r << " " << i;
      }
      // The bits of a row do not depend on the other rows.
      const auto alone = AttendInParts(kernels, &q[r * dim], 1, dim, cache.view,
                                       len, b ? b + r * bias_stride : nullptr,
                                       bias_stride, softcap);
      ASSERT_EQ(std::vector<float>(&out[r * dim], &out[r * dim] + dim), alone);
    }
  }
}

TEST_P(AttentionKernelsTest, AttendDecodeMatchesTheDefinitionAtBlockEdges) {
  for (KvType type : {KvType::kF32, KvType::kBf16}) {
    SCOPED_TRACE(type == KvType::kF32 ? "f32" : "bf16");
    for (int block_tokens : {16, 48}) {
      for (int dim : {6, 16, 24, 64}) {
        for (int rows : {1, 2, 7}) {
          for (int len : {1, 15, 16, 17, 33, 64}) {
            ExpectAttention(kernels(), type, block_tokens, dim, rows, len,
                            rng_);
          }
        }
      }
    }
  }
}

TEST_P(AttentionKernelsTest, AttendDecodeInPartsMatchesTheDefinition) {
  for (KvType type : {KvType::kF32, KvType::kBf16}) {
    for (int block_tokens : {16, 48, 512}) {
      for (int len : {kContextPart, kContextPart + 1, 2 * kContextPart + 30}) {
        ExpectAttention(kernels(), type, block_tokens, /*dim=*/16, /*rows=*/3,
                        len, rng_);
      }
    }
  }
}

// One call for several KV heads of a block gives the results of single calls.
TEST_P(AttentionKernelsTest, ScoreKeysMatchesTheDefinitionAtBlockEdges) {
  for (const KvType type : {KvType::kF32, KvType::kBf16}) {
    for (const int dim : {6, 16, 64}) {
      for (const int rows : {1, 2, 7, 13}) {
        for (const int len : {1, 15, 16, 17, 48, 100}) {
          SCOPED_TRACE(testing::Message() << dim << " " << rows << " " << len);
          auto k = Random(rng_, len * dim), v = Random(rng_, len * dim);
          auto q = Random(rng_, rows * dim);
          if (type == KvType::kBf16) {
            RoundAll(k);
            RoundAll(v);
            // The products of bfloat16 are exact, and their sums are in f32.
            RoundAll(q);
          }
          const Cache cache(type, /*block_tokens=*/32, dim, k, v);
          const int stride = (len + 15) / 16 * 16;
          std::vector<float> scratch = q, scores(rows * stride);
          kernels().score_keys({.q = scratch.data(),
                                .num_rows = rows,
                                .dim = dim,
                                .kv = cache.view,
                                .len = len,
                                .scores = scores.data()});
          for (int r = 0; r < rows; ++r) {
            for (int t = 0; t < len; ++t) {
              double dot = 0;
              for (int i = 0; i < dim; ++i) {
                dot += double{q[r * dim + i]} * k[t * dim + i];
              }
              ASSERT_NEAR(scores[r * stride + t], dot, 3e-5);
            }
          }
        }
      }
    }
  }
}

TEST_P(AttentionKernelsTest, AttendDecodeTakesHeadsThatLieApart) {
  constexpr int kHeads = 3, kDim = 64, kRows = 2, kLen = 40;
  constexpr int kQueryFloats = kRows * kDim;
  for (KvType type : {KvType::kF32, KvType::kBf16}) {
    const auto q = Random(rng_, kHeads * kQueryFloats);
    const auto bias = Random(rng_, kHeads * kRows * kLen);
    std::vector<Cache> caches;
    for (int head = 0; head < kHeads; ++head) {
      caches.emplace_back(type, /*block_tokens=*/16, kDim,
                          Random(rng_, kLen * kDim), Random(rng_, kLen * kDim));
    }
    const int64_t head_bytes = caches[0].bytes_of_block;
    std::vector<char> bytes(Cache::kNumBlocks * kHeads * head_bytes);
    for (int64_t block = 0; block < Cache::kNumBlocks; ++block) {
      for (int head = 0; head < kHeads; ++head) {
        std::copy_n(&caches[head].bytes[block * head_bytes], head_bytes,
                    &bytes[(block * kHeads + head) * head_bytes]);
      }
    }
    const auto attend = [&](KvView view, int first_head, int num_heads) {
      std::vector<float> scratch(
          &q[first_head * kQueryFloats],
          &q[first_head * kQueryFloats] + num_heads * kQueryFloats);
      std::vector<float> parts(num_heads * kRows * PartFloats(kDim));
      kernels().attend_decode({.q = scratch.data(),
                               .num_kv_heads = num_heads,
                               .num_rows = kRows,
                               .dim = kDim,
                               .kv = view,
                               .begin = 0,
                               .end = kLen,
                               .bias = &bias[first_head * kRows * kLen],
                               .bias_stride = kLen,
                               .softcap = 0,
                               .parts = parts.data(),
                               .next = view.base});
      return parts;
    };
    KvView together = caches[0].view;
    together.block_ids = caches[0].ids.data();
    together.base = bytes.data();
    together.block_stride = kHeads * head_bytes;
    together.head_stride = head_bytes;
    const std::vector<float> parts = attend(together, 0, kHeads);
    for (int head = 0; head < kHeads; ++head) {
      KvView view = caches[head].view;
      view.base = caches[head].bytes.data();
      view.block_ids = caches[head].ids.data();
      const std::vector<float> alone = attend(view, head, 1);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                             &parts[head * kRows * PartFloats(kDim)]))
          << head;
    }
  }
}

// A source of len tokens, whose bias hides keys that lie more than `back`
// before the query or more than `ahead` behind it.
struct EncodeCase {
  EncodeType type;
  int dim, len;
  float score_scale = 1;
  float softcap = 0;
  bool has_bias = true;
  int back = 1 << 20, ahead = 1 << 20;
};

// The maximum difference between attend_encode and the definition.
double EncodeError(const Kernels& kernels, const EncodeCase& c,
                   std::mt19937& rng) {
  const int dim = c.dim, len = c.len;
  auto q = Random(rng, len * dim), k = Random(rng, len * dim),
       v = Random(rng, len * dim);
  if (c.type == EncodeType::kBf16) {
    RoundAll(k);
    RoundAll(v);
    if (kernels.has_bf16_products) RoundAll(q);
  }
  auto bias = Random(rng, 2 * len - 1);
  for (int i = 0; i < 2 * len - 1; ++i) {
    const int relative = i - (len - 1);
    if (relative < -c.back || relative > c.ahead) bias[i] = -1e30f;
  }
  // Values that pack_head does not write must have no effect. Integers among
  // them are within the bound of the type.
  const float unwritten = c.type == EncodeType::kInt16
                              ? std::bit_cast<float>(uint32_t{0x1fff1fff})
                              : NAN;
  const int padded = (len + 15) / 16 * 16;
  std::vector<float> k_panels(padded * dim, unwritten),
      values(padded * dim, unwritten), scratch(EncodeScratchFloats(dim), NAN),
      out(len * dim, NAN);
  auto* k_bytes = reinterpret_cast<char*>(k_panels.data());
  auto* v_bytes = reinterpret_cast<char*>(values.data());
  const HeadUnits units = kernels.pack_head({k.data(), v.data(), dim, len, dim},
                                            c.type, k_bytes, v_bytes);
  kernels.attend_encode({.q = q.data(),
                         .q_stride = dim,
                         .out = out.data(),
                         .out_stride = dim,
                         .first_row = 0,
                         .end_row = len,
                         .dim = dim,
                         .len = len,
                         .type = c.type,
                         .units = units,
                         .k_panels = k_bytes,
                         .v = v_bytes,
                         .bias = c.has_bias ? &bias[len - 1] : nullptr,
                         .back = std::min(c.back, len),
                         .ahead = std::min(c.ahead, len),
                         .softcap = c.softcap,
                         .scratch = scratch.data(),
                         .score_scale = c.score_scale});
  for (float& each : q) each *= c.score_scale;
  double error = 0;
  for (int i = 0; i<len; i += len> 100 ? 37 : 1) {
    const auto expected =
        Attend(&q[i * dim], k, v, c.has_bias ? &bias[len - 1 - i] : nullptr,
               dim, len, c.softcap);
    for (int j = 0; j < dim; ++j) {
      const double difference = std::abs(out[i * dim + j] - expected[j]);
      error = std::isnan(difference) ? INFINITY : std::max(error, difference);
    }
  }
  return error;
}

// With products of bfloat16, as for the decoder. A score of integers is a sum
// of `dim` products of rounded factors. Each factor is at most half a unit off,
// and the maximum is 4.5.
double MaxEncodeError(const Kernels& kernels, EncodeType type) {
  if (type == EncodeType::kInt16) return 8e-3;
  return type == EncodeType::kBf16 && kernels.has_bf16_products
             ? 0.5 / 256 * 2 * 4
             : 2e-5;
}

TEST_P(AttentionKernelsTest, AttendEncodeMatchesTheDefinition) {
  for (int len : {1, 5, 16, 17, 31, 50, 2 * kContextPart + 9}) {
    SCOPED_TRACE(len);
    for (int dim : {8, 20, 64}) {
      for (EncodeType type : {EncodeType::kF32, EncodeType::kBf16}) {
        EXPECT_LT(EncodeError(kernels(), {type, dim, len}, rng_),
                  MaxEncodeError(kernels(), type));
      }
    }
    for (int dim : {32, 64, 96}) {
      EXPECT_LT(EncodeError(kernels(), {EncodeType::kInt16, dim, len}, rng_),
                MaxEncodeError(kernels(), EncodeType::kInt16));
    }
  }
}

TEST_P(AttentionKernelsTest, AttendEncodeScalesAndCapsScoresAndNeedsNoBias) {
  for (EncodeType type :
       {EncodeType::kF32, EncodeType::kBf16, EncodeType::kInt16}) {
    for (int len : {1, 17, 50, kContextPart + 9}) {
      for (float softcap : {0.0f, 1.0f, 50.0f}) {
        for (bool has_bias : {false, true}) {
          SCOPED_TRACE(testing::Message()
                       << len << " " << softcap << " " << has_bias);
          EXPECT_LT(EncodeError(kernels(),
                                {.type = type,
                                 .dim = 32,
                                 .len = len,
                                 .score_scale = 0.3f,
                                 .softcap = softcap,
                                 .has_bias = has_bias},
                                rng_),
                    MaxEncodeError(kernels(), type));
        }
      }
    }
  }
}

TEST_P(AttentionKernelsTest, AttendEncodeSkipsOnlyWhatTheBiasHides) {
  for (EncodeType type :
       {EncodeType::kF32, EncodeType::kBf16, EncodeType::kInt16}) {
    for (int len : {1, 17, 50, 100, 3 * kContextPart + 9}) {
      for (const auto& [back, ahead] :
           {std::pair{0, 0}, {3, 2}, {33, 31}, {0, 70}, {300, 256}}) {
        SCOPED_TRACE(testing::Message() << len << " " << back << " " << ahead);
        EXPECT_LT(EncodeError(kernels(),
                              {.type = type,
                               .dim = 32,
                               .len = len,
                               .back = back,
                               .ahead = ahead},
                              rng_),
                  MaxEncodeError(kernels(), type));
      }
    }
  }
}

// Keys outside the window are not read: not a number there would spoil the sum.
TEST_P(AttentionKernelsTest, AttendEncodeReadsNoPanelOutsideTheWindow) {
  constexpr int kDim = 32, kLen = 2 * kContextPart;
  std::vector<float> q(kLen * kDim, 1.0f), k(kLen * kDim, 1.0f),
      v(kLen * kDim, 2.0f);
  std::fill(k.begin() + 96 * kDim, k.end(), NAN);
  std::fill(v.begin() + 96 * kDim, v.end(), NAN);
  std::vector<float> bias(2 * kLen, -1e30f);
  std::fill_n(bias.begin() + kLen - 20, 41, 0.0f);
  std::vector<float> k_panels(kLen * kDim), values(kLen * kDim),
      scratch(EncodeScratchFloats(kDim)), out(kLen * kDim);
  auto* k_bytes = reinterpret_cast<char*>(k_panels.data());
  auto* v_bytes = reinterpret_cast<char*>(values.data());
  const HeadUnits units =
      kernels().pack_head({k.data(), v.data(), kDim, kLen, kDim},
                          EncodeType::kF32, k_bytes, v_bytes);
  kernels().attend_encode({.q = q.data(),
                           .q_stride = kDim,
                           .out = out.data(),
                           .out_stride = kDim,
                           .first_row = 0,
                           .end_row = 60,
                           .dim = kDim,
                           .len = kLen,
                           .type = EncodeType::kF32,
                           .units = units,
                           .k_panels = k_bytes,
                           .v = v_bytes,
                           .bias = &bias[kLen],
                           .back = 20,
                           .ahead = 20,
                           .softcap = 0,
                           .scratch = scratch.data()});
  for (int i = 0; i < 60 * kDim; ++i) ASSERT_NEAR(out[i], 2.0f, 1e-5) << i;
}

// Token 0 has the weight 1, and each token of the second part e^-10. That is
// less than the unit of integers would be for the whole row.
TEST_P(AttentionKernelsTest, AttendEncodeKeepsSmallWeightsOfManyTokens) {
  constexpr int kDim = 32, kLen = 2 * kContextPart;
  const std::vector<float> zeros(kLen * kDim);
  std::vector<float> v(kLen * kDim);
  std::fill(v.begin() + kContextPart * kDim, v.end(), 1.0f);
  std::vector<float> bias(2 * kLen, -80.0f);
  bias[kLen] = 10.0f;
  std::fill_n(bias.begin() + kLen + kContextPart, kContextPart, 0.0f);
  const double tail = kContextPart * std::exp(-10.0);
  for (EncodeType type :
       {EncodeType::kF32, EncodeType::kBf16, EncodeType::kInt16}) {
    std::vector<float> k_panels(kLen * kDim), values(kLen * kDim),
        scratch(EncodeScratchFloats(kDim)), out(kLen * kDim);
    auto* k_bytes = reinterpret_cast<char*>(k_panels.data());
    auto* v_bytes = reinterpret_cast<char*>(values.data());
    const HeadUnits units = kernels().pack_head(
        {zeros.data(), v.data(), kDim, kLen, kDim}, type, k_bytes, v_bytes);
    kernels().attend_encode({.q = zeros.data(),
                             .q_stride = kDim,
                             .out = out.data(),
                             .out_stride = kDim,
                             .first_row = 0,
                             .end_row = 1,
                             .dim = kDim,
                             .len = kLen,
                             .type = type,
                             .units = units,
                             .k_panels = k_bytes,
                             .v = v_bytes,
                             .bias = &bias[kLen],
                             .back = kLen,
                             .ahead = kLen,
                             .softcap = 0,
                             .scratch = scratch.data()});
    EXPECT_NEAR(out[0] / (tail / (1 + tail)), 1.0, 1e-3);
  }
}

}  // namespace
}  // namespace sheaf::kernels
