// SPDX-License-Identifier: Apache-2.0

#include "server/caller_glossaries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/input_file.h"
#include "server/caller_glossary_file.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using Item = CallerGlossaries::Item;

class CallerGlossariesTest : public testing::Test {
 protected:
  void Open(const CallerGlossaries::Limits& limits = {}) {
    glossaries_.reset();
    errors_.clear();
    absl::StatusOr<std::unique_ptr<CallerGlossaries>> opened =
        CallerGlossaries::Open(dir_.path(), limits,
                               [this](const absl::Status& error) {
                                 errors_.emplace_back(error.message());
                               });
    ASSERT_TRUE(opened.ok()) << opened.status();
    glossaries_ = *std::move(opened);
  }
  static CallerGlossary::Dictionaries Of(const std::string& source,
                                         const std::string& target,
                                         const std::vector<TermPair>& pairs) {
    return {
        *CallerDictionary::Make(source, target, pairs, [] { return true; })};
  }
  Item Create(const std::string& owner, const std::string& name) {
    absl::StatusOr<Item> item = glossaries_->Create(
        owner, name, Of("en", "de", {{"server", "Rechner"}}));
    EXPECT_TRUE(item.ok()) << item.status();
    return item.ok() ? *item : nullptr;
  }
  std::vector<std::string> NamesOf(const std::string& owner) const {
    std::vector<std::string> names;
    for (const Item& item : glossaries_->List(owner)) {
      names.push_back(item->name);
    }
    return names;
  }
  std::string PathOf(const Item& item) const {
    return dir_.PathOf(item->id + ".json");
  }

  TempDir dir_;
  std::vector<std::string> errors_;
  std::unique_ptr<CallerGlossaries> glossaries_;
};

TEST_F(CallerGlossariesTest, OnlyTheOwnerFindsAGlossary) {
  Open();
  const Item item = Create("ann", "mine");
  ASSERT_NE(item, nullptr);
  EXPECT_THAT(item->id,
              MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]"
                           "[0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_EQ(glossaries_->Get("ann", item->id), item);
  EXPECT_EQ(glossaries_->Get("bob", item->id), nullptr);
  EXPECT_THAT(NamesOf("bob"), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(glossaries_->Delete("bob", item->id)));
  EXPECT_TRUE(glossaries_->Delete("ann", item->id).ok());
  EXPECT_TRUE(absl::IsNotFound(glossaries_->Delete("ann", item->id)));
  EXPECT_EQ(glossaries_->Get("ann", item->id), nullptr);
}

TEST_F(CallerGlossariesTest, TheyAreThereAfterARestart) {
  Open();
  const Item first = Create("ann", "first \xc3\xbc\"\\");
  const Item second = Create("ann", "second");
  const Item third = Create("bob", "third");
  CallerGlossary next = *second;
  next.name = "renamed";
  next.dictionaries = Of("de", "en", {{"Netz", "web"}, {"a b", "c\"d"}});
  ASSERT_TRUE(glossaries_->Replace(second, next).ok());
  ASSERT_TRUE(glossaries_->Delete("bob", third->id).ok());
  Open();
  EXPECT_THAT(errors_, IsEmpty());
  EXPECT_THAT(NamesOf("ann"), ElementsAre("first \xc3\xbc\"\\", "renamed"));
  EXPECT_THAT(NamesOf("bob"), IsEmpty());
  const Item again = glossaries_->Get("ann", second->id);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->created, second->created);
  EXPECT_EQ(again->Find("en", "de"), nullptr);
  const auto dictionary = again->Find("de", "en");
  ASSERT_NE(dictionary, nullptr);
  EXPECT_EQ(dictionary->tsv, "Netz\tweb\na b\tc\"d");
  EXPECT_EQ(dictionary->num_entries, 2);
  EXPECT_EQ(dictionary->terms->Find("das Netz").size(), 1u);
}

TEST_F(CallerGlossariesTest, AChangeOfAnOldStateIsRefused) {
  Open();
  const Item first = Create("ann", "first");
  CallerGlossary next = *first;
  next.name = "second";
  ASSERT_TRUE(glossaries_->Replace(first, next).ok());
  next.name = "third";
  EXPECT_TRUE(absl::IsAborted(glossaries_->Replace(first, next).status()));
  EXPECT_THAT(NamesOf("ann"), ElementsAre("second"));
  ASSERT_TRUE(glossaries_->Delete("ann", first->id).ok());
  EXPECT_TRUE(absl::IsAborted(glossaries_->Replace(first, next).status()));
}

TEST_F(CallerGlossariesTest, TheNumberOfAnOwnersGlossariesIsLimited) {
  Open({.max_glossaries_of_owner = 2});
  Create("ann", "1");
  const Item second = Create("ann", "2");
  const absl::Status full =
      glossaries_->Create("ann", "3", Of("en", "de", {{"a", "b"}})).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr("you have 2 glossaries"));
  CallerGlossary next = *second;
  next.name = "changed";
  EXPECT_TRUE(glossaries_->Replace(second, next).ok());
  Create("bob", "1");
  ASSERT_TRUE(glossaries_->Delete("ann", second->id).ok());
  Create("ann", "3");
}

TEST_F(CallerGlossariesTest, TheMemoryIsLimited) {
  const std::vector<TermPair> large = {{"a", std::string(400, 'b')},
                                       {"b", std::string(400, 'b')}};
  Open({.max_bytes = 30'000, .max_bytes_of_owner = 20'000});
  const Item first = Create("ann", "1");
  Create("ann", "2");
  EXPECT_THAT(std::string(glossaries_->Create("ann", "3", Of("en", "de", large))
                              .status()
                              .message()),
              HasSubstr("this server allows 20000"));
  CallerGlossary next = *first;
  next.dictionaries.push_back(Of("de", "en", large)[0]);
  EXPECT_TRUE(
      absl::IsResourceExhausted(glossaries_->Replace(first, next).status()));
  Create("bob", "1");
  EXPECT_THAT(std::string(glossaries_->Create("bob", "2", Of("en", "de", large))
                              .status()
                              .message()),
              HasSubstr("all callers"));
  ASSERT_TRUE(glossaries_->Delete("ann", first->id).ok());
  EXPECT_TRUE(glossaries_->Create("bob", "2", Of("en", "de", large)).ok());
}

TEST_F(CallerGlossariesTest, NamesAndDictionariesAreChecked) {
  Open();
  for (const std::string& name :
       {std::string(), std::string(" "), std::string(1025, 'a'),
        std::string("\xff")}) {
    const absl::Status status =
        glossaries_->Create("ann", name, Of("en", "de", {{"a", "b"}})).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  }
  const auto make = [](const std::vector<TermPair>& pairs) {
    return std::string(
        CallerDictionary::Make("en", "de", pairs, [] { return true; })
            .status()
            .message());
  };
  EXPECT_THAT(make({}), HasSubstr("no entry for en-de"));
  std::vector<TermPair> many;
  for (int i = 0; i < 25'000; ++i) {
    many.push_back({absl::StrCat("a", i), std::string(500, 'b')});
  }
  EXPECT_THAT(make(many), HasSubstr("this server allows 10485760"));
}

TEST_F(CallerGlossariesTest, ADiskThatFailsChangesNothing) {
  Open();
  const Item item = Create("ann", "1");
  std::filesystem::remove(PathOf(item));
  std::filesystem::create_directories(PathOf(item) + "/b");
  CallerGlossary next = *item;
  next.name = "2";
  EXPECT_TRUE(absl::IsInternal(glossaries_->Replace(item, next).status()));
  EXPECT_TRUE(absl::IsInternal(glossaries_->Delete("ann", item->id)));
  EXPECT_THAT(NamesOf("ann"), ElementsAre("1"));
  EXPECT_EQ(errors_.size(), 2u);
}

TEST_F(CallerGlossariesTest, DamagedFilesAreReportedAndLeftOut) {
  Open();
  const Item item = Create("ann", "1");
  const std::string right = *ReadTextFile(PathOf(item), 10'000);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = right;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "json"},
      {right.substr(0, right.size() / 2), "not valid JSON"},
      {"[]", "no object"},
      {with("\"ann\"", "1"), "owner"},
      {with("\"ann\"", "\"\""), "owner"},
      {with("\"1\"", "\" \""), "name is"},
      {with("\"creation_time\":\"", "\"creation_time\":\"x"),
       "creation_time is"},
      {with("\"dictionaries\":[", "\"dictionaries\":[1,"), "no object"},
      {with("\"source_lang\":\"en\"", "\"source_lang\":\"EN\""), "source_lang"},
      {with("\"target_lang\":\"de\"", "\"target_lang\":\"?\""), "target_lang"},
      {with("server\\tRechner", "server"), "line 1"},
      {with("server\\tRechner", "a\\tb\\na\\tb"), "entry 2"},
      {with("server\\tRechner", ""), "no entry"},
  };
  for (const auto& [text, message] : cases) {
    dir_.Write(item->id + ".json", text);
    Open();
    EXPECT_EQ(glossaries_->Get("ann", item->id), nullptr) << text;
    ASSERT_EQ(errors_.size(), 1u) << text;
    EXPECT_THAT(errors_[0], HasSubstr(item->id)) << text;
    EXPECT_THAT(errors_[0], HasSubstr(message)) << text;
    EXPECT_TRUE(std::filesystem::exists(PathOf(item)));
  }
  dir_.Write(item->id + ".json", right);
  dir_.Write("x.json", right);
  Open();
  EXPECT_THAT(NamesOf("ann"), ElementsAre("1"));
  EXPECT_THAT(errors_, ElementsAre(HasSubstr("x.json is no name")));
}

// A file with each of its bytes changed is read or refused.
TEST_F(CallerGlossariesTest, WhateverTheBytesAFileIsReadOrRefused) {
  Open();
  const Item item = Create("ann", "1");
  const std::string right = *ReadTextFile(PathOf(item), 10'000);
  const std::string path = PathOf(item);
  for (size_t i = 0; i < right.size(); ++i) {
    for (char byte : {'\0', '"', '{', ']', '\\', ',', '9', '\xff'}) {
      std::string text = right;
      text[i] = byte;
      dir_.Write(item->id + ".json", text);
      const absl::StatusOr<CallerGlossary> read =
          ReadGlossaryFile(path, item->id);
      if (read.ok()) {
        EXPECT_FALSE(read->owner.empty());
      } else {
        EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << read.status();
      }
    }
  }
}

}  // namespace
}  // namespace sheaf
