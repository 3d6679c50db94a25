// SPDX-License-Identifier: Apache-2.0

// Broken files of each family's tokenizer are refused by file, field and limit.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/families.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Files by name; absent: the file is not there.
using Changes = std::map<std::string, std::optional<std::string>>;

// The tokenizer files of a fixture, with changes.
class Directory {
 public:
  explicit Directory(const std::string& fixture, const Changes& changes = {}) {
    const std::string from = TestdataDir(fixture);
    for (const auto& entry : std::filesystem::directory_iterator(from)) {
      const std::string name = entry.path().filename();
      if (absl::EndsWith(name, ".safetensors") ||
          absl::StrContains(name, "expected") || changes.contains(name)) {
        continue;
      }
      directory_.Write(name, FileBytes(entry.path()));
    }
    for (const auto& [name, bytes] : changes) {
      if (bytes.has_value()) directory_.Write(name, *bytes);
    }
  }

  void Write(const std::string& name, const std::string& bytes) {
    directory_.Write(name, bytes);
  }

  absl::StatusOr<Tokenizers> Load(int32_t vocab_size = 0) const {
    const ConfigFiles files = ReadConfigFiles(directory_.path()).value();
    if (vocab_size == 0) vocab_size = files.config["vocab_size"];
    return FindTextFamily(files).value()->load(files, vocab_size, vocab_size);
  }

 private:
  TempDir directory_;
};

json JsonOf(const std::string& fixture, const std::string& name) {
  return json::parse(FileBytes(TestdataDir(fixture) + "/" + name));
}

std::string With(json object, const std::string& key, const json& value) {
  object[key] = value;
  return object.dump();
}

std::string Without(json object, const std::string& key) {
  object.erase(key);
  return object.dump();
}

TEST(FamilyFilesTest, BrokenFilesAreRefusedByFileAndRule) {
  const json vocab = JsonOf("marian-opus", "vocab.json");
  const json pair_config = JsonOf("marian-opus", "tokenizer_config.json");
  const json hundred = JsonOf("m2m100", "tokenizer_config.json");
  const json flores = JsonOf("nllb", "tokenizer_config.json");
  const json cc25 = JsonOf("mbart-cc25", "tokenizer_config.json");
  const json marked = JsonOf("pegasus", "tokenizer_config.json");
  const json bytes = JsonOf("byt5", "tokenizer_config.json");
  const std::string unigram =
      FileBytes(TestdataDir("text-end-to-end") + "/spiece.model");
  json moved = JsonOf("nllb", "tokenizer.json");
  moved["model"]["vocab"].erase("\xE2\x96\x81V");
  const std::string long_token(1025, 'a');
  struct Case {
    const char* fixture;
    const char* file;
    std::optional<std::string> content;
    const char* rule;
  };
  const Case cases[] = {
      {"marian-opus", "vocab.json", "[]", "vocab.json: is not an object"},
      {"marian-opus", "vocab.json", "{", "vocab.json: "},
      {"marian-opus", "vocab.json", std::nullopt, "vocab.json: "},
      {"marian-opus", "vocab.json", With(vocab, "", 2), "token \"\" is empty"},
      {"marian-opus", "vocab.json", With(vocab, long_token, 2),
       "has more than 1024 bytes"},
      {"marian-opus", "vocab.json", With(vocab, std::string("a\0b", 3), 2),
       "has a NUL byte"},
      {"marian-opus", "vocab.json", With(vocab, "zz", 571),
       "token \"zz\" has id 571; allowed is 0..570"},
      {"marian-opus", "vocab.json", With(vocab, "zz", -1),
       "token \"zz\" has id -1; allowed is 0..570"},
      {"marian-opus", "vocab.json", With(vocab, "zz", 1.5),
       "token \"zz\" has id 1.5; allowed is 0..570"},
      {"marian-opus", "vocab.json", With(vocab, "zz", "5"),
       "token \"zz\" has id \"5\"; allowed is 0..570"},
      {"marian-opus", "vocab.json", With(vocab, "zz", 570),
       "vocab.json: tokens \"<pad>\" and \"zz\" have the same id 570"},
      {"marian-opus", "vocab.json", R"({"a": 1, "a": 2})", "vocab.json: "},
      {"marian-opus", "vocab.json", Without(vocab, "<unk>"),
       "vocab.json: there is no token \"<unk>\""},
      {"marian-opus", "vocab.json", Without(vocab, "</s>"),
       "vocab.json: there is no token \"</s>\""},
      {"marian-opus", "tokenizer_config.json",
       With(pair_config, "unk_token", "<what>"),
       "vocab.json: there is no token \"<what>\""},
      {"marian-opus", "tokenizer_config.json",
       With(pair_config, "separate_vocabs", "yes"),
       "tokenizer_config.json: separate_vocabs is \"yes\""},
      {"marian-opus", "tokenizer_config.json",
       With(pair_config, "separate_vocabs", true), "target_vocab.json: "},
      {"marian-opus", "source.spm", "hello",
       "source.spm: not a SentencePiece model"},
      {"marian-opus", "target.spm", "", "target.spm: "},
      {"marian-opus", "target.spm", std::nullopt, "target.spm: "},
      {"marian-opus", "source.spm", std::nullopt,
       "has target.spm but no source.spm"},
      {"marian-separate-vocab", "target_vocab.json", "{}",
       "target_vocab.json: there is no token \"<unk>\""},
      {"m2m100", "sentencepiece.bpe.model", std::nullopt,
       "has vocab.json but no sentencepiece.bpe.model"},
      {"m2m100", "vocab.json", std::nullopt, "vocab.json: "},
      {"m2m100", "tokenizer_config.json", With(hundred, "language_codes", "x"),
       "language_codes is \"x\"; allowed is m2m100 or wmt21"},
      {"m2m100", "tokenizer_config.json", With(hundred, "src_lang", "xx"),
       "src_lang is \"xx\"; allowed is a language of the tokenizer"},
      {"m2m100", "tokenizer_config.json", With(hundred, "src_lang", 5),
       "src_lang is 5; allowed is a language of the tokenizer"},
      {"m2m100", "tokenizer_config.json",
       With(hundred, "tokenizer_class", "SMALL100Tokenizer"),
       "tokenizer_config.json: tokenizer_class is \"SMALL100Tokenizer\"; "
       "allowed is M2M100Tokenizer or NllbTokenizer"},
      {"nllb", "sentencepiece.bpe.model", unigram,
       "sentencepiece.bpe.model: the first pieces are \"<pad>\", \"</s>\", "
       "\"<unk>\"; allowed are an unknown and two control pieces"},
      {"nllb", "tokenizer_config.json", With(flores, "legacy_behaviour", 1),
       "legacy_behaviour is 1"},
      {"nllb", "added_tokens.json", R"({"deu_Latn": 371})",
       "token \"deu_Latn\" has id 371"},
      {"nllb", "added_tokens.json", R"({"deu_Latn": 534})",
       "token \"deu_Latn\" has id 534; the model's vocab_size is 534"},
      {"nllb", "tokenizer.json", moved.dump(), "tokenizer.json"},
      {"mbart-cc25", "tokenizer_config.json",
       With(cc25, "tokenizer_class", "BartTokenizer"),
       "allowed is MBartTokenizer or MBart50Tokenizer"},
      {"pegasus", "spiece.model",
       FileBytes(TestdataDir("nllb") + "/sentencepiece.bpe.model"),
       "spiece.model: the first pieces are \"<unk>\", \"<s>\", \"</s>\""},
      {"pegasus", "tokenizer_config.json", With(marked, "offset", 3),
       "offset is 3"},
      {"byt5", "tokenizer_config.json", With(bytes, "extra_ids", -1),
       "extra_ids is -1"},
  };
  for (const Case& c : cases) {
    const Directory directory(c.fixture, {{c.file, c.content}});
    const absl::Status status = directory.Load().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument)
        << c.fixture << ": " << c.rule;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(c.rule), Not(HasSubstr("\n"))))
        << c.fixture;
  }
}

TEST(FamilyFilesTest, WithoutAnyFileThereIsNoTokenizer) {
  for (const auto& [fixture, changes] :
       {std::pair<const char*, Changes>{"marian-opus",
                                        {{"source.spm", std::nullopt},
                                         {"target.spm", std::nullopt},
                                         {"vocab.json", std::nullopt}}},
        {"pegasus", {{"spiece.model", std::nullopt}}},
        {"m2m100",
         {{"sentencepiece.bpe.model", std::nullopt},
          {"vocab.json", std::nullopt}}}}) {
    EXPECT_EQ(Directory(fixture, changes).Load().status().code(),
              absl::StatusCode::kNotFound)
        << fixture;
  }
}

TEST(FamilyFilesTest, VocabulariesMustHaveRoomForLanguages) {
  const absl::Status status =
      Directory("nllb", {{"tokenizer.json", std::nullopt}}).Load(533).status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("has id 533; the model's vocab_size is 533"));
}

// Ids that no token has, and pieces without an id.
TEST(FamilyFilesTest, AVocabularyMayHaveHoles) {
  json vocab = JsonOf("marian-opus", "vocab.json");
  const int32_t hole = vocab["\xE2\x96\x81with"];
  vocab.erase("\xE2\x96\x81with");
  const auto tokenizers =
      Directory("marian-opus", {{"vocab.json", vocab.dump()}}).Load();
  ASSERT_TRUE(tokenizers.ok()) << tokenizers.status();
  EXPECT_THAT(tokenizers->source->Encode("with"), ElementsAre(1));
  EXPECT_EQ(tokenizers->target->Decode({hole}), "");
}

// The SentencePiece model of the source has none of the characters of these
// tokens, so each would be one run of unknown characters.
TEST(FamilyFilesTest, UnknownCharactersBecomeOrdinaryTokensOnly) {
  const std::string han = "\xE6\xBC\xA2", other = "\xE5\xAD\x97";
  json vocab = JsonOf("marian-multi-tc", "vocab.json");
  const int32_t ordinary = vocab.size(), tag = ordinary + 1, pad = tag + 1;
  vocab[han] = ordinary;
  vocab[">>" + han + "<<"] = tag;
  vocab[other] = pad;
  const auto tokenizers =
      Directory("marian-multi-tc",
                {{"vocab.json", vocab.dump()},
                 {"tokenizer_config.json", With({}, "pad_token", other)}})
          .Load(pad + 1);
  ASSERT_TRUE(tokenizers.ok()) << tokenizers.status();
  const int32_t unknown = vocab["<unk>"];
  const int32_t space = vocab["\xE2\x96\x81"];
  const Tokenizer& source = *tokenizers->source;
  EXPECT_THAT(source.Encode(han), ElementsAre(space, ordinary));
  EXPECT_THAT(source.Encode(">>" + han + "<<"), ElementsAre(space, unknown));
  EXPECT_THAT(source.Encode(other), ElementsAre(space, unknown));
  EXPECT_THAT(source.Encode(">>" + han + "<<", SpecialTokens::kSentinels),
              ElementsAre(tag));
}

// A file's own ids for languages come before those of the list.
TEST(FamilyFilesTest, FilesMayGiveLanguagesOtherIdsAndAddSome) {
  const auto tokenizers =
      Directory("nllb", {{"tokenizer.json", std::nullopt},
                         {"added_tokens.json",
                          R"({"deu_Latn": 377, "eng_Latn": 372, "tyv_Cyrl": 534,
                      "<sep>": 535})"}})
          .Load(/*vocab_size=*/536);
  ASSERT_TRUE(tokenizers.ok()) << tokenizers.status();
  std::map<std::string, int32_t> ids;
  for (const LanguageToken& language : tokenizers->languages) {
    ids[language.code] = language.id;
  }
  EXPECT_EQ(ids.size(), 203);
  EXPECT_EQ(ids["deu_Latn"], 377);
  EXPECT_EQ(ids["eng_Latn"], 372);
  EXPECT_EQ(ids["tyv_Cyrl"], 534);
  EXPECT_EQ(ids["dik_Latn"], 373);
  EXPECT_EQ(tokenizers->places.default_source_id, 372);
  EXPECT_EQ(tokenizers->source->Decode({534}), "");
  EXPECT_THAT(
      tokenizers->source->Encode("tyv_Cyrl<sep>", SpecialTokens::kSentinels),
      AllOf(Contains(535), Not(Contains(534))));
}

TEST(FamilyFilesTest, AFamilyMayHaveAShorterListOfLanguages) {
  json config = JsonOf("m2m100", "tokenizer_config.json");
  config["language_codes"] = "wmt21";
  config.erase("additional_special_tokens");
  const auto tokenizers =
      Directory("m2m100", {{"tokenizer_config.json", config.dump()}}).Load();
  ASSERT_TRUE(tokenizers.ok()) << tokenizers.status();
  std::vector<std::string> codes;
  for (const LanguageToken& language : tokenizers->languages) {
    codes.push_back(language.code);
  }
  EXPECT_THAT(codes,
              ElementsAre("en", "ha", "is", "ja", "cs", "ru", "zh", "de"));
  EXPECT_EQ(tokenizers->languages[0].id, 294);
}

// tokenizer_json_test.cc compares the ids of texts.
TEST(FamilyFilesTest, TokenizerJsonAloneNamesTheLanguages) {
  for (const char* fixture : {"nllb", "mbart-cc25", "mbart50"}) {
    const auto tokenizers =
        Directory(fixture, {{"sentencepiece.bpe.model", std::nullopt}}).Load();
    ASSERT_TRUE(tokenizers.ok()) << tokenizers.status();
    std::map<std::string, int32_t> languages;
    for (const LanguageToken& language : tokenizers->languages) {
      languages[language.code] = language.id;
    }
    const std::map<std::string, int32_t> expected =
        JsonOf(fixture, "tokenizer_cases.json")["language_ids"];
    EXPECT_EQ(languages, expected) << fixture;
  }
}

// Files that load after a random change must also encode and decode.
TEST(FamilyFilesTest, ChangedFilesNeverCrash) {
  std::mt19937 random(11);
  const std::pair<const char*, const char*> files[] = {
      {"marian-opus", "vocab.json"},
      {"marian-opus", "source.spm"},
      {"marian-opus", "target.spm"},
      {"marian-separate-vocab", "target_vocab.json"},
      {"m2m100", "vocab.json"},
      {"nllb", "sentencepiece.bpe.model"},
      {"mbart-cc25", "tokenizer_config.json"},
      {"pegasus", "spiece.model"},
      {"byt5", "tokenizer_config.json"}};
  for (const auto& [fixture, name] : files) {
    const std::string good = FileBytes(TestdataDir(fixture) + "/" + name);
    Directory directory(fixture, {{"tokenizer.json", std::nullopt}});
    int num_loaded = 0;
    for (int round = 0; round < 20; ++round) {
      std::string bytes = good;
      // Most of a SentencePiece model is its table, whose end is far from the
      // pieces at the beginning.
      const size_t reach = random() % 2 == 0 ? bytes.size() : 8192;
      for (size_t i = 1 + random() % 2; i > 0; --i) {
        bytes[random() % std::min(reach, bytes.size())] ^=
            static_cast<char>(1u << random() % 7);
      }
      directory.Write(name, bytes);
      const absl::StatusOr<Tokenizers> tokenizers = directory.Load();
      if (!tokenizers.ok()) {
        EXPECT_THAT(std::string(tokenizers.status().message()),
                    Not(HasSubstr("\n")));
        continue;
      }
      ++num_loaded;
      std::vector<int32_t> ids = tokenizers->source->Encode(
          ">>deu<< The \xEF\xAC\x81rst \xE6\xBC\xA2 </s> Haus",
          SpecialTokens::kSentinels);
      for (int32_t id = -1; id < 40; ++id) ids.push_back(id);
      EXPECT_TRUE(IsValidUtf8(tokenizers->target->Decode(ids)));
    }
    EXPECT_GT(num_loaded, 0) << fixture << " " << name;
  }
}

}  // namespace
}  // namespace sheaf
