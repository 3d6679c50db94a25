// SPDX-License-Identifier: Apache-2.0

#include "engine/isa_choice.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using kernels::DetectedIsa;
using kernels::Isa;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(IsaChoiceTest, AutoIsTheLargest) {
  for (Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    const auto choice = ChooseIsa("auto", {isa, false});
    ASSERT_TRUE(choice.ok());
    EXPECT_EQ(choice->isa, isa);
    EXPECT_EQ(choice->warning, "");
  }
}

TEST(IsaChoiceTest, ANameLimitsTheChoice) {
  EXPECT_EQ(ChooseIsa("amx", {Isa::kAmx, false})->isa, Isa::kAmx);
  EXPECT_EQ(ChooseIsa("avx512", {Isa::kAmx, false})->isa, Isa::kAvx512);
  EXPECT_EQ(ChooseIsa("avx2", {Isa::kAvx512, false})->isa, Isa::kAvx2);
  EXPECT_EQ(ChooseIsa("portable", {Isa::kPortable, false})->isa,
            Isa::kPortable);
}

TEST(IsaChoiceTest, WhatThereIsNotIsRefusedWithWhatThereIs) {
  EXPECT_EQ(ChooseIsa("amx", {Isa::kAvx512, false}).status().message(),
            "--isa is \"amx\"; on this machine it may be one of auto, "
            "portable, avx2, avx512");
  EXPECT_EQ(
      ChooseIsa("avx2", {Isa::kPortable, false}).status().message(),
      "--isa is \"avx2\"; on this machine it may be one of auto, portable");
  EXPECT_THAT(ChooseIsa("sse", {Isa::kAmx, false}).status().message(),
              HasSubstr("avx512, amx"));
}

TEST(IsaChoiceTest, ARefusedPermissionIsSurvivedAndReported) {
  constexpr DetectedIsa kRefused = {Isa::kAvx512, true};
  const auto choice = ChooseIsa("auto", kRefused);
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->isa, Isa::kAvx512);
  EXPECT_THAT(choice->warning, AllOf(HasSubstr("does not let this process"),
                                     HasSubstr("the kernels use AVX-512"),
                                     Not(HasSubstr("\n"))));
  // AVX-512 is what was asked for.
  EXPECT_EQ(ChooseIsa("avx512", kRefused)->warning, "");
  EXPECT_THAT(ChooseIsa("amx", kRefused).status().message(),
              HasSubstr("avx512 (the processor has AMX, but the operating"));
}

}  // namespace
}  // namespace sheaf
