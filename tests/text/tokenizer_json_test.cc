// SPDX-License-Identifier: Apache-2.0

// Tokenizers of a tokenizer.json alone.

#include "text/tokenizer_json.h"

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/families.h"
#include "text/source_encoder.h"
#include "text/stream_detokenizer.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

constexpr int32_t kVocab = 1000;

json FixtureFile(const std::string& fixture) {
  return json::parse(FileBytes(TestdataDir(fixture) + "/tokenizer.json"));
}

// Replaces what `patch` has, within objects that have no type of their own.
void Patch(const json& patch, json& file) {
  for (const auto& [key, value] : patch.items()) {
    json& member = file[key];
    if (value.is_object() && member.is_object() && !value.contains("type")) {
      Patch(value, member);
    } else {
      member = value;
    }
  }
}

// Puts the long table of the fixture where the cases name it.
void PutTable(const json& table, json& value) {
  if (value.is_object() && value.value("type", "") == "Precompiled") {
    value["precompiled_charsmap"] = table;
    return;
  }
  if (!value.is_structured()) return;
  for (json& element : value) PutTable(table, element);
}

// The file that a head of the cases describes.
json FileOf(const json& head) {
  json file = FixtureFile(head["fixture"]);
  json table;
  if (file["normalizer"].contains("normalizers")) {
    table = file["normalizer"]["normalizers"][0]["precompiled_charsmap"];
  }
  if (head.contains("patch")) Patch(head["patch"], file);
  PutTable(table, file["normalizer"]);
  for (const json& token : head.value("tokens", json::array())) {
    const std::string flags = token[2];
    const auto has = [&](char flag) { return flags.find(flag) != flags.npos; };
    file["added_tokens"].push_back({{"id", token[0]},
                                    {"content", token[1]},
                                    {"special", has('s')},
                                    {"single_word", has('w')},
                                    {"lstrip", has('l')},
                                    {"rstrip", has('r')},
                                    {"normalized", has('n')}});
  }
  return file;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const json& file) {
  const TempDir directory;
  directory.Write("tokenizer.json", file.dump());
  return Tokenizer::Load(directory.path(), kVocab);
}

Ids Surrounded(const Tokenizer& tokenizer, const Ids& ids) {
  Ids out = tokenizer.surrounding()->before;
  out.insert(out.end(), ids.begin(), ids.end());
  const Ids& after = tokenizer.surrounding()->after;
  out.insert(out.end(), after.begin(), after.end());
  return out;
}

// Spaces at the ends may differ.
std::string Trimmed(const std::string& text) {
  return std::string(absl::StripAsciiWhitespace(text));
}

std::string Streamed(const Tokenizer& tokenizer, const Ids& ids) {
  StreamDetokenizer detokenizer(tokenizer);
  std::string text;
  for (const int32_t id : ids) text += detokenizer.Append(id);
  return text + detokenizer.Finish();
}

// Ids and texts from the tokenizers library, 0.23.3. A head has the fixture
// whose file it is, with changes and added tokens. "e" has a text, its ids
// (null: not tested), and those if special tokens may be in it. "d" has ids and
// their text.
TEST(TokenizerJsonTest, CasesOfTheReferenceAreEqual) {
  std::ifstream lines(SHEAF_TESTDATA_DIR "/tokenizer_json_bpe_cases.jsonl");
  std::string line, head;
  std::unique_ptr<const Tokenizer> tokenizer;
  int num_cases = 0;
  while (std::getline(lines, line)) {
    const json value = json::parse(line);
    if (value.contains("fixture")) {
      head = line;
      auto loaded = Load(FileOf(value));
      ASSERT_TRUE(loaded.ok()) << loaded.status() << head;
      tokenizer = *std::move(loaded);
    } else if (value.contains("e")) {
      const json& c = value["e"];
      const std::string text = c[0];
      if (!c[1].is_null()) {
        EXPECT_EQ(Surrounded(*tokenizer, tokenizer->Encode(text)),
                  c[1].get<Ids>())
            << head << ": " << c[0];
      }
      EXPECT_EQ(Surrounded(*tokenizer, tokenizer->EncodePrompted(text, "")),
                c.back().get<Ids>())
          << head << ": " << c[0];
    } else {
      const json& c = value["d"];
      const Ids ids = c[0];
      const std::string text = tokenizer->Decode(ids);
      EXPECT_EQ(Trimmed(text), Trimmed(c[1])) << head << ": " << c[0];
      EXPECT_EQ(Streamed(*tokenizer, ids), text);
    }
    ++num_cases;
  }
  EXPECT_GT(num_cases, 2500);
}

// The tokenizers of a fixture's directory with only these of its files.
absl::StatusOr<Tokenizers> LoadOnly(const std::string& fixture,
                                    const std::vector<std::string>& files,
                                    const TextFamily** family) {
  TempDir directory;
  for (const std::string& name : files) {
    directory.Write(name, FileBytes(TestdataDir(fixture) + "/" + name));
  }
  const ConfigFiles config = ReadConfigFiles(directory.path()).value();
  *family = FindTextFamily(config).value();
  const int32_t vocab_size = config.config["vocab_size"];
  return (*family)->load(config, vocab_size, vocab_size);
}

// The cases of a fixture, of which `tokenizer_json_ids` says what the library
// gives where that differs.
void ExpectCases(const std::string& fixture,
                 const std::vector<std::string>& files) {
  const TextFamily* family = nullptr;
  const auto tokenizers = LoadOnly(fixture, files, &family);
  ASSERT_TRUE(tokenizers.ok()) << tokenizers.status();
  const Tokenizer& tokenizer = *tokenizers->source;
  const json cases =
      json::parse(FileBytes(TestdataDir(fixture) + "/tokenizer_cases.json"));
  const std::string language = cases["encode"][0].value("source_language", "");
  for (const json& c : cases["encode"]) {
    // Only those of one language were given to the library.
    if (c.value("source_language", "") != language) continue;
    TextPrompt prompt;
    for (const LanguageToken& token : tokenizers->languages) {
      if (token.code == language) prompt.source_language = &token;
    }
    PromptTemplate around = family->make_template(*tokenizers, prompt);
    around.allowed = SpecialTokens::kAll;
    const Ids ids = c.value("tokenizer_json_ids", c["ids"].get<Ids>());
    EXPECT_EQ(EncodeSource(tokenizer, around, c["text"].get<std::string>()),
              ids)
        << c["text"];
    EXPECT_EQ(Trimmed(tokenizer.Decode(c["ids"].get<Ids>())),
              Trimmed(c["decoded"]));
  }
  for (const json& c : cases["decode"]) {
    EXPECT_EQ(Trimmed(tokenizer.Decode(c["ids"].get<Ids>())),
              Trimmed(c["text"]));
  }
}

TEST(TokenizerJsonTest, FamiliesNeedNoOtherFile) {
  for (const char* fixture :
       {"bart-cnn", "t5gemma", "t5gemma2", "nllb", "mbart-cc25", "mbart50"}) {
    SCOPED_TRACE(fixture);
    ExpectCases(fixture,
                {"config.json", "tokenizer_config.json", "tokenizer.json"});
  }
}

TEST(TokenizerJsonTest, VocabularyAndMergesAreEquivalent) {
  ExpectCases("bart-cnn", {"config.json", "tokenizer_config.json", "vocab.json",
                           "merges.txt"});
}

// Merges in the form of older versions.
TEST(TokenizerJsonTest, MergesMayBeStrings) {
  json file = FixtureFile("bart-cnn");
  for (json& merge : file["model"]["merges"]) {
    merge = absl::StrCat(merge[0].get<std::string>(), " ",
                         merge[1].get<std::string>());
  }
  file["model"].erase("type");
  const auto tokenizer = Load(file);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto expected = Load(FixtureFile("bart-cnn"));
  EXPECT_EQ((*tokenizer)->Encode("The program may be copied."),
            (*expected)->Encode("The program may be copied."));
}

TEST(TokenizerJsonTest, WhatAUserWritesIsNeverAControlToken) {
  for (const char* fixture : {"bart-cnn", "t5gemma", "nllb"}) {
    const auto tokenizer = Load(FixtureFile(fixture));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    const json tokens = FixtureFile(fixture)["added_tokens"];
    std::string text;
    for (const json& token : tokens) {
      absl::StrAppend(&text, token["content"].get<std::string>(), " x");
    }
    const Ids all = (*tokenizer)->EncodePrompted(text, "");
    for (const SpecialTokens allowed :
         {SpecialTokens::kNone, SpecialTokens::kSentinels}) {
      const Ids ids = (*tokenizer)->Encode(text, allowed);
      for (const json& token : tokens) {
        const int32_t id = token["id"];
        EXPECT_THAT(all, testing::Contains(id));
        if (token["content"] == "<unk>") continue;
        EXPECT_THAT(ids, testing::Not(testing::Contains(id)))
            << fixture << ": " << token["content"];
      }
    }
  }
}

// Gemma's texts are one word each.
TEST(TokenizerJsonTest, MegabytesAreEncodedWhole) {
  for (const char* fixture : {"bart-cnn", "t5gemma", "nllb"}) {
    const auto tokenizer = Load(FixtureFile(fixture));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    for (const std::string& unit :
         {std::string("a"), std::string("the program"), std::string("<"),
          std::string("\xE6\x97\xA5"), std::string(" "), std::string("'"),
          std::string("\xCC\x81"), std::string("the program ")}) {
      std::string text;
      while (text.size() < (1u << 20)) text += unit;
      const Ids ids = (*tokenizer)->Encode(text);
      if (std::string(fixture) != "nllb") {
        EXPECT_EQ((*tokenizer)->Decode(ids), text);
      }
    }
  }
}

TEST(TokenizerJsonTest, BytesThatAreNoTextCountAsReplacementCharacters) {
  for (const char* fixture : {"bart-cnn", "t5gemma", "nllb"}) {
    const auto tokenizer = Load(FixtureFile(fixture));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ((*tokenizer)->Encode("a\xFF the"),
              (*tokenizer)->Encode("a\xEF\xBF\xBD the"));
  }
}

}  // namespace
}  // namespace sheaf
