// SPDX-License-Identifier: Apache-2.0

// The headers of base/ that are a function or a table each.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/enum_names.h"
#include "base/hash.h"
#include "base/round_up.h"

namespace sheaf {
namespace {

using ::testing::Optional;

enum class Colour { kRed, kBlue };
constexpr EnumNames<Colour, 2> kColours = {
    {{{Colour::kRed, "red"}, {Colour::kBlue, "blue"}}}};

TEST(EnumNamesTest, NamesAndParsesEachValue) {
  EXPECT_STREQ(kColours.Name(Colour::kRed), "red");
  EXPECT_STREQ(kColours.Name(Colour::kBlue), "blue");
  EXPECT_THAT(kColours.Parse(std::string("red")), Optional(Colour::kRed));
  EXPECT_THAT(kColours.Parse(absl::string_view("blue")),
              Optional(Colour::kBlue));
  for (const std::string wrong : {"", "re", "redd", "Red"}) {
    EXPECT_EQ(kColours.Parse(wrong), std::nullopt) << wrong;
  }
}

// The values of the FNV reference (Noll's test vectors).
TEST(Fnv1aTest, MatchesTheReference) {
  EXPECT_EQ(Fnv1a(""), 0xcbf29ce484222325u);
  EXPECT_EQ(Fnv1a("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(Fnv1a("foobar"), 0x85944171f73967e8u);
  EXPECT_EQ(Fnv1a("bar", Fnv1a("foo")), Fnv1a("foobar"));
}

TEST(RoundUpTest, GivesTheNextMultiple) {
  EXPECT_EQ(RoundUp(0, 16), 0);
  EXPECT_EQ(RoundUp(1, 16), 16);
  EXPECT_EQ(RoundUp(16, 16), 16);
  EXPECT_EQ(RoundUp<int64_t>((int64_t{1} << 40) + 1, 3),
            (int64_t{1} << 40) + 2);
}

}  // namespace
}  // namespace sheaf
