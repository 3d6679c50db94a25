// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer_files.h"

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/sentencepiece_model.h"
#include "text/stream_detokenizer.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kSpiece = TestdataDir("text-end-to-end") + "/spiece.model";
constexpr int32_t kVocab = 640;
constexpr char kMark[] = "\xE2\x96\x81";

json Metaspace(const char* prepend_scheme) {
  return {{"type", "Metaspace"},
          {"replacement", kMark},
          {"prepend_scheme", prepend_scheme},
          {"split", true}};
}

json AfterWhitespaceSplit(const json& metaspace) {
  return {{"type", "Sequence"},
          {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace}}};
}

json Replace(const char* content) {
  return {{"type", "Replace"},
          {"pattern", {{"Regex", " {2,}"}}},
          {"content", content}};
}

json AddedTokenOf(int32_t id, const std::string& text,
                  const std::string& flags) {
  const auto has = [&](char flag) { return flags.find(flag) != flags.npos; };
  return {{"id", id},
          {"content", text},
          {"special", has('s')},
          {"single_word", has('w')},
          {"lstrip", has('l')},
          {"rstrip", has('r')},
          {"normalized", has('n')}};
}

// A tokenizer.json with the pieces of the fixture's spiece.model, in one of the
// forms that transformers writes: "v5" is from version 5, "v4" from 4.57,
// "v4_first" and "v4_never" from 4.57 with other settings, and "old" and
// "plain" from earlier versions. "bare" has no table.
json TokenizerJsonOf(const std::string& form) {
  const SentencePieceModel model =
      ReadSentencePieceModel(FileBytes(kSpiece), kVocab).value();
  json vocab = json::array(), added = json::array();
  for (const auto& piece : model.pieces) {
    vocab.push_back({piece.text, static_cast<double>(piece.score)});
  }
  for (int32_t id = 0; id < 3; ++id) {
    added.push_back(AddedTokenOf(id, model.pieces[id].text, "s"));
  }
  for (int32_t i = 99; i >= 0; --i) {
    const std::string text = absl::StrCat("<extra_id_", i, ">");
    vocab.push_back({text, 0.0});
    added.push_back(AddedTokenOf(599 - i, text, "s"));
  }
  const json table = {
      {"type", "Precompiled"},
      {"precompiled_charsmap", absl::Base64Escape(model.charsmap)}};
  const json strip = {
      {"type", "Strip"}, {"strip_left", false}, {"strip_right", true}};
  const auto sequence = [](json steps) {
    return json({{"type", "Sequence"}, {"normalizers", std::move(steps)}});
  };
  const json v4 = sequence({table, strip, Replace(kMark)});
  const json always = Metaspace("always");
  const json before_schemes = {{"type", "Metaspace"},
                               {"replacement", kMark},
                               {"add_prefix_space", true}};
  struct Form {
    json normalizer, pre_tokenizer, decoder;
  };
  const std::map<std::string, Form> forms = {
      {"v5", {table, AfterWhitespaceSplit(always), always}},
      {"v4", {v4, always, always}},
      {"v4_first", {v4, Metaspace("first"), Metaspace("first")}},
      {"v4_never", {v4, Metaspace("never"), Metaspace("never")}},
      {"old",
       {sequence({table, Replace(" ")}), before_schemes, before_schemes}},
      {"plain", {table, always, always}},
      {"bare", {nullptr, AfterWhitespaceSplit(always), always}},
  };
  const Form& chosen = forms.at(form);
  return {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", chosen.normalizer},
      {"pre_tokenizer", chosen.pre_tokenizer},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single",
         {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
          {{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}}}},
        {"special_tokens",
         {{"</s>", {{"id", "</s>"}, {"ids", {1}}, {"tokens", {"</s>"}}}}}}}},
      {"decoder", chosen.decoder},
      {"model",
       {{"type", "Unigram"},
        {"unk_id", 2},
        {"vocab", vocab},
        {"byte_fallback", false}}}};
}

std::unique_ptr<const Tokenizer> LoadOrDie(const std::string& directory) {
  auto tokenizer = Tokenizer::Load(directory, kVocab);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

std::string Streamed(const Tokenizer& tokenizer,
                     const std::vector<int32_t>& ids, std::mt19937& random) {
  StreamDetokenizer detokenizer(tokenizer);
  std::string text;
  for (size_t at = 0; at < ids.size();) {
    const size_t size = std::min<size_t>(random() % 4, ids.size() - at);
    text += detokenizer.Append(absl::MakeConstSpan(ids).subspan(at, size));
    at += size;
  }
  return text + detokenizer.Finish();
}

// Texts, their ids and the texts of these ids, from the tokenizers library
// (testdata/README.md).
TEST(TokenizerFilesTest, TokenizerJsonHasTheIdsAndTextsOfItsLibrary) {
  std::ifstream file(std::string(SHEAF_TESTDATA_DIR) +
                     "/tokenizer_json_cases.jsonl");
  std::string line, form;
  std::unique_ptr<const Tokenizer> tokenizer;
  std::mt19937 random(3);
  int num_cases = 0;
  while (std::getline(file, line)) {
    const json value = json::parse(line);
    if (value.contains("form")) {
      form = value["form"];
      json whole = TokenizerJsonOf(form);
      for (const json& token : value["tokens"]) {
        whole["added_tokens"].push_back(
            AddedTokenOf(token[0], token[1], token[2]));
      }
      const TempDir directory;
      directory.Write("tokenizer.json", whole.dump());
      tokenizer = LoadOrDie(directory.path());
      ASSERT_NE(tokenizer, nullptr);
    } else if (value.contains("e")) {
      const json& c = value["e"];
      const std::string text = c[0];
      std::vector<int32_t> ids = c[1];
      EXPECT_EQ(tokenizer->Encode(text), ids) << form << ": " << c[0];
      if (c.size() > 2) ids = c[2].get<std::vector<int32_t>>();
      EXPECT_EQ(tokenizer->Encode(text, SpecialTokens::kSentinels), ids)
          << form << ": " << c[0];
      if (c.size() > 3) ids = c[3].get<std::vector<int32_t>>();
      EXPECT_EQ(tokenizer->EncodePrompted(text, ""), ids)
          << form << ": " << c[0];
    } else {
      const json& c = value["d"];
      const std::vector<int32_t> ids = c[0];
      EXPECT_EQ(tokenizer->Decode(ids), c[1].get<std::string>())
          << form << ": " << c[0];
      EXPECT_EQ(Streamed(*tokenizer, ids, random), c[1].get<std::string>());
    }
    ++num_cases;
  }
  EXPECT_GT(num_cases, 3000);
}

// A directory with the spiece.model of the case and the given other files.
std::unique_ptr<TempDir> DirectoryOf(
    const std::map<std::string, std::string>& files) {
  auto directory = std::make_unique<TempDir>();
  for (const auto& [name, bytes] : files) directory->Write(name, bytes);
  return directory;
}

std::string LoadError(const std::map<std::string, std::string>& files) {
  return std::string(
      Tokenizer::Load(DirectoryOf(files)->path(), kVocab).status().message());
}

json WithTokens(json file, const std::vector<json>& tokens) {
  for (const json& token : tokens) file["added_tokens"].push_back(token);
  return file;
}

// Ids from transformers 4.57 for the two files together. Normalized tokens keep
// the mark of a space before them.
TEST(TokenizerFilesTest, BesideTheSameSpieceModelTokenizerJsonIsFollowed) {
  const json file =
      WithTokens(TokenizerJsonOf("v4"), {AddedTokenOf(600, "<sep>", "n")});
  const auto directory = DirectoryOf(
      {{"tokenizer.json", file.dump()}, {"spiece.model", FileBytes(kSpiece)}});
  const auto tokenizer = LoadOrDie(directory->path());
  EXPECT_THAT(tokenizer->Encode("the license <sep> the work"),
              ElementsAre(5, 81, 3, 600, 5, 39));
  EXPECT_THAT(tokenizer->warnings(), IsEmpty());
}

TEST(TokenizerFilesTest, FilesWithDifferentPiecesAreRefused) {
  json text = TokenizerJsonOf("v4"), score = text, fewer = text;
  text["model"]["vocab"][17][0] = "qqq";
  score["model"]["vocab"][17][1] = -1.0;
  fewer["added_tokens"].erase(50);
  for (const json& file : {text, score, fewer}) {
    const std::string error = LoadError({{"tokenizer.json", file.dump()},
                                         {"spiece.model", FileBytes(kSpiece)}});
    EXPECT_THAT(error, HasSubstr("spiece.model and "));
    EXPECT_THAT(error, HasSubstr("tokenizer.json disagree on piece "));
  }
}

TEST(TokenizerFilesTest, AnotherTableThanThatOfSpieceModelIsNotFollowed) {
  json file = TokenizerJsonOf("v4");
  file["normalizer"]["normalizers"].erase(0);
  const auto directory = DirectoryOf(
      {{"tokenizer.json", file.dump()}, {"spiece.model", FileBytes(kSpiece)}});
  const auto tokenizer = LoadOrDie(directory->path());
  EXPECT_THAT(tokenizer->warnings(),
              ElementsAre(HasSubstr("normalizes in another way")));
  EXPECT_EQ(tokenizer->Encode("\xEF\xBD\x86"), tokenizer->Encode("f"));
}

// Ids from the tokenizers library, 0.23.3.
TEST(TokenizerFilesTest, APieceOfTwoWordsIsFoundOnlyIfWordsAreNotSplit) {
  json file = TokenizerJsonOf("v4");
  file["model"]["vocab"][17] = {absl::StrCat(kMark, "the", kMark, "license"),
                                0.0};
  for (const bool splits : {true, false}) {
    file["pre_tokenizer"]["split"] = splits;
    const auto directory = DirectoryOf({{"tokenizer.json", file.dump()}});
    const auto tokenizer = LoadOrDie(directory->path());
    const std::vector<int32_t> ids = tokenizer->Encode("the license work");
    if (splits) {
      EXPECT_THAT(ids, ElementsAre(5, 81, 39));
    } else {
      EXPECT_THAT(ids, ElementsAre(17, 39));
    }
    EXPECT_EQ(tokenizer->Decode({39, 17}), "work the license");
  }
}

TEST(TokenizerFilesTest, UnsupportedKindsAreRefusedByField) {
  const auto changed = [](const char* pointer, const json& value) {
    json file = TokenizerJsonOf("v4");
    file[json::json_pointer(pointer)] = value;
    return file;
  };
  const json metaspace = Metaspace("first");
  const std::pair<json, const char*> cases[] = {
      {changed("/model/type", "WordPiece"), "model.type is \"WordPiece\""},
      {changed("/model/type", "BPE"), "model.vocab is []; an object"},
      {changed("/model/vocab", json::object()), "model.vocab is "},
      {changed("/model/unk_id", nullptr), "model.unk_id is null"},
      {changed("/model/vocab/7", {"x"}), "model.vocab[7] is "},
      {changed("/model/byte_fallback", 1), "byte_fallback is 1"},
      {changed("/model/byte_fallback", true), "0 byte pieces"},
      {changed("/normalizer", {{"type", "NFD"}}), "normalizer is "},
      {changed("/normalizer/normalizers/1/strip_left", 1), "strip_left is 1"},
      {changed("/normalizer/normalizers/2/content", 5), "normalizer is 5"},
      {changed("/normalizer/normalizers/1/type", "Precompiled"),
       "normalizer after another is "},
      {changed("/normalizer/normalizers/0/precompiled_charsmap", "?"),
       "not base64"},
      {changed("/normalizer/normalizers/0/precompiled_charsmap", "AAAA"),
       "precompiled_charsmap: has 3 bytes"},
      {changed("/pre_tokenizer", nullptr), "pre_tokenizer is null"},
      {changed("/pre_tokenizer/replacement", "_"), "pre_tokenizer.replacement"},
      {changed("/pre_tokenizer/prepend_scheme", "x"), "prepend_scheme is "},
      {changed("/pre_tokenizer", AfterWhitespaceSplit(metaspace)),
       "prepend_scheme after WhitespaceSplit is "},
      {changed("/post_processor", nullptr), "post_processor is null"},
      {changed("/post_processor/special_tokens", json::object()),
       "post_processor.special_tokens has ids "},
      {changed("/decoder/type", "ByteLevel"), "decoder is "},
      {changed("/added_tokens/5/id", 640), "the vocabulary is 0..639"},
      {changed("/added_tokens/5/id", -1), "the vocabulary is 0..639"},
      {changed("/added_tokens/5/content", 1), "added_tokens[5]: content is "},
      {changed("/added_tokens/5/lstrip", 1), "lstrip is 1"},
  };
  for (const auto& [file, message] : cases) {
    EXPECT_THAT(LoadError({{"tokenizer.json", file.dump()}}),
                HasSubstr(message));
  }
  EXPECT_THAT(LoadError({{"tokenizer.json", "[]"}}), HasSubstr("an object"));
}

TEST(TokenizerFilesTest, AnUnsupportedKindBesideSpieceModelIsLeftOut) {
  json file = TokenizerJsonOf("v4");
  file["model"]["type"] = "WordPiece";
  const auto directory = DirectoryOf(
      {{"tokenizer.json", file.dump()}, {"spiece.model", FileBytes(kSpiece)}});
  const auto tokenizer = LoadOrDie(directory->path());
  EXPECT_THAT(tokenizer->warnings(),
              ElementsAre(HasSubstr("Unigram is supported; spiece.model")));
  EXPECT_THAT(tokenizer->Encode("the license"), ElementsAre(5, 81));
}

TEST(TokenizerFilesTest, AddedTokensThatBreakARuleAreRefused) {
  const std::pair<std::string, const char*> lists[] = {
      {R"({"<sep>": 640})",
       "\"<sep>\" has id 640; the model's vocab_size is 640"},
      {R"({"<sep>": -1})", "has id -1;"},
      {R"({"<sep>": 600.5})", "has id 600.5"},
      {R"({"<sep>": "600"})", "a number is needed"},
      {R"({"<sep>": 600, "<sep>": 601})", "occurs twice"},
      {R"({"<sep>": 600, "<x>": 600})", "also have token \"<sep>\" with id"},
      {R"({"<sep>": 5})", "that is piece"},
      {R"({"of": 600, "</s>": 601})", "\"</s>\" has id 601; it is piece 1"},
      {R"({"": 600})", "is empty"},
      {R"({"a\u0000": 600})", "NUL"},
      {R"([])", "is not an object"},
      {"{\"" + std::string(1025, 'x') + "\": 600}", "more than 1024 bytes"},
      {"{\"\xFF\": 600}", "not valid JSON"},
  };
  for (const auto& [list, message] : lists) {
    EXPECT_THAT(LoadError({{"spiece.model", FileBytes(kSpiece)},
                           {"added_tokens.json", list}}),
                HasSubstr(message));
  }
  const std::pair<std::string, const char*> configs[] = {
      {R"({"added_tokens_decoder": []})", "is not an object"},
      {R"({"added_tokens_decoder": {"600": "<sep>"}})", "content is"},
      {R"({"added_tokens_decoder": {"x": {"content": "<sep>"}}})", "has id"},
      {R"({"added_tokens_decoder": {"0600": {"content": "<sep>"}}})", "has id"},
      {R"({"added_tokens_decoder": {"700": {"content": "<sep>"}}})",
       "vocab_size is 640"},
      {R"({"extra_ids": -1})", "extra_ids is"},
      {R"({"additional_special_tokens": [1]})", "which is no token"},
      {R"({"pad_token": ["<pad>"]})", "pad_token has"},
  };
  for (const auto& [config, message] : configs) {
    EXPECT_THAT(LoadError({{"spiece.model", FileBytes(kSpiece)},
                           {"tokenizer_config.json", config}}),
                HasSubstr(message));
  }
}

TEST(TokenizerFilesTest, FilesThatDisagreeOnATokenAreRefused) {
  EXPECT_THAT(LoadError({{"spiece.model", FileBytes(kSpiece)},
                         {"added_tokens.json", R"({"<sep>": 600})"},
                         {"tokenizer_config.json", R"({"added_tokens_decoder":
                     {"601": {"content": "<sep>"}}})"}}),
              HasSubstr("\"<sep>\" has id 600; the files also have"));
}

TEST(TokenizerFilesTest, SpecialTokensAreDroppedAndOthersAreText) {
  const auto directory =
      DirectoryOf({{"spiece.model", FileBytes(kSpiece)},
                   {"added_tokens.json", R"({"<sep>": 600, "<x>": 601})"},
                   {"special_tokens_map.json",
                    R"({"additional_special_tokens": ["<sep>", "<new>"]})"}});
  const auto tokenizer = LoadOrDie(directory->path());
  EXPECT_EQ(tokenizer->Decode({600, 601, 602, 599, 1}), "<x>");
  const std::string text = "<sep><x><new>";
  EXPECT_THAT(tokenizer->Encode(text, SpecialTokens::kSentinels),
              ElementsAre(600, 601, 602));
  EXPECT_THAT(tokenizer->Encode(text), Contains(601));
  EXPECT_THAT(tokenizer->Encode(text), Not(Contains(testing::AnyOf(600, 602))));
  EXPECT_THAT(tokenizer->warnings(), IsEmpty());
}

TEST(TokenizerFilesTest, SpecialTokensWithoutRoomAreTextWithAWarning) {
  const auto directory = DirectoryOf(
      {{"spiece.model", FileBytes(kSpiece)},
       {"tokenizer_config.json", R"({"additional_special_tokens": ["<x>"],
           "added_tokens_decoder": {"650": {"content": "<extra_id_0>"}}})"},
       {"added_tokens.json", R"({"<last>": 639})"}});
  const auto tokenizer = LoadOrDie(directory->path());
  EXPECT_THAT(tokenizer->warnings(),
              ElementsAre(HasSubstr("1 sentinels such as"),
                          HasSubstr("special token \"<x>\" has no id")));
  const std::string text = "<x><extra_id_0>";
  EXPECT_EQ(tokenizer->Encode(text, SpecialTokens::kSentinels),
            tokenizer->Encode(text));
}

TEST(TokenizerFilesTest, ConfigNamesTheEnd) {
  const auto directory = DirectoryOf(
      {{"spiece.model", FileBytes(kSpiece)},
       {"added_tokens.json", R"({"<end>": 600})"},
       {"tokenizer_config.json", R"({"eos_token": {"content": "<end>"}})"}});
  const auto tokenizer = LoadOrDie(directory->path());
  EXPECT_EQ(tokenizer->eos_id(), 600);
  EXPECT_THAT(tokenizer->Encode("<end>", SpecialTokens::kSentinels),
              Not(Contains(600)));
}

// Ids from transformers 4.57.
TEST(TokenizerFilesTest, WithoutLegacyOnlyTheFirstWordGetsAMark) {
  const auto directory = DirectoryOf(
      {{"spiece.model", FileBytes(kSpiece)},
       {"tokenizer_config.json", R"({"legacy": false, "added_tokens_decoder":
           {"600": {"content": "<sep>", "normalized": false}}})"}});
  const auto tokenizer = LoadOrDie(directory->path());
  EXPECT_THAT(tokenizer->Encode("the license<sep>the work"),
              ElementsAre(5, 81, 600, 67, 7, 39));
}

TEST(TokenizerFilesTest, ManyTokensInALongTextAreFoundInLinearTime) {
  json list;
  for (int32_t i = 0; i < 4000; ++i) {
    list[absl::StrCat(std::string(i % 100, '<'), "k", i, ">")] = 600 + i;
  }
  const auto directory = DirectoryOf({{"spiece.model", FileBytes(kSpiece)},
                                      {"added_tokens.json", list.dump()}});
  const auto tokenizer = Tokenizer::Load(directory->path(), 5000);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::string text(size_t{1} << 20, '<');
  EXPECT_THAT((*tokenizer)->Encode(text + "k99>"), Contains(699).Times(1));
}

// For any ids and any split of them, joined streams equal decodings.
TEST(TokenizerFilesTest, StreamsOfAddedTokensAreDecodings) {
  json file =
      WithTokens(TokenizerJsonOf("v5"),
                 {AddedTokenOf(600, " ", ""), AddedTokenOf(601, "x ", ""),
                  AddedTokenOf(602, "\n", ""), AddedTokenOf(603, kMark, ""),
                  AddedTokenOf(604, "<s>", "s")});
  file["model"]["vocab"].erase(3);  // the piece whose text 603 has
  file["model"]["vocab"].insert(file["model"]["vocab"].begin() + 3,
                                json({"zz", -9.0}));
  const auto directory = DirectoryOf({{"tokenizer.json", file.dump()}});
  const auto tokenizer = LoadOrDie(directory->path());
  std::mt19937 random(9);
  for (int round = 0; round < 3000; ++round) {
    std::vector<int32_t> ids(random() % 12);
    for (int32_t& id : ids) {
      const int32_t kinds[] = {2, 3, 5, 8, 600, 601, 602, 603, 604, 700};
      id = kinds[random() % 10];
    }
    const std::string text = tokenizer->Decode(ids);
    ASSERT_EQ(Streamed(*tokenizer, ids, random), text);
    EXPECT_THAT(text, Not(HasSubstr("\xE2\x81\x87")));
  }
}

// Files that load after a random change must also encode and decode.
TEST(TokenizerFilesTest, ChangedFilesNeverCrash) {
  std::mt19937 random(7);
  const std::string good =
      WithTokens(TokenizerJsonOf("v4"), {AddedTokenOf(600, "<sep>", "nlr")})
          .dump();
  const TempDir directory;
  int num_loaded = 0;
  for (int round = 0; round < 60; ++round) {
    std::string bytes = good;
    for (size_t i = 1 + random() % 3; i > 0; --i) {
      bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 7);
    }
    directory.Write("tokenizer.json", bytes);
    const auto tokenizer = Tokenizer::Load(directory.path(), kVocab);
    if (!tokenizer.ok()) continue;
    ++num_loaded;
    const auto ids = (*tokenizer)->Encode("The \xEF\xAC\x81rst <sep> </s>");
    EXPECT_TRUE(IsValidUtf8((*tokenizer)->Decode(ids)));
  }
  EXPECT_GT(num_loaded, 5);
}

}  // namespace
}  // namespace sheaf
