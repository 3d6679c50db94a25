// SPDX-License-Identifier: Apache-2.0

#include "base/flag_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace sheaf {
namespace {

using ::testing::HasSubstr;

TEST(FlagFileTest, ALineIsANameAndMaybeAValue) {
  const std::vector<std::pair<std::string, FlagLine>> cases = {
      {"--from", {0, "from", std::nullopt}},
      {"--nostream", {0, "nostream", std::nullopt}},
      {"-from=en", {0, "from", "en"}},
      {"--from=en", {0, "from", "en"}},
      {"--from en", {0, "from", "en"}},
      {"  --from \t en \r", {0, "from", "en"}},
      {"--from= en ", {0, "from", "en"}},
      {"--from=", {0, "from", ""}},
      {"--text=a b=c", {0, "text", "a b=c"}},
      {"--stop=a, b", {0, "stop", "a, b"}},
  };
  for (const auto& [line, expected] : cases) {
    const auto flag = ParseFlagLine(line);
    ASSERT_TRUE(flag.ok() && flag->has_value()) << line << flag.status();
    EXPECT_EQ((*flag)->name, expected.name) << line;
    EXPECT_EQ((*flag)->value, expected.value) << line;
  }
}

TEST(FlagFileTest, CommentsAndQuotesAreNoPartOfAValue) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--from=en # note", "en"},
      {"--from en\t# note", "en"},
      {"--from=en# no note", "en# no note"},
      {"--from=#1", "#1"},
      {"--from= # note", ""},
      {"--from=\"en\"", "en"},
      {"--from='en'", "en"},
      {"--from \"en\" # note", "en"},
      {"--from=\"\"", ""},
      {"--text=\" a # b \"", " a # b "},
      {"--text='say \"a\"'", "say \"a\""},
      {"--text=say \"a\"", "say \"a\""},
      {"--text=it's", "it's"},
      {"--text=\"a\\n\"", "a\\n"},
  };
  for (const auto& [line, expected] : cases) {
    const auto flag = ParseFlagLine(line);
    ASSERT_TRUE(flag.ok() && flag->has_value()) << line << flag.status();
    EXPECT_EQ((*flag)->value, expected) << line;
  }
  const auto flag = ParseFlagLine("--stream # note");
  ASSERT_TRUE(flag.ok() && flag->has_value());
  EXPECT_EQ((*flag)->value, std::nullopt);
}

TEST(FlagFileTest, BlankLinesAndCommentsHaveNoFlag) {
  for (const std::string line : {"", " \t\r", "# --from=en", "  #"}) {
    const auto flag = ParseFlagLine(line);
    ASSERT_TRUE(flag.ok()) << line;
    EXPECT_FALSE(flag->has_value()) << line;
  }
}

TEST(FlagFileTest, WhatIsNoFlagIsRefusedNotGuessed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"from=en", "is not a flag"},
      {"--", "is not a flag"},
      {"--=en", "is not a flag"},
      {"--from:en", "is not a flag"},
      {"\"--from=en\"", "is not a flag"},
      {"--from=\"en", "not closed"},
      {"--from='en\"", "not closed"},
      {"--from=\"en\" de", "follows the closing"},
      {"--from=\"en\"#note", "follows the closing"},
      {"--from = en", "white space"},
  };
  for (const auto& [line, reason] : cases) {
    const auto flag = ParseFlagLine(line);
    EXPECT_EQ(flag.status().code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(flag.status().message(), HasSubstr(reason)) << line;
  }
}

TEST(FlagFileTest, ErrorsNameFileAndLine) {
  const std::string path = testing::TempDir() + "/flag_file_test.flags";
  // A byte order mark, as some editors write it.
  std::ofstream(path) << "\xef\xbb\xbf--from=en\r\n\n--to=de\n";
  const auto flags = ReadFlagFile(path);
  ASSERT_TRUE(flags.ok()) << flags.status();
  ASSERT_EQ(flags->size(), 2u);
  EXPECT_EQ((*flags)[0].name, "from");
  EXPECT_EQ((*flags)[0].value, "en");
  EXPECT_EQ((*flags)[1].number, 3);
  std::ofstream(path) << "--from=en\nto de\n";
  EXPECT_THAT(ReadFlagFile(path).status().message(),
              HasSubstr(path + ":2: \"to de\" is not a flag"));
  EXPECT_THAT(ReadFlagFile("/").status().message(), HasSubstr("\"/\""));
  EXPECT_THAT(ReadFlagFile("/no/such").status().message(),
              HasSubstr("/no/such"));
}

}  // namespace
}  // namespace sheaf
