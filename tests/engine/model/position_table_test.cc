// SPDX-License-Identifier: Apache-2.0

#include "engine/model/position_table.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

constexpr int32_t kDim = 12;

struct Row {
  int32_t position;
  float values[kDim];
};

// create_weight() of MarianSinusoidalPositionalEmbedding in transformers 5.24.
constexpr Row kSinusoidal[] = {
    {2,
     {0.909297407f, 0.417676836f, 0.0926984996f, 0.0199986659f, 0.00430885609f,
      0.000928317662f, -0.416146845f, 0.908595681f, 0.99569422f, 0.999800026f,
      0.999990702f, 0.999999583f}},
    {37,
     {-0.643538117f, 0.993113399f, 0.989274681f, 0.361615419f, 0.0796296895f,
      0.0171730351f, 0.765414059f, -0.117157035f, -0.146067083f, 0.93232733f,
      0.996824503f, 0.999852538f}},
    {511,
     {0.881770372f, -0.135452136f, -0.987767279f, -0.921988666f, 0.891622543f,
      0.23496756f, -0.471678883f, -0.99078387f, 0.155935079f, 0.387216836f,
      0.452779472f, 0.972003222f}},
    {1023,
     {-0.916485369f, 0.468138516f, -0.351866126f, -0.720984519f, 0.80614382f,
      0.457191288f, 0.400068194f, 0.883655071f, -0.936050355f, -0.692951143f,
      -0.591719627f, 0.889368355f}}};

// get_embedding() of M2M100SinusoidalPositionalEmbedding there.
constexpr Row kToLast[] = {
    {2,
     {0.909297407f, 0.311697155f, 0.0502166003f, 0.00796206016f, 0.00126191438f,
      0.00019999998f, -0.416146845f, 0.950181484f, 0.998738348f, 0.99996829f,
      0.999999225f, 1.0f}},
    {37,
     {-0.643538117f, -0.406920761f, 0.801259875f, 0.146767572f, 0.0233433023f,
      0.00369999115f, 0.765414059f, 0.913463473f, 0.598316431f, 0.989171028f,
      0.999727488f, 0.999993145f}},
    {511,
     {0.881770372f, -0.639134109f, 0.266123712f, 0.894479156f, 0.316862047f,
      0.051077757f, -0.471678883f, 0.769095302f, 0.963938892f, -0.447109669f,
      0.948471665f, 0.998694658f}},
    {1023,
     {-0.916485369f, -0.941902697f, 0.534449935f, -0.80224359f, 0.601573467f,
      0.102121651f, 0.400068194f, 0.335885882f, 0.845200121f, -0.596996784f,
      0.798817515f, 0.994771898f}}};

TEST(PositionTableTest, PositionsAreTheReferences) {
  std::vector<float> out(kDim);
  for (const Row& row : kSinusoidal) {
    ComputePosition({.kind = PositionKind::kSinusoidal}, row.position, kDim,
                    out.data());
    for (int i = 0; i < kDim; ++i) {
      EXPECT_NEAR(out[i], row.values[i], 1e-7) << row.position << " " << i;
    }
  }
  // An angle of about 1000 in float32 is known to 3e-5.
  for (const Row& row : kToLast) {
    ComputePosition({.kind = PositionKind::kSinusoidalToLast}, row.position,
                    kDim, out.data());
    for (int i = 0; i < kDim; ++i) {
      EXPECT_NEAR(out[i], row.values[i], 3e-5) << row.position << " " << i;
    }
  }
}

TEST(PositionTableTest, ATableBeginsAtTheFirstPosition) {
  const Positions positions = {.kind = PositionKind::kSinusoidalToLast,
                               .first_position = 2};
  const std::vector<float> table = ComputePositions(positions, 40, kDim);
  ASSERT_EQ(table.size(), 40u * kDim);
  for (const Row& row : kToLast) {
    if (row.position >= 42) continue;
    for (int i = 0; i < kDim; ++i) {
      EXPECT_NEAR(table[(row.position - 2) * kDim + i], row.values[i], 1e-6);
    }
  }
}

}  // namespace
}  // namespace sheaf
