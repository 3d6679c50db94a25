// SPDX-License-Identifier: Apache-2.0

#include "server/glossaries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GlossariesTest : public testing::Test {
 protected:
  void Load() {
    auto loaded = Glossaries::Load(
        dir_.path(), [this](const std::string& file, const absl::Status& status,
                            int32_t num_terms) {
          events_.push_back(absl::StrCat(file, " ", num_terms, " ",
                                         std::string(status.message())));
        });
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    glossaries_ = *std::move(loaded);
  }
  std::string ErrorOf() {
    return std::string(
        Glossaries::Load(dir_.path(), [](const std::string&,
                                         const absl::Status&, int32_t) {})
            .status()
            .message());
  }
  // The first target of the glossary's first term; else the error.
  std::string Find(absl::string_view name, absl::string_view source,
                   absl::string_view target) {
    const auto found = glossaries_->Find(name, source, target);
    if (!found.ok()) return std::string(found.status().message());
    return std::string((*found)->TargetsOf(0).front());
  }

  TempDir dir_;
  std::vector<std::string> events_;
  std::unique_ptr<Glossaries> glossaries_;
};

TEST_F(GlossariesTest, FindsTheNearestLanguagesOfAName) {
  dir_.Write("it.en-de.tsv", "server\tRechner\n");
  dir_.Write("it.en-pt_BR.tsv", "server\tservidor BR\n");
  dir_.Write("it.en-pt_PT.tsv", "server\tservidor PT\n");
  dir_.Write("law.en-de.tsv", "server\tDiener\n");
  dir_.Write("README", "no glossary");
  Load();
  EXPECT_EQ(Find("it", "en", "de"), "Rechner");
  EXPECT_EQ(Find("it", "en-US", "de-AT"), "Rechner");
  EXPECT_EQ(Find("law", "", "de"), "Diener");
  EXPECT_EQ(Find("it", "en", "pt-PT"), "servidor PT");
  EXPECT_EQ(Find("it", "en", "pt-BR"), "servidor BR");
  EXPECT_EQ(Find("tax", "en", "de"),
            "glossary is \"tax\"; for en-de this server has it, law");
  EXPECT_EQ(Find("law", "fr", "de"),
            "glossary is \"law\"; for fr-de this server has none");
}

TEST_F(GlossariesTest, NamesFileAndLineOfAnError) {
  dir_.Write("it.en-de.tsv", "server\tRechner\nserver\tServer\n");
  EXPECT_THAT(ErrorOf(),
              AllOf(HasSubstr("it.en-de.tsv: line 2"), HasSubstr("in line 1")));
}

TEST_F(GlossariesTest, RefusesFilesWithOtherNames) {
  for (const char* name : {"en-de.tsv", "it.tsv", "it.en.tsv", "a b.en-de.tsv",
                           "it.en-de,en-fr.tsv", "it.en-xx1.tsv"}) {
    const std::string path = dir_.Write(name, "server\tRechner\n");
    EXPECT_THAT(ErrorOf(), HasSubstr(name));
    std::filesystem::remove(path);
  }
}

TEST_F(GlossariesTest, AMissingDirectoryIsAnError) {
  const auto loaded =
      Glossaries::Load(dir_.PathOf("none"),
                       [](const std::string&, const absl::Status&, int32_t) {});
  EXPECT_TRUE(absl::IsNotFound(loaded.status())) << loaded.status();
}

TEST_F(GlossariesTest, ReadsWhatHasChanged) {
  dir_.Write("it.en-de.tsv", "server\tRechner\n");
  Load();
  glossaries_->Look(/*is_asked=*/false);
  EXPECT_THAT(events_, IsEmpty());
  dir_.Write("it.en-de.tsv", "server\tServer\nweb\tNetz\n");
  dir_.Write("law.en-de.tsv", "contract\tVertrag\n");
  glossaries_->Look(/*is_asked=*/false);
  EXPECT_THAT(events_, ElementsAre("it.en-de.tsv 2 ", "law.en-de.tsv 1 "));
  EXPECT_EQ(Find("it", "en", "de"), "Server");
  EXPECT_EQ(Find("law", "en", "de"), "Vertrag");
  std::filesystem::remove(dir_.PathOf("law.en-de.tsv"));
  events_.clear();
  glossaries_->Look(/*is_asked=*/false);
  EXPECT_THAT(events_, ElementsAre("law.en-de.tsv 0 "));
  EXPECT_THAT(Find("law", "en", "de"), HasSubstr("this server has it"));
  events_.clear();
  glossaries_->Look(/*is_asked=*/true);
  EXPECT_THAT(events_, ElementsAre("it.en-de.tsv 2 "));
}

TEST_F(GlossariesTest, KeepsTheLastValidStateOfAFile) {
  dir_.Write("it.en-de.tsv", "server\tRechner\n");
  Load();
  dir_.Write("it.en-de.tsv", "server\n");
  glossaries_->Look(/*is_asked=*/false);
  glossaries_->Look(/*is_asked=*/false);  // reports it once
  EXPECT_THAT(events_, ElementsAre(AllOf(HasSubstr("it.en-de.tsv 0 "),
                                         HasSubstr("line 1: is"))));
  EXPECT_EQ(Find("it", "en", "de"), "Rechner");
  dir_.Write("it.en-de.tsv", "server\tServer\n");
  glossaries_->Look(/*is_asked=*/false);
  EXPECT_EQ(Find("it", "en", "de"), "Server");
}

}  // namespace
}  // namespace sheaf
