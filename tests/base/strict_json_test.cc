// SPDX-License-Identifier: Apache-2.0

#include "base/strict_json.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Nested(int depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(StrictJsonTest, BuildsWhatTheLibraryWouldBuild) {
  for (const std::string text :
       {R"({"a": {"b": [1, -2, 0.5, {"c": null}, []], "d": {}}, "e": "f"})",
        R"([[1, [2, [3]], {"a": [4]}], true, false, "\u00fc\n"])", " 7 ",
        "\"s\"", "null", R"({"a": 18446744073709551615})"}) {
    const auto value = ParseStrictJson(text, "f");
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(*value, nlohmann::json::parse(text)) << text;
  }
}

TEST(StrictJsonTest, RefusesWhatIsNotJson) {
  using std::string_literals::operator""s;
  for (const std::string& text :
       {""s, " "s, "{"s, "{}{}"s, "{} x"s, "[1,]"s, "{\"a\":1,}"s, "{'a':1}"s,
        "// c\n{}"s, "NaN"s, "1e999"s, "\xEF\xBB\xBF{}"s, "{}\0"s,
        "{\"a\0b\":1}"s, "\"\xff\""s, "\"\xc0\x80\""s, "\"\\ud800\""s}) {
    const auto value = ParseStrictJson(text, "dir/f.json");
    EXPECT_FALSE(value.ok()) << text;
    EXPECT_THAT(std::string(value.status().message()),
                StartsWith("dir/f.json: "))
        << text;
  }
}

TEST(StrictJsonTest, RefusesAKeyThatOccursTwice) {
  for (const std::string text :
       {R"({"k": 1, "k": 1})", R"({"a": [{"k": 1, "b": {}, "k": 2}]})",
        R"({"k": {}, "\u006b": {}})"}) {
    EXPECT_THAT(ParseStrictJson(text, "f").status().message(),
                HasSubstr("\"k\" occurs twice"));
  }
  EXPECT_TRUE(ParseStrictJson(R"({"k": {"k": 1}, "a": {"k": 2}})", "f").ok());
}

TEST(StrictJsonTest, NestsToItsLimitAndNoDeeper) {
  EXPECT_TRUE(ParseStrictJson(Nested(kMaxJsonDepth), "f").ok());
  EXPECT_THAT(
      ParseStrictJson(Nested(kMaxJsonDepth + 1), "f").status().message(),
      HasSubstr("nests deeper than 64"));
  EXPECT_FALSE(ParseStrictJson(std::string(1'000'000, '['), "f").ok());
}

TEST(StrictJsonTest, RefusesMoreThanItsLimitOfBytes) {
  const std::string text(kMaxJsonBytes + 1, ' ');
  EXPECT_THAT(ParseStrictJson(text, "f").status().message(),
              HasSubstr("at most 4194304"));
  TempDir dir;
  EXPECT_THAT(ReadStrictJson(dir.Write("f", text)).status().message(),
              HasSubstr("at most 4194304"));
}

TEST(StrictJsonTest, RefusesMoreThanItsLimitOfValues) {
  // An array of five, an object of three, and themselves.
  const std::string text = R"([1, "a", null, [], {"a": 1, "b": {}, "c": 2.5}])";
  EXPECT_TRUE(ParseStrictJson(text, "f", {.max_values = 9}).ok());
  EXPECT_EQ(ParseStrictJson(text, "f", {.max_values = 8}).status().message(),
            "f: has more than 8 values");
  for (const std::string value : {"0", "[]", "{}", R"({"":""})"}) {
    std::string many = "[" + value;
    for (int64_t i = 0; i < kMaxJsonValues; ++i)
      absl::StrAppend(&many, ",", value);
    EXPECT_THAT(ParseStrictJson(many + "]", "f").status().message(),
                HasSubstr("has more than 262144 values"));
  }
}

TEST(StrictJsonTest, TheCallerSetsTheLimits) {
  TempDir dir;
  const std::string text = "\"" + std::string(kMaxJsonBytes, 'x') + "\"";
  EXPECT_TRUE(
      ReadStrictJson(dir.Write("f", text), {.max_bytes = kMaxJsonBytes + 2})
          .ok());
  EXPECT_FALSE(
      ReadStrictJson(dir.PathOf("f"), {.max_bytes = kMaxJsonBytes + 1}).ok());
}

TEST(StrictJsonTest, ElementsOfLongMembersAreHandedOverAndNotKept) {
  std::vector<std::string> vocab, merges;
  const auto take_vocab = [&](const std::string* key,
                              const nlohmann::json& element) {
    vocab.push_back((key == nullptr ? "" : *key + ": ") + element.dump());
    return absl::OkStatus();
  };
  const auto take_merge = [&](const std::string* key,
                              const nlohmann::json& element) {
    merges.push_back((key == nullptr ? "" : *key + ": ") + element.dump());
    return absl::OkStatus();
  };
  const LongMember members[] = {
      {.object = "m", .member = "v", .take = take_vocab},
      {.object = "m", .member = "w", .take = take_merge}};
  const auto value = ParseStrictJson(
      R"({"v": [1], "m": {"a": [2], "v": [["x", {"v": [3]}], 4, []], "b": 5,
          "w": {"p": 7, "q": {"v": [8]}, "r": []}}, "n": {"v": [6]}})",
      "f", {}, members);
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_THAT(vocab, testing::ElementsAre(R"(["x",{"v":[3]}])", "4", "[]"));
  EXPECT_THAT(merges, testing::ElementsAre("p: 7", R"(q: {"v":[8]})", "r: []"));
  EXPECT_EQ(*value, nlohmann::json::parse(
                        R"({"v": [1], "m": {"a": [2], "v": [], "b": 5,
                            "w": {}}, "n": {"v": [6]}})"));
}

TEST(StrictJsonTest, ALongMemberMayBeLongButNothingElse) {
  int64_t num_taken = 0;
  const auto take = [&](const std::string*, const nlohmann::json&) {
    ++num_taken;
    return absl::OkStatus();
  };
  const LongMember vocab[] = {{.object = "m", .member = "v", .take = take}};
  std::string many = "[0";
  for (int64_t i = 0; i < kMaxJsonValues; ++i) many += ",0";
  many += "]";
  EXPECT_TRUE(
      ParseStrictJson("{\"m\":{\"v\":" + many + "}}", "f", {}, vocab).ok());
  EXPECT_EQ(num_taken, kMaxJsonValues + 1);
  std::string members = "{\"k\":0";
  for (int64_t i = 0; i < kMaxJsonValues; ++i) {
    absl::StrAppend(&members, ",\"", i, "\":0");
  }
  EXPECT_TRUE(
      ParseStrictJson("{\"m\":{\"v\":" + members + "}}}", "f", {}, vocab).ok());
  for (const std::string& text :
       {"{\"m\":{\"w\":" + many + "}}", "{\"m\":{\"v\":[" + many + "]}}"}) {
    EXPECT_THAT(ParseStrictJson(text, "f", {}, vocab).status().message(),
                HasSubstr("has more than 262144 values"));
  }
}

TEST(StrictJsonTest, AnErrorOfTheTakerEndsTheParse) {
  const auto take = [](const std::string*, const nlohmann::json&) {
    return absl::InvalidArgumentError("not this");
  };
  const LongMember vocab[] = {{.object = "m", .member = "v", .take = take}};
  EXPECT_EQ(ParseStrictJson(R"({"m": {"v": [1]}})", "f", {}, vocab)
                .status()
                .message(),
            "not this");
  EXPECT_THAT(ParseStrictJson(R"({"m": {}})", "f", {.max_bytes = 8}, vocab)
                  .status()
                  .message(),
              HasSubstr("at most 8"));
}

TEST(StrictJsonTest, AFileThatIsAbsentIsNotFound) {
  TempDir dir;
  EXPECT_EQ(ReadStrictJson(dir.PathOf("f")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadStrictJson(dir.Write("f", "{}")).value(),
            nlohmann::json::object());
}

}  // namespace
}  // namespace sheaf
