// SPDX-License-Identifier: Apache-2.0

#include "engine/kernels/isa.h"

#include "gtest/gtest.h"

namespace sheaf::kernels {
namespace {

constexpr Processor kWithAmx = {.has_avx2 = true,
                                .has_avx512 = true,
                                .has_avx512_bf16 = true,
                                .has_amx = true};

bool Grant() { return true; }
bool Refuse() { return false; }

TEST(IsaTest, NamesAreTheInverseOfParsing) {
  for (Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    EXPECT_EQ(ParseIsa(IsaName(isa)), isa);
  }
  EXPECT_EQ(ParseIsa("avx1024"), std::nullopt);
}

TEST(IsaTest, TheLargestThatTheProcessorHasIsDetected) {
  Processor processor = kWithAmx;
  EXPECT_EQ(DetectIsa(processor, Grant).isa, Isa::kAmx);
  processor.has_amx = false;
  EXPECT_EQ(DetectIsa(processor, Grant).isa, Isa::kAvx512);
  processor.has_avx512_bf16 = false;
  EXPECT_EQ(DetectIsa(processor, Grant).isa, Isa::kAvx512);
  processor.has_avx512 = false;
  EXPECT_EQ(DetectIsa(processor, Grant).isa, Isa::kAvx2);
  processor.has_avx2 = false;
  EXPECT_EQ(DetectIsa(processor, Grant).isa, Isa::kPortable);
}

TEST(IsaTest, AmxNeedsBf16AndItIsNotAskedForWithoutIt) {
  Processor processor = kWithAmx;
  processor.has_avx512_bf16 = false;
  const DetectedIsa detected = DetectIsa(processor, Refuse);
  EXPECT_EQ(detected.isa, Isa::kAvx512);
  EXPECT_FALSE(detected.is_amx_refused);
}

TEST(IsaTest, ARefusedPermissionLeavesAvx512AndIsReported) {
  const DetectedIsa detected = DetectIsa(kWithAmx, Refuse);
  EXPECT_EQ(detected.isa, Isa::kAvx512);
  EXPECT_TRUE(detected.is_amx_refused);
  EXPECT_FALSE(DetectIsa(kWithAmx, Grant).is_amx_refused);
}

}  // namespace
}  // namespace sheaf::kernels
