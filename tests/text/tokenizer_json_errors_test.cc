// SPDX-License-Identifier: Apache-2.0

// Broken and unsupported files of tokenizers without a SentencePiece model.

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;
using ::testing::HasSubstr;

constexpr int32_t kVocab = 1000;

json FixtureFile(const std::string& fixture) {
  return json::parse(FileBytes(TestdataDir(fixture) + "/tokenizer.json"));
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const json& file) {
  const TempDir directory;
  directory.Write("tokenizer.json", file.dump());
  return Tokenizer::Load(directory.path(), kVocab);
}

std::string LoadError(const json& file) {
  return std::string(Load(file).status().message());
}

json Changed(const std::string& fixture, const char* pointer,
             const json& value) {
  json file = FixtureFile(fixture);
  file[json::json_pointer(pointer)] = value;
  return file;
}

json Sequence(const char* list, const std::vector<json>& steps) {
  return {{"type", "Sequence"}, {list, steps}};
}

json ReplaceStep(const json& pattern, const json& content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}

TEST(TokenizerJsonErrorsTest, StepsThatAreNotSupportedAreRefusedByField) {
  const json growing = ReplaceStep({{"String", "a"}}, std::string(16, 'b'));
  const json byte_level = {{"type", "ByteLevel"}};
  const json digits = {{"type", "Digits"}};
  const json fuse = {{"type", "Fuse"}};
  const json bert = {
      {"type", "BertProcessing"}, {"sep", {"</s>", 2}}, {"cls", {"<s>", 0}}};
  const std::pair<json, const char*> cases[] = {
      {Changed("bart-cnn", "/normalizer", {{"type", "Lowercase"}}),
       "normalizer is {\"type\":\"Lowercase\"}; Precompiled, NFC, NFKC"},
      {Changed("bart-cnn", "/normalizer", Sequence("normalizers", {digits})),
       "normalizer is "},
      {Changed("bart-cnn", "/normalizer",
               {{"type", "Sequence"}, {"normalizers", 1}}),
       "normalizer.normalizers is 1; an array"},
      {Changed("bart-cnn", "/normalizer", {{"type", "Prepend"}}),
       "the text of a normalizer is null"},
      {Changed("bart-cnn", "/normalizer",
               {{"type", "Prepend"}, {"prepend", std::string(65, 'x')}}),
       "a string of at most 64 bytes"},
      {Changed("bart-cnn", "/normalizer",
               {{"type", "Strip"}, {"strip_center", true}}),
       "normalizer.strip_center is true; only strip_left, strip_right"},
      {Changed("bart-cnn", "/normalizer", ReplaceStep({{"Regex", "a+"}}, "")),
       "normalizer Replace.pattern is {\"Regex\":\"a+\"}"},
      {Changed("bart-cnn", "/normalizer", ReplaceStep({{"String", ""}}, "x")),
       "normalizer Replace.pattern is "},
      {Changed("bart-cnn", "/normalizer",
               Sequence("normalizers", {growing, growing})),
       "makes texts 256 times longer; at most 16"},
      {Changed("bart-cnn", "/pre_tokenizer", {{"type", "Whitespace"}}),
       "pre_tokenizer is "},
      {Changed("bart-cnn", "/pre_tokenizer",
               Sequence("pretokenizers", {digits, byte_level})),
       "pre_tokenizer is {\"type\":\"Digits\"}"},
      {Changed("bart-cnn", "/pre_tokenizer/use_regex", "no"),
       "pre_tokenizer.use_regex is \"no\"; true or false"},
      {Changed("bart-cnn", "/pre_tokenizer/pattern", "x"),
       "pre_tokenizer.pattern is \"x\"; only add_prefix_space, trim_offsets"},
      {Changed("t5gemma", "/pre_tokenizer/behavior", "Isolated"),
       "pre_tokenizer Split is "},
      {Changed("t5gemma", "/pre_tokenizer/pattern", {{"Regex", " "}}),
       "pre_tokenizer Split is "},
      {Changed("t5gemma", "/pre_tokenizer/invert", true),
       "pre_tokenizer Split is "},
      {Changed("nllb", "/pre_tokenizer/split", 2), "pre_tokenizer.split is 2"},
      {Changed("nllb", "/pre_tokenizer",
               Sequence("pretokenizers", {{{"type", "WhitespaceSplit"}},
                                          {{"type", "Metaspace"},
                                           {"replacement", "\xE2\x96\x81"},
                                           {"split", false}}})),
       "pre_tokenizer.split after WhitespaceSplit is false"},
      {Changed("bart-cnn", "/post_processor", {{"type", "Bert"}}),
       "post_processor is "},
      {Changed("bart-cnn", "/post_processor",
               Sequence("processors", {bert, bert})),
       "post_processor after another is "},
      {Changed("bart-cnn", "/post_processor/sep", {"</s>", -2}),
       "post_processor.sep is [\"</s>\",-2]; a pair of a token and its id"},
      {Changed("bart-cnn", "/post_processor/sep", {"</s>", 3}),
       "post_processor gives token \"</s>\" the id 3"},
      {Changed("bart-cnn", "/post_processor/cls", {"<x>", 900}),
       "post_processor gives token \"<x>\" the id 900"},
      {Changed("t5gemma", "/post_processor/single", 1),
       "post_processor.single is 1; an array"},
      {Changed("t5gemma", "/post_processor/single/1", json::object()),
       "post_processor.single is "},
      {Changed("t5gemma", "/post_processor/special_tokens/<bos>/ids", {2, 3}),
       "post_processor.special_tokens has ids [2,3] for \"<bos>\""},
      {Changed("bart-cnn", "/decoder", nullptr), "decoder is null"},
      {Changed("bart-cnn", "/decoder", {{"type", "WordPiece"}}), "decoder is "},
      {Changed("bart-cnn", "/decoder/type", "Metaspace"),
       "decoder.replacement is null"},
      {Changed("t5gemma", "/decoder", {{"type", "ByteLevel"}}),
       "ByteLevel if pre_tokenizer is ByteLevel, and another otherwise"},
      {Changed("t5gemma", "/decoder/decoders/0", fuse), "decoder is "},
      {Changed("t5gemma", "/decoder/decoders/3",
               {{"type", "Strip"}, {"content", "x"}, {"start", 1}}),
       "decoder is "},
      {Changed("mbart50", "/pre_tokenizer", byte_level),
       "ByteLevel if pre_tokenizer is ByteLevel, and another otherwise"},
      {Changed("mbart50", "/decoder", FixtureFile("t5gemma")["decoder"]),
       "Metaspace with a Unigram model is supported"},
  };
  for (const auto& [file, message] : cases) {
    EXPECT_THAT(LoadError(file), HasSubstr(message));
  }
}

TEST(TokenizerJsonErrorsTest, ModelsThatBreakARuleAreRefused) {
  json no_bytes = FixtureFile("t5gemma");
  no_bytes["model"]["vocab"].erase("<0x41>");
  json no_alphabet = FixtureFile("bart-cnn");
  no_alphabet["model"]["vocab"].erase("!");
  const std::pair<json, const char*> cases[] = {
      {Changed("bart-cnn", "/model/type", "WordLevel"),
       "model.type is \"WordLevel\"; BPE or Unigram"},
      {Changed("bart-cnn", "/model/type", "Unigram"), "model.vocab is {}"},
      {Changed("bart-cnn", "/model/vocab/the", 1000),
       "token \"the\" has id 1000; the model's vocab_size is 1000"},
      {Changed("bart-cnn", "/model/vocab/the", -1), "\"the\" has id -1;"},
      {Changed("bart-cnn", "/model/vocab/the", "1"), "\"the\" has id \"1\";"},
      {Changed("bart-cnn", "/model/vocab/zz", 5), " have id 5"},
      {Changed("bart-cnn", "/model/vocab/", 705), "of id 705 is empty"},
      {Changed("bart-cnn", "/model/merges/0", {"c"}),
       "an element of model.merges is [\"c\"]; a pair of tokens"},
      {Changed("bart-cnn", "/model/merges/0", "c  h"),
       "merge 0 is \"c  h\"; two tokens with a space between them"},
      {Changed("bart-cnn", "/model/merges/1", {"c", "qqq"}),
       "merge 1 joins \"c\" and \"qqq\"; \"qqq\" is no token"},
      {Changed("bart-cnn", "/model/merges/1", {"q", "z"}),
       "\"qz\" is no token"},
      {Changed("bart-cnn", "/model/merges", json::object()),
       "model.merges is {}; an array"},
      {Changed("bart-cnn", "/model/dropout", 0.1), "model.dropout is 0.1"},
      {Changed("bart-cnn", "/model/unk_token", 3), "model.unk_token is 3"},
      {Changed("bart-cnn", "/model/unk_token", "<x>"),
       "unk_token \"<x>\" is no token"},
      {Changed("bart-cnn", "/model/end_of_word_suffix", "</w>"),
       "model.end_of_word_suffix is \"</w>\"; an empty string"},
      {Changed("bart-cnn", "/model/continuing_subword_prefix", "##"),
       "model.continuing_subword_prefix is \"##\""},
      {Changed("bart-cnn", "/model/fuse_unk", 1), "model.fuse_unk is 1"},
      {Changed("bart-cnn", "/model/cache", 1), "model.cache is 1; only vocab"},
      {Changed("nllb", "/model/unk_token", nullptr), "need an unk_token"},
      {no_bytes, "there is no token \"<0x41>\" for the byte 0x41"},
      {no_alphabet, "there is no token \"!\" for the byte 0x21"},
      {Changed("bart-cnn", "/added_tokens/1/id", 7), "\"<pad>\" has id 7"},
  };
  for (const auto& [file, message] : cases) {
    EXPECT_THAT(LoadError(file), HasSubstr(message));
  }
  json many = FixtureFile("bart-cnn");
  many["model"]["merges"] =
      std::vector<json>(16 * kVocab + 1, json({"c", "h"}));
  EXPECT_THAT(LoadError(many), HasSubstr("more than 16000 merges"));
  json twice = FixtureFile("bart-cnn");
  std::string text = twice.dump();
  text.insert(text.find("\"vocab\":{") + 9, "\"er\":720,");
  const TempDir directory;
  directory.Write("tokenizer.json", text);
  EXPECT_THAT(
      std::string(Tokenizer::Load(directory.path(), kVocab).status().message()),
      HasSubstr("token \"er\" has the ids "));
}

std::string PairError(const std::string& vocab, const std::string& merges) {
  const TempDir directory;
  if (!vocab.empty()) directory.Write("vocab.json", vocab);
  directory.Write("merges.txt", merges);
  return std::string(
      Tokenizer::Load(directory.path(), kVocab).status().message());
}

TEST(TokenizerJsonErrorsTest, BrokenVocabulariesAndMergesAreRefused) {
  const std::string vocab = FileBytes(TestdataDir("bart-cnn") + "/vocab.json");
  const std::string merges = FileBytes(TestdataDir("bart-cnn") + "/merges.txt");
  EXPECT_EQ(PairError(vocab, merges), "");
  json no_end = json::parse(vocab);
  no_end.erase("</s>");
  json far = json::parse(vocab);
  far["<s>"] = kVocab;
  const std::pair<std::pair<std::string, std::string>, const char*> cases[] = {
      {{"", merges}, "vocab.json"},
      {{"[]", merges}, "vocab.json: is not an object"},
      {{"{}", merges}, "vocab.json and merges.txt: the vocabulary has no"},
      {{no_end.dump(), merges}, "vocab.json: there is no token \"</s>\""},
      {{far.dump(), merges}, "token \"<s>\" has id 1000"},
      {{vocab, merges + "c\n"}, "merge 440 is \"c\""},
      {{vocab, merges + "c q z\n"}, "merge 440 is \"c q z\""},
      {{vocab, merges + "qqq z\n"}, "\"qqq\" is no token"},
      {{vocab, "\xFF"}, "merges.txt: is not valid UTF-8"},
  };
  for (const auto& [files, message] : cases) {
    EXPECT_THAT(PairError(files.first, files.second), HasSubstr(message));
  }
}

TEST(TokenizerJsonErrorsTest, BesideAnUnsupportedFileVocabularyAndMergesCount) {
  const TempDir directory;
  for (const char* name : {"vocab.json", "merges.txt"}) {
    directory.Write(name, FileBytes(TestdataDir("bart-cnn") + "/" + name));
  }
  const json good = FixtureFile("bart-cnn");
  directory.Write("tokenizer.json", good.dump());
  const auto expected = Tokenizer::Load(directory.path(), kVocab);
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_THAT((*expected)->warnings(), testing::IsEmpty());
  directory.Write("tokenizer.json",
                  Changed("bart-cnn", "/model/dropout", 0.1).dump());
  const auto tokenizer = Tokenizer::Load(directory.path(), kVocab);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->warnings(),
              testing::ElementsAre(HasSubstr("vocab.json and merges.txt are")));
  EXPECT_EQ((*tokenizer)->Encode("The program's"),
            (*expected)->Encode("The program's"));
}

// Files that load after a random change must also encode and decode.
TEST(TokenizerJsonErrorsTest, ChangedFilesNeverCrash) {
  std::mt19937 random(7);
  int num_loaded = 0;
  for (const std::string fixture :
       {"bart-cnn", "t5gemma", "nllb", "mbart-cc25"}) {
    std::string good = FixtureFile(fixture).dump();
    for (int round = 0; round < 60; ++round) {
      std::string bytes = good;
      for (size_t i = 1 + random() % 3; i > 0; --i) {
        bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 7);
      }
      const TempDir directory;
      directory.Write("tokenizer.json", bytes);
      const auto tokenizer = Tokenizer::Load(directory.path(), kVocab);
      if (!tokenizer.ok()) continue;
      ++num_loaded;
      const Ids ids = (*tokenizer)
                          ->EncodePrompted("</s> The \xEF\xAC\x81rst",
                                           " <s>\n 12 \xF0\x9F\x98\x80's");
      EXPECT_TRUE(IsValidUtf8((*tokenizer)->Decode(ids)));
    }
  }
  EXPECT_GT(num_loaded, 5);
}

// Files with a value in another place must load or be refused.
TEST(TokenizerJsonErrorsTest, FilesWithMovedValuesNeverCrash) {
  std::mt19937 random(8);
  int num_loaded = 0;
  for (const std::string fixture : {"bart-cnn", "t5gemma", "nllb"}) {
    const json good = FixtureFile(fixture);
    const json flat = good.flatten();
    std::vector<std::string> keys;
    keys.reserve(flat.size());
    for (const auto& [key, value] : flat.items()) keys.push_back(key);
    for (int round = 0; round < 60; ++round) {
      json file = good;
      const json::json_pointer to(keys[random() % keys.size()]);
      file[to] = flat[keys[random() % keys.size()]];
      const auto tokenizer = Load(file);
      if (!tokenizer.ok()) continue;
      ++num_loaded;
      const Ids ids =
          (*tokenizer)->EncodePrompted("</s> The <s>\n", " 12 \xE6\x97\xA5's");
      EXPECT_TRUE(IsValidUtf8((*tokenizer)->Decode(ids)));
    }
  }
  EXPECT_GT(num_loaded, 5);
}

TEST(TokenizerJsonErrorsTest, ChangedMergesNeverCrash) {
  std::mt19937 random(9);
  int num_loaded = 0;
  const std::string directory = TestdataDir("bart-cnn");
  const std::string vocab = FileBytes(directory + "/vocab.json");
  const std::string merges = FileBytes(directory + "/merges.txt");
  for (int round = 0; round < 200; ++round) {
    std::string changed[] = {vocab, merges};
    std::string& bytes = changed[random() % 2];
    bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 7);
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    TempDir files;
    files.Write("vocab.json", changed[0]);
    files.Write("merges.txt", changed[1]);
    const auto tokenizer = Tokenizer::Load(files.path(), kVocab);
    if (!tokenizer.ok()) continue;
    ++num_loaded;
    const Ids ids = (*tokenizer)->EncodePrompted("</s> The <s>\n", " 12's");
    EXPECT_TRUE(IsValidUtf8((*tokenizer)->Decode(ids)));
  }
  EXPECT_GT(num_loaded, 5);
}

}  // namespace
}  // namespace sheaf
