// SPDX-License-Identifier: Apache-2.0

// The tile instructions that the kernels use, one by one. Without AMX, this
// tests their emulation, with which the other tests of kernels run.

#include <cstdint>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "engine/kernels/tiles.inl.h"
#include "gtest/gtest.h"
#include "tests/support/emulated_tiles.h"

namespace sheaf::kernels {
namespace {

template <typename T>
struct alignas(64) TileData {
  T at[16][64 / sizeof(T)] = {};
};

uint16_t Bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return static_cast<uint16_t>(bits >> 16);
}

class TileInstructionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanRun(Isa::kAmx)) GTEST_SKIP() << "not on this processor";
  }

  // C + A * B with that many rows of C and A; the others stay as they are.
  static TileData<float> MultiplyBf16(const TileData<float>& c,
                                      const TileData<uint16_t>& a,
                                      const TileData<uint16_t>& b, int rows) {
    TileData<float> out = c;
    Tiles tiles;
    tiles.Configure(rows, 0);
    LoadTmm<0>(&c, 64);
    LoadTmm<4>(&a, 64);
    LoadTmm<6>(&b, 64);
    MultiplyTmmBf16<0, 4, 6>();
    StoreTmm<0>(&out, 64);
    return out;
  }

  // The same product, of which only C[0][0] is not 0, with these first k.
  static float Sum(float c, const std::vector<std::pair<float, float>>& terms) {
    TileData<float> before;
    TileData<uint16_t> a, b;
    before.at[0][0] = c;
    for (size_t k = 0; k < terms.size(); ++k) {
      a.at[0][k] = Bf16(terms[k].first);
      b.at[k / 2][k % 2] = Bf16(terms[k].second);
    }
    return MultiplyBf16(before, a, b, 1).at[0][0];
  }

  std::mt19937 rng_{301};
};

TEST_F(TileInstructionsTest, Int8ProductsAreExactModulo2To32) {
  TileData<uint8_t> a;
  TileData<int8_t> b;
  TileData<uint32_t> c, out;
  for (auto& row : a.at) {
    for (uint8_t& x : row) x = static_cast<uint8_t>(rng_());
  }
  for (auto& row : b.at) {
    for (int8_t& w : row) w = static_cast<int8_t>(rng_());
  }
  for (auto& row : c.at) {
    for (uint32_t& sum : row) sum = static_cast<uint32_t>(rng_());
  }
  for (int rows : {1, 5, 16}) {
    out = c;
    {
      Tiles tiles;
      tiles.Configure(/*first_rows=*/16, rows);
      LoadTmm<1>(&c, 64);
      LoadTmm<5>(&a, 64);
      LoadConstTmm<7>(&b, 64);
      MultiplyTmmInt8<1, 5, 7>();
      StoreTmm<1>(&out, 64);
    }
    for (int m = 0; m < 16; ++m) {
      for (int n = 0; n < 16; ++n) {
        uint32_t expected = c.at[m][n];
        for (int k = 0; m < rows && k < 64; ++k) {
          expected += static_cast<uint32_t>(int32_t{a.at[m][k]} *
                                            b.at[k / 4][4 * n + k % 4]);
        }
        ASSERT_EQ(out.at[m][n], expected) << m << " " << n;
      }
    }
  }
}

TEST_F(TileInstructionsTest, ClearedTilesAndStridesOfRows) {
  TileData<int32_t> c, out;
  for (int i = 0; i < 256; ++i) c.at[i / 16][i % 16] = i + 1;
  Tiles tiles;
  tiles.Configure(3, 2);
  LoadTmm<2>(&c, 128);
  ClearTmm<3>();
  StoreTmm<2>(&out, 192);
  StoreTmm<3>(&c, 64);
  for (int row = 0; row < 16; ++row) {
    for (int i = 0; i < 16; ++i) {
      EXPECT_EQ(out.at[row][i],
                row % 3 == 0 && row < 9 ? row / 3 * 32 + i + 1 : 0);
      EXPECT_EQ(c.at[row][i], row < 2 ? 0 : row * 16 + i + 1);
    }
  }
}

// 2^24 + 1 is no f32, so the order of additions shows. Even and odd k are
// summed apart.
TEST_F(TileInstructionsTest, Bf16ProductsOfEvenAndOddKAreSummedApart) {
  const float big = 0x1p24f;
  EXPECT_EQ(Sum(0, {{big, 1}, {1, 1}, {-big, 1}}), 1.0f);
  EXPECT_EQ(Sum(0, {{big, 1}, {0, 0}, {1, 1}, {0, 0}, {-big, 1}}), 0.0f);
  EXPECT_EQ(Sum(0, {{big, 1}, {1, 1}, {0, 0}, {1, 1}}), big + 2);
  // C is added last.
  EXPECT_EQ(Sum(big, {{1, 1}, {1, 1}}), big + 2);
  EXPECT_EQ(Sum(big, {{1, 1}}), big);
}

TEST_F(TileInstructionsTest, Bf16DenormalsCountAsZero) {
  EXPECT_EQ(Sum(0, {{0x1p-70f, 0x1p-70f}}), 0.0f);
  EXPECT_EQ(Sum(0, {{0x1p-130f, 0x1p100f}}), 0.0f);
  EXPECT_EQ(Sum(0x1p-130f, {}), 0.0f);
  EXPECT_EQ(Sum(0, {{0x1p-60f, 0x1p-60f}}), 0x1p-120f);
  // A normal sum of normal halves stays, and a denormal one does not.
  EXPECT_EQ(Sum(0, {{0x1p-63f, 0x1p-63f}, {-0x1p-63f, 0x1.8p-63f}}), 0.0f);
}

// 512,000 results of factors of any bits below 2^65, and of sums of any size.
// `kHash` is what an Emerald Rapids computed. NaNs count as one.
TEST_F(TileInstructionsTest, Bf16ResultsAreThoseOfAProcessor) {
  constexpr uint64_t kHash = 0x7cbfbdec66c9af20;
  uint64_t state = 0x46d60be88257dca2;
  const auto random = [&] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<uint32_t>(state >> 32);
  };
  TileData<uint16_t> a, b;
  TileData<float> c;
  uint64_t hash = 7;
  for (int i = 0; i < 2000; ++i) {
    for (TileData<uint16_t>* factors : {&a, &b}) {
      for (auto& row : factors->at) {
        for (uint16_t& x : row) {
          x = static_cast<uint16_t>(random());
          if ((x & 0x7f80) > 0x6000) x = static_cast<uint16_t>(x & 0xbfff);
        }
      }
    }
    for (auto& row : c.at) {
      for (float& sum : row) {
        sum = static_cast<float>(static_cast<int32_t>(random()));
        if (i % 2 != 0) sum *= 1e-40f;
      }
    }
    const TileData<float> out = MultiplyBf16(c, a, b, 16);
    for (const auto& row : out.at) {
      for (const float sum : row) {
        uint32_t bits;
        std::memcpy(&bits, &sum, sizeof(bits));
        if ((bits & 0x7fffffff) > 0x7f800000) bits = 0x7fc00000;
        hash = (hash ^ bits) * 1099511628211u;
      }
    }
  }
  EXPECT_EQ(hash, kHash);
}

}  // namespace
}  // namespace sheaf::kernels
