#include "engine/kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/bf16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf::kernels {

#if defined(__x86_64__)
extern const Kernels kAvx512Kernels;
#endif

namespace {

std::vector<float> Random(std::mt19937& rng, size_t n) {
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(rng);
  return x;
}

// A compilation of the kernels.
struct Compilation {
  Isa isa;
  bool has_bf16_products;
};

void RoundAll(std::vector<float>& x) {
  for (float& v : x) v = FromBf16(ToBf16(v));
}

// Every kernel, for every Isa that this machine has, against the definition in
// double.
class KernelsTest : public ::testing::TestWithParam<Compilation> {
 protected:
  void SetUp() override {
    if (GetParam().isa > DetectIsa()) GTEST_SKIP() << "not on this processor";
    kernels_ = &KernelsFor(GetParam().isa);
#if defined(__x86_64__)
    // AVX-512 without products of bfloat16 is tested on every such processor.
    if (GetParam().isa == Isa::kAvx512 && !GetParam().has_bf16_products) {
      kernels_ = &kAvx512Kernels;
    }
#endif
    if (kernels_->has_bf16_products != GetParam().has_bf16_products) {
      GTEST_SKIP() << "not on this processor";
    }
  }
  const Kernels& kernels() const { return *kernels_; }
  const Kernels* kernels_ = nullptr;
  std::mt19937 rng_{301};
};

INSTANTIATE_TEST_SUITE_P(AllIsas, KernelsTest,
                         ::testing::Values(Compilation{Isa::kPortable, false},
                                           Compilation{Isa::kAvx2, false},
                                           Compilation{Isa::kAvx512, false},
                                           Compilation{Isa::kAvx512, true}),
                         [](const auto& info) {
                           return std::string(IsaName(info.param.isa)) +
                                  (info.param.has_bf16_products ? "_bf16" : "");
                         });

std::vector<float> PackPanels(const std::vector<float>& w, int K, int N) {
  std::vector<float> panels((N + 15) / 16 * 16 * K, 99.0f);
  for (int n = 0; n < N; ++n) {
    for (int k = 0; k < K; ++k) {
      panels[n / 16 * 16 * K + k * 16 + n % 16] = w[n * K + k];
    }
  }
  return panels;
}

TEST_P(KernelsTest, GemmMatchesTheDefinition) {
  for (int M : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 32}) {
    for (int N : {1, 15, 16, 17, 64, 83}) {
      SCOPED_TRACE(testing::Message() << "M " << M << ", N " << N);
      const int K = 37, ldx = K + 3, ldy = N + 5;
      const auto x = Random(rng_, M * ldx), w = Random(rng_, N * K);
      const auto panels = PackPanels(w, K, N);
      const auto before = Random(rng_, M * ldy);
      for (bool accumulate : {false, true}) {
        auto y = before;
        kernels().gemm(
            {x.data(), ldx, M, K, panels.data(), N, y.data(), ldy, accumulate});
        for (int m = 0; m < M; ++m) {
          for (int n = 0; n < ldy; ++n) {
            double expected = before[m * ldy + n];
            if (n < N) {
              if (!accumulate) expected = 0;
              for (int k = 0; k < K; ++k)
                expected += double{x[m * ldx + k]} * w[n * K + k];
            }
            ASSERT_NEAR(y[m * ldy + n], expected, 2e-5) << m << " " << n;
          }
        }
      }
    }
  }
}

TEST_P(KernelsTest, GemmGivesARowTheSameBitsInAnyBatch) {
  const int K = 96, N = 80, M = 32;
  const auto x = Random(rng_, M * K);
  const auto panels = PackPanels(Random(rng_, N * K), K, N);
  std::vector<float> together(M * N), alone(N);
  kernels().gemm(
      {x.data(), K, M, K, panels.data(), N, together.data(), N, false});
  for (int m = 0; m < M; ++m) {
    kernels().gemm(
        {x.data() + m * K, K, 1, K, panels.data(), N, alone.data(), N, false});
    ASSERT_TRUE(std::equal(alone.begin(), alone.end(), &together[m * N])) << m;
  }
}

// Panels of 16 columns and pairs of k, of any type.
template <typename T>
std::vector<T> PackGroups(const std::vector<T>& w, int K, int N, int group) {
  const int groups = (K + group - 1) / group;
  std::vector<T> panels((N + 15) / 16 * 16 * groups * group, T{0});
  for (int n = 0; n < N; ++n) {
    for (int k = 0; k < K; ++k) {
      panels[((n / 16 * groups + k / group) * 16 + n % 16) * group +
             k % group] = w[n * K + k];
    }
  }
  return panels;
}

// A row's words, as quantize_rows writes them.
std::vector<int32_t> ToWords(const std::vector<int>& x, int group) {
  std::vector<int32_t> words(x.size() / group);
  for (size_t i = 0; i < x.size(); ++i) {
    const uint32_t bits = group == 4 ? static_cast<uint8_t>(x[i] + 128)
                                     : static_cast<uint16_t>(x[i]);
    words[i / group] |= static_cast<int32_t>(bits << (i % group * 32 / group));
  }
  return words;
}

TEST_P(KernelsTest, GemmBf16MatchesTheDefinition) {
  for (int M : {1, 2, 3, 4, 5, 6, 7, 13}) {
    for (int N : {1, 16, 50, 83}) {
      for (int K : {1, 36, 37}) {
        SCOPED_TRACE(testing::Message() << M << " " << N << " " << K);
        const int ldy = N + 3;
        auto x = Random(rng_, M * K);
        if (kernels().has_bf16_products) RoundAll(x);
        const auto before = Random(rng_, M * ldy);
        std::vector<int32_t> words(M * ((K + 1) / 2));
        std::vector<uint16_t> w(N * K);
        for (uint16_t& v : w) {  // Any finite bfloat16 of about 1.
          v = static_cast<uint16_t>((rng_() & 0x81ff) | 0x3e00);
        }
        const auto value = [&](int n, int k) {
          const uint32_t bits = uint32_t{w[n * K + k]} << 16;
          float wide;
          std::memcpy(&wide, &bits, sizeof(wide));
          return double{wide};
        };
        const auto panels = PackGroups(w, K, N, 2);
        for (bool accumulate : {false, true}) {
          auto y = before;
          kernels().gemm_bf16({x.data(), K, M, K, panels.data(), N, y.data(),
                               ldy, accumulate, words.data()});
          for (int m = 0; m < M; ++m) {
            for (int n = 0; n < ldy; ++n) {
              double expected = before[m * ldy + n];
              if (n < N) {
                if (!accumulate) expected = 0;
                for (int k = 0; k < K; ++k)
                  expected += x[m * K + k] * value(n, k);
              }
              ASSERT_NEAR(y[m * ldy + n], expected, 2e-5) << m << " " << n;
            }
          }
        }
      }
    }
  }
}

// Sums of 32 bits, exact whatever the values are, and the definition's scaling:
// the same bits for every Isa, and in any batch.
TEST_P(KernelsTest, GemmInt8IsExact) {
  for (int M : {1, 2, 4, 5, 8, 11}) {
    for (int N : {1, 16, 50}) {
      for (bool is_extreme : {false, true}) {
        const int K = 260, ldy = N + 3, group = kernels().int8_group;
        std::vector<int> x(M * K);
        std::vector<int8_t> w(N * K);
        for (int& v : x) {
          v = is_extreme ? 127 : static_cast<int>(rng_() % 255) - 127;
        }
        for (int8_t& v : w) {
          v = static_cast<int8_t>(is_extreme
                                      ? (rng_() % 9 ? 127 : -127)
                                      : static_cast<int>(rng_() % 255) - 127);
        }
        const auto x_scales = Random(rng_, M), w_scales = Random(rng_, N);
        const auto before = Random(rng_, M * ldy);
        const auto panels = PackGroups(w, K, N, group);
        const auto words = ToWords(x, group);
        std::vector<int32_t> w_sums((N + 15) / 16 * 16);
        for (int i = 0; i < N * K; ++i) w_sums[i / K] += w[i];
        for (bool accumulate : {false, true}) {
          auto y = before;
          kernels().gemm_int8({words.data(), K / group, x_scales.data(), M, K,
                               panels.data(), w_scales.data(), w_sums.data(), N,
                               y.data(), ldy, accumulate});
          for (int m = 0; m < M; ++m) {
            for (int n = 0; n < ldy; ++n) {
              volatile float expected = before[m * ldy + n];
              if (n < N) {
                int32_t sum = 0;
                for (int k = 0; k < K; ++k) sum += x[m * K + k] * w[n * K + k];
                // Volatile: each step is rounded by itself.
                volatile float value = static_cast<float>(sum);
                value = value * x_scales[m];
                value = value * w_scales[n];
                expected = accumulate ? expected + value : value;
              }
              ASSERT_EQ(y[m * ldy + n], expected) << m << " " << n;
            }
          }
        }
      }
    }
  }
}

TEST_P(KernelsTest, QuantizedRowsAreTheNearestTiesToEven) {
  const int M = 3, K = 37, padded = 40, group = kernels().int8_group;
  auto x = Random(rng_, M * K);
  std::fill(x.begin() + K, x.begin() + 2 * K, 0.0f);
  x[2 * K] = 127.0f;  // With scale 1, halves are ties.
  for (int k = 1; k < K; ++k) x[2 * K + k] = static_cast<float>(k) - 18.5f;
  std::vector<int32_t> q(M * padded / group, 99);
  std::vector<float> scales(M);
  kernels().quantize_rows(x.data(), K, M, K, q.data(), padded / group,
                          scales.data());
  std::vector<int> expected(M * padded);
  for (int row = 0; row < M; ++row) {
    float max = 0;
    for (int k = 0; k < K; ++k) max = std::max(max, std::abs(x[row * K + k]));
    EXPECT_EQ(scales[row], max / 127.0f);
    for (int k = 0; max > 0 && k < K; ++k) {
      expected[row * padded + k] =
          static_cast<int>(std::nearbyint(x[row * K + k] * (127.0f / max)));
    }
  }
  EXPECT_EQ(q, ToWords(expected, group));
}

// softmax(q K^T + bias) V for one query, in double.
std::vector<double> Attend(const float* q, const std::vector<float>& k,
                           const std::vector<float>& v, const float* bias,
                           int dim, int len) {
  std::vector<double> weights(len), out(dim, 0.0);
  double sum = 0;
  for (int t = 0; t < len; ++t) {
    double dot = bias ? bias[t] : 0;
    for (int i = 0; i < dim; ++i) dot += double{q[i]} * k[t * dim + i];
    sum += weights[t] = std::exp(dot);
  }
  for (int t = 0; t < len; ++t) {
    for (int i = 0; i < dim; ++i) out[i] += weights[t] / sum * v[t * dim + i];
  }
  return out;
}

// A cache of one KV head, whose blocks lie out of order.
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

// In parts, the last of which may be short, joined again.
std::vector<float> AttendInParts(const Kernels& kernels, const float* q,
                                 int rows, int dim, const KvView& view, int len,
                                 const float* bias, int bias_stride) {
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
      // The weights are off by up to one in 2^8 of themselves, and add up to 1.
      RoundAll(q);
      error = 0.5 / 256 * 2 * 4;  // |v| is below 4.
    }
  }
  const Cache cache(type, block_tokens, dim, k, v);
  const int bias_stride = len + 4;
  const auto bias = Random(rng, rows * bias_stride);
  for (const float* b : {static_cast<const float*>(nullptr), bias.data()}) {
    const auto out = AttendInParts(kernels, q.data(), rows, dim, cache.view,
                                   len, b, bias_stride);
    for (int r = 0; r < rows; ++r) {
      const auto expected = Attend(&q[r * dim], k, v,
                                   b ? b + r * bias_stride : nullptr, dim, len);
      for (int i = 0; i < dim; ++i) {
        ASSERT_NEAR(out[r * dim + i], expected[i], error) << r << " " << i;
      }
      // A row is the same to the bit whatever rows go with it.
      const auto alone =
          AttendInParts(kernels, &q[r * dim], 1, dim, cache.view, len,
                        b ? b + r * bias_stride : nullptr, bias_stride);
      ASSERT_EQ(std::vector<float>(&out[r * dim], &out[r * dim] + dim), alone);
    }
  }
}

TEST_P(KernelsTest, AttendDecodeMatchesTheDefinitionAtBlockEdges) {
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

TEST_P(KernelsTest, AttendDecodeInPartsMatchesTheDefinition) {
  for (KvType type : {KvType::kF32, KvType::kBf16}) {
    for (int block_tokens : {16, 48, 512}) {
      for (int len : {kContextPart, kContextPart + 1, 2 * kContextPart + 30}) {
        ExpectAttention(kernels(), type, block_tokens, /*dim=*/16, /*rows=*/3,
                        len, rng_);
      }
    }
  }
}

// Several KV heads of a block in one call are what each is by itself.
TEST_P(KernelsTest, AttendDecodeTakesHeadsThatLieApart) {
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

// The greatest difference of attend_encode from the definition, over a source
// of len tokens whose queries are a tenth as strong as the keys.
struct EncodeCase {
  EncodeType type;
  int dim, len;
};

double EncodeError(const Kernels& kernels, const EncodeCase& c,
                   std::mt19937& rng) {
  const auto [type, dim, len] = c;
  auto q = Random(rng, len * dim), k = Random(rng, len * dim),
       v = Random(rng, len * dim);
  if (type == EncodeType::kBf16) {
    RoundAll(k);
    RoundAll(v);
    if (kernels.has_bf16_products) RoundAll(q);
  }
  const auto bias = Random(rng, 2 * len - 1);
  const int padded = (len + 15) / 16 * 16;
  std::vector<float> k_panels(padded * dim), values(padded * dim),
      scratch(EncodeScratchFloats(dim)), out(len * dim);
  auto* k_bytes = reinterpret_cast<char*>(k_panels.data());
  auto* v_bytes = reinterpret_cast<char*>(values.data());
  const HeadUnits units = kernels.pack_head({k.data(), v.data(), dim, len, dim},
                                            type, k_bytes, v_bytes);
  kernels.attend_encode({q.data(), dim, out.data(), dim, 0, len, dim, len, type,
                         units, k_bytes, v_bytes, &bias[len - 1],
                         scratch.data()});
  double error = 0;
  for (int i = 0; i<len; i += len> 100 ? 37 : 1) {
    const auto expected =
        Attend(&q[i * dim], k, v, &bias[len - 1 - i], dim, len);
    for (int j = 0; j < dim; ++j) {
      error = std::max(error, std::abs(out[i * dim + j] - expected[j]));
    }
  }
  return error;
}

TEST_P(KernelsTest, AttendEncodeMatchesTheDefinition) {
  for (int len : {1, 5, 16, 17, 31, 50, 2 * kContextPart + 9}) {
    SCOPED_TRACE(len);
    for (int dim : {8, 20, 64}) {
      EXPECT_LT(EncodeError(kernels(), {EncodeType::kF32, dim, len}, rng_),
                2e-5);
      // As for the decoder.
      EXPECT_LT(EncodeError(kernels(), {EncodeType::kBf16, dim, len}, rng_),
                kernels().has_bf16_products ? 0.5 / 256 * 2 * 4 : 2e-5);
    }
    // A score is a sum of `dim` products of rounded factors: each is half a
    // unit off at most, and the greatest are 4.5.
    for (int dim : {32, 64, 96}) {
      EXPECT_LT(EncodeError(kernels(), {EncodeType::kInt16, dim, len}, rng_),
                8e-3);
    }
  }
}

// Token 0 has the weight 1, each of the second part e^-10: a unit of integers
// for the whole row would be greater than that.
TEST_P(KernelsTest, AttendEncodeKeepsSmallWeightsOfManyTokens) {
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
    kernels().attend_encode({zeros.data(), kDim, out.data(), kDim, 0, 1, kDim,
                             kLen, type, units, k_bytes, v_bytes, &bias[kLen],
                             scratch.data()});
    EXPECT_NEAR(out[0] / (tail / (1 + tail)), 1.0, 1e-3);
  }
}

TEST_P(KernelsTest, RmsNormMatchesTheDefinition) {
  for (int dim : {1, 8, 40, 67}) {
    const auto x = Random(rng_, 3 * (dim + 2)), weight = Random(rng_, dim);
    std::vector<float> y(3 * dim);
    kernels().rms_norm(x.data(), dim + 2, 3, dim, weight.data(), 1e-3f,
                       y.data());
    for (int row = 0; row < 3; ++row) {
      double squares = 0;
      for (int i = 0; i < dim; ++i)
        squares += std::pow(x[row * (dim + 2) + i], 2);
      for (int i = 0; i < dim; ++i) {
        EXPECT_NEAR(y[row * dim + i],
                    x[row * (dim + 2) + i] / std::sqrt(squares / dim + 1e-3) *
                        weight[i],
                    1e-5);
      }
    }
  }
}

double Definition(Activation activation, double x) {
  switch (activation) {
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGeluErf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2)));
    case Activation::kGeluTanh:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  }
  return 0;
}

TEST_P(KernelsTest, ActivationsMatchTheirDefinitions) {
  std::vector<float> x;
  for (float v = -12.0f; v <= 12.0f; v += 0.037f) x.push_back(v);
  x.insert(x.end(), {-1000.0f, 1000.0f, 0.0f});
  const auto linear = Random(rng_, x.size());
  std::vector<float> y(x.size()), gated(x.size());
  for (Activation activation : {Activation::kRelu, Activation::kGeluTanh,
                                Activation::kGeluErf, Activation::kSilu}) {
    kernels().activate(activation, x.data(), nullptr, x.size(), y.data());
    kernels().activate(activation, x.data(), linear.data(), x.size(),
                       gated.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = Definition(activation, x[i]);
      ASSERT_NEAR(y[i], expected, 2e-6 + 1e-6 * std::abs(x[i])) << x[i];
      ASSERT_NEAR(gated[i], expected * linear[i], 1e-5 * (1 + std::abs(x[i])));
    }
  }
}

TEST_P(KernelsTest, MaxAndSumFindsTheFirstOfEqualsAndTheSoftmaxSum) {
  for (int n : {1, 7, 16, 100, 32128}) {
    auto x = Random(rng_, n);
    x[n / 3] = x[n - 1] = 5.0f;
    double sum = 0;
    for (float v : x) sum += std::exp(double{v} - 5.0);
    const MaxAndSum found = kernels().max_and_sum(x.data(), n);
    EXPECT_EQ(found.argmax, n / 3);
    EXPECT_EQ(found.max, 5.0f);
    EXPECT_NEAR(found.sum_exp / sum, 1.0, 1e-5);
  }
}

TEST_P(KernelsTest, ForbiddenLogitsCountForNothing) {
  std::vector<float> x(40, -std::numeric_limits<float>::infinity());
  x[17] = -3.0f;
  const MaxAndSum found = kernels().max_and_sum(x.data(), 40);
  EXPECT_EQ(found.argmax, 17);
  EXPECT_NEAR(found.sum_exp, 1.0, 1e-6);
}

TEST(IsaTest, NamesAreTheInverseOfParsing) {
  for (Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512}) {
    EXPECT_EQ(ParseIsa(IsaName(isa)), isa);
  }
  EXPECT_EQ(ParseIsa("avx1024"), std::nullopt);
}

}  // namespace
}  // namespace sheaf::kernels
