// SPDX-License-Identifier: Apache-2.0

#include "server/access/auth_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Optional;

// The output of sha256sum for "alpha", "beta" and "gamma".
constexpr char kAlpha[] =
    "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";
constexpr char kBeta[] =
    "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753";
constexpr char kGamma[] =
    "be9d587defa1f0c09ef49eb17e206983a5f8f8289e4281860bd0ee5a19592c67";

auto Is(const std::string& name, int32_t weight) {
  return AllOf(Field(&AuthTokens::Holder::name, name),
               Field(&AuthTokens::Holder::weight, weight));
}

class AuthTokensTest : public testing::Test {
 protected:
  // Like an editor or the mount of a secret: a new file takes the name.
  void Write(const std::string& text) {
    const std::string next = absl::StrCat(path_, ".next");
    std::ofstream(next) << text;
    ASSERT_EQ(std::rename(next.c_str(), path_.c_str()), 0);
  }
  absl::StatusOr<std::unique_ptr<AuthTokens>> Load() {
    return AuthTokens::Load(path_, [this](const absl::Status& status) {
      reloads_.push_back(status.ok());
    });
  }

  const TempDir dir_;
  const std::string path_ = dir_.PathOf("auth_tokens");
  std::vector<bool> reloads_;
};

TEST_F(AuthTokensTest, ATokenHasItsLinesName) {
  Write(absl::StrCat("# who may call\n\nweb ", kAlpha, "\nbatch\t", kBeta,
                     "\r\n"));
  const auto tokens = Load();
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_THAT((*tokens)->HolderOf("alpha"), Optional(Is("web", 1)));
  EXPECT_THAT((*tokens)->HolderOf("beta"), Optional(Is("batch", 1)));
  for (const char* wrong : {"", "alph", "alpha ", "Alpha", "gamma", kAlpha}) {
    EXPECT_FALSE((*tokens)->HolderOf(wrong).has_value()) << wrong;
  }
}

TEST_F(AuthTokensTest, ANameHasItsWeight) {
  Write(absl::StrCat("web ", kAlpha, " weight=100\nbatch ", kBeta,
                     " weight=1\nweb ", kGamma, "\tweight=100\n"));
  const auto tokens = Load();
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_THAT((*tokens)->HolderOf("alpha"), Optional(Is("web", 100)));
  EXPECT_THAT((*tokens)->HolderOf("beta"), Optional(Is("batch", 1)));
  EXPECT_THAT((*tokens)->HolderOf("gamma"), Optional(Is("web", 100)));
}

TEST_F(AuthTokensTest, AWeightThatIsNotAllowedIsNamedWithTheLimits) {
  for (const char* word :
       {"weight=0", "weight=101", "weight=", "weight=x", "weight=-1"}) {
    Write(absl::StrCat("web ", kAlpha, "\nbatch ", kBeta, " ", word, "\n"));
    EXPECT_THAT(
        std::string(Load().status().message()),
        AllOf(HasSubstr("line 2"), HasSubstr(absl::StrCat("is ", word, ";")),
              HasSubstr("weight=1 to weight=100")));
  }
  // It may be a token in the wrong place.
  Write(absl::StrCat("web ", kAlpha, " secret\n"));
  EXPECT_THAT(std::string(Load().status().message()),
              AllOf(HasSubstr("line 1"), Not(HasSubstr("secret"))));
}

TEST_F(AuthTokensTest, TheLinesOfANameHaveTheSameWeight) {
  Write(absl::StrCat("web ", kAlpha, " weight=3\n\nweb ", kBeta, "\n"));
  EXPECT_THAT(
      std::string(Load().status().message()),
      AllOf(HasSubstr("line 3"), HasSubstr("the weight of \"web\" is 1"),
            HasSubstr("allowed is 3"), HasSubstr("line 1")));
}

TEST_F(AuthTokensTest, WhatIsWrongIsNamedWithItsLine) {
  for (const std::string& line :
       {std::string("web"), absl::StrCat("a b ", kAlpha), std::string("web 12"),
        absl::StrCat("web ", kAlpha, "0"), absl::StrCat("w\"b ", kAlpha)}) {
    Write(absl::StrCat("# first\n", line, "\n"));
    const absl::Status status = Load().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(status.message(), HasSubstr("line 2")) << line;
  }
  Write("# nobody\n");
  EXPECT_THAT(Load().status().message(), HasSubstr("has no token"));
  std::remove(path_.c_str());
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(AuthTokensTest, AChangedFileCountsFromTheNextLook) {
  Write(absl::StrCat("web ", kAlpha, "\n"));
  const auto tokens = Load();
  ASSERT_TRUE(tokens.ok());
  Write(absl::StrCat("web ", kBeta, "\n"));
  EXPECT_TRUE(
      (*tokens)->HolderOf("alpha"));  // Look() has not read the change yet
  (*tokens)->Look(/*is_asked=*/false);
  EXPECT_FALSE((*tokens)->HolderOf("alpha"));
  EXPECT_TRUE((*tokens)->HolderOf("beta"));
  EXPECT_THAT(reloads_, ElementsAre(true));
}

TEST_F(AuthTokensTest, AFileThatBecameWrongIsToldOnceAndChangesNothing) {
  const std::string good = absl::StrCat("web ", kAlpha, "\n");
  Write(good);
  const auto tokens = Load();
  ASSERT_TRUE(tokens.ok());
  for (const std::string& wrong :
       {std::string("web\n"), std::string(), good.substr(0, 30)}) {
    reloads_.clear();
    Write(wrong);
    for (int i = 0; i < 3; ++i) {
      (*tokens)->Look(/*is_asked=*/false);
      EXPECT_TRUE((*tokens)->HolderOf("alpha")) << wrong;
    }
    EXPECT_THAT(reloads_, ElementsAre(false)) << wrong;
  }
}

TEST_F(AuthTokensTest, AFileThatIsAwayOrNoFileChangesNothing) {
  Write(absl::StrCat("web ", kAlpha, "\n"));
  const auto tokens = Load();
  ASSERT_TRUE(tokens.ok());
  ASSERT_EQ(std::remove(path_.c_str()), 0);
  (*tokens)->Look(/*is_asked=*/false);
  EXPECT_TRUE((*tokens)->HolderOf("alpha"));
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);  // no process writes to it
  (*tokens)->Look(/*is_asked=*/false);
  EXPECT_TRUE((*tokens)->HolderOf("alpha"));
  EXPECT_THAT(reloads_, ElementsAre(false, false));
  ASSERT_EQ(std::remove(path_.c_str()), 0);
}

TEST_F(AuthTokensTest, WhoAsksIsToldWithoutAChangeToo) {
  Write(absl::StrCat("web ", kAlpha, "\n"));
  const auto tokens = Load();
  ASSERT_TRUE(tokens.ok());
  (*tokens)->Look(/*is_asked=*/false);
  EXPECT_THAT(reloads_, ElementsAre());
  (*tokens)->Look(/*is_asked=*/true);
  EXPECT_THAT(reloads_, ElementsAre(true));
}

}  // namespace
}  // namespace sheaf
