// SPDX-License-Identifier: Apache-2.0

// Languages, summaries and positions of models whose files name no task,
// through a running server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/server/model_server.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::unique_ptr<ModelServer> Serve(
    const std::string& fixture,
    const std::vector<LanguagePair>& languages = {}) {
  ProgramOptions options = ModelServer::Options();
  options.languages = languages;
  return ModelServer::Start(TestdataDir(fixture), options);
}

std::vector<LanguagePair> Pairs(const std::string& text) {
  return ParseLanguagePairs("--languages", text).value();
}

// A translation with all its hypotheses, so that their tokens are known.
struct Translated {
  grpc::Status status;
  v1::TranslateResponse response;

  std::string message() const { return status.error_message(); }
  std::vector<int32_t> tokens() const {
    if (response.alternatives_size() == 0) return {};
    const auto& ids = response.alternatives(0).tokens().ids();
    return {ids.begin(), ids.end()};
  }
};

v1::TranslateRequest RequestFor(const std::string& source,
                                const std::string& target) {
  v1::TranslateRequest request;
  request.set_text("How are you?");
  request.set_source_language(source);
  request.set_target_language(target);
  request.mutable_decoding()->set_beam_size(2);
  request.mutable_decoding()->set_num_hypotheses(2);
  request.mutable_decoding()->set_max_new_tokens(6);
  return request;
}

Translated Translate(ModelServer& server, const v1::TranslateRequest& request) {
  Translated out;
  grpc::ClientContext context;
  out.status = server.text().Translate(&context, request, &out.response);
  return out;
}

Translated Translate(ModelServer& server, const std::string& source,
                     const std::string& target) {
  return Translate(server, RequestFor(source, target));
}

grpc::Status Summarize(ModelServer& server) {
  grpc::ClientContext context;
  v1::SummarizeRequest request;
  request.set_text("How are you?");
  v1::SummarizeResponse response;
  return server.text().Summarize(&context, request, &response);
}

TEST(MultilingualTest, EveryPairOfTheTokenizersLanguagesIsServed) {
  const auto server = Serve("nllb");
  const v1::Model model = server->Describe();
  EXPECT_THAT(model.tasks(), ElementsAre("translation"));
  EXPECT_THAT(model.source_languages(), SizeIs(202));
  EXPECT_THAT(model.target_languages(),
              AllOf(SizeIs(202), Contains("de"), Contains("zh-Hant"),
                    Contains("acm"), Not(Contains("zh"))));
  // The token of the target language comes first, however it is named.
  constexpr int32_t kGerman = 372, kEnglish = 377;
  EXPECT_EQ(Translate(*server, "en", "de-AT").tokens()[0], kGerman);
  EXPECT_EQ(Translate(*server, "eng_Latn", "deu_Latn").tokens()[0], kGerman);
  EXPECT_EQ(Translate(*server, "de", "EN").tokens()[0], kEnglish);
  EXPECT_EQ(Translate(*server, "fa-AF", "en").tokens()[0], kEnglish);
  // It has no text.
  EXPECT_THAT(Translate(*server, "en", "de").response.text(),
              Not(HasSubstr("deu")));
}

TEST(MultilingualTest, LanguagesThatAreNotThereAreRefusedWithThoseThatAre) {
  const auto server = Serve("mbart50");
  const Translated known = Translate(*server, "en", "cy");
  EXPECT_EQ(known.status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(known.message(),
              AllOf(HasSubstr("target_language is \"cy\", which the model does "
                              "not have; it has 52: af, ar, az"),
                    HasSubstr("and 12 more")));
  const Translated unknown = Translate(*server, "klingon", "de");
  EXPECT_EQ(unknown.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(unknown.message(), HasSubstr("source_language is \"klingon\""));
  EXPECT_THAT(Translate(*server, "auto", "cy").message(),
              HasSubstr("target_language is \"cy\", which the model does not "
                        "have; it has 52: af, ar, az"));
}

TEST(MultilingualTest, ASourceThatIsNotNamedIsDetected) {
  for (const char* fixture : {"nllb", "mbart50", "mbart-cc25"}) {
    const auto server = Serve(fixture);
    for (const char* source : {"", "auto", "Auto"}) {
      const Translated found = Translate(*server, source, "de");
      ASSERT_TRUE(found.status.ok()) << found.message();
      const v1::DetectedLanguage& detected = found.response.detected_language();
      EXPECT_EQ(detected.language(), "en") << fixture;
      EXPECT_GT(detected.confidence(), 0.5) << fixture;
      EXPECT_EQ(found.tokens(), Translate(*server, "en", "de").tokens());
    }
    EXPECT_FALSE(
        Translate(*server, "en", "de").response.has_detected_language());
    v1::TranslateRequest request = RequestFor("auto", "en");
    for (const auto& [text, tag] :
         std::vector<std::pair<std::string, std::string>>{
             {"Wo m\u00f6chten Sie heute hingehen?", "de"},
             {"O\u00f9 voulez-vous aller aujourd'hui ?", "fr"},
             {"\u3053\u308c\u306f\u65e5\u672c\u8a9e\u3067\u3059\u3002",
              "ja"}}) {
      request.set_text(text);
      const Translated found = Translate(*server, request);
      EXPECT_EQ(found.response.detected_language().language(), tag) << fixture;
      request.set_source_language(tag);
      EXPECT_EQ(found.tokens(), Translate(*server, request).tokens());
      request.set_source_language("auto");
    }
    // Nothing to detect, and nothing to translate.
    request.set_text("19:30");
    const Translated copied = Translate(*server, request);
    EXPECT_EQ(copied.response.text(), "19:30");
    EXPECT_EQ(copied.response.detected_language().language(), "en");
    EXPECT_EQ(copied.response.detected_language().confidence(), 0);
  }
}

TEST(MultilingualTest, DetectLanguageKnowsTheSourceOfAnUnnamedOne) {
  const auto server = Serve("mbart50");
  v1::DetectLanguageRequest request;
  request.set_target_language("en");
  request.add_texts("Jeg heter Ole og jeg bor i Norge.");
  request.add_texts("Wo m\u00f6chten Sie heute hingehen?");
  request.add_texts("\u30c6\u30b9\u30c8");
  request.add_texts("12");
  grpc::ClientContext context;
  v1::DetectLanguageResponse response;
  ASSERT_TRUE(server->text().DetectLanguage(&context, request, &response).ok());
  ASSERT_EQ(response.results_size(), 4);
  v1::TranslateRequest translate = RequestFor("auto", "en");
  for (int i = 0; i < request.texts_size(); ++i) {
    translate.set_text(request.texts(i));
    const Translated found = Translate(*server, translate);
    ASSERT_TRUE(found.status.ok()) << found.message();
    EXPECT_EQ(found.response.detected_language().language(),
              response.results(i).languages(0).language());
    EXPECT_EQ(found.response.detected_language().confidence(),
              response.results(i).languages(0).confidence());
  }
}

TEST(MultilingualTest, AStreamEndsWithTheDetectedLanguage) {
  const auto server = Serve("nllb");
  v1::TranslateRequest request = RequestFor("auto", "de");
  request.set_text("How are you? Where do you want to go today?");
  request.set_copy_target_language(true);
  grpc::ClientContext context;
  const auto reader = server->text().TranslateStream(&context, request);
  std::vector<v1::TextChunk> chunks;
  for (v1::TextChunk chunk; reader->Read(&chunk);) chunks.push_back(chunk);
  ASSERT_TRUE(reader->Finish().ok());
  ASSERT_FALSE(chunks.empty());
  EXPECT_EQ(chunks.back().detected_language().language(), "en");
  chunks.pop_back();
  for (const v1::TextChunk& chunk : chunks) {
    EXPECT_FALSE(chunk.has_detected_language());
  }
}

TEST(MultilingualTest, ATextOfTheTargetIsCopiedWhole) {
  const auto server = Serve("nllb");
  v1::TranslateRequest request = RequestFor("auto", "de");
  const std::string text =
      "Ja.\nWo m\u00f6chten Sie heute am Abend hingehen?\nIch bleibe "
      "zu Hause, weil es drau\u00dfen so stark regnet.\n12\n";
  request.set_text(text);
  EXPECT_GT(Translate(*server, request).response.usage().segments(), 0);
  request.set_copy_target_language(true);
  const Translated copied = Translate(*server, request);
  EXPECT_EQ(copied.response.detected_language().language(), "de");
  EXPECT_EQ(copied.response.usage().segments(), 0);
  EXPECT_EQ(copied.response.text(), text);
}

TEST(MultilingualTest, TheTargetMayBeTheStartToken) {
  const auto server = Serve("mbart-cc25");
  EXPECT_THAT(server->Describe().target_languages(), SizeIs(25));
  const Translated romanian = Translate(*server, "en", "ro");
  const Translated german = Translate(*server, "en", "de");
  ASSERT_TRUE(romanian.status.ok() && german.status.ok());
  EXPECT_NE(romanian.tokens(), german.tokens());
}

TEST(MultilingualTest, AModelThatDoesNotReadTheSourceTakesAny) {
  const auto server = Serve("marian-multi-tc");
  const v1::Model model = server->Describe();
  EXPECT_THAT(model.tasks(), ElementsAre("translation"));
  EXPECT_THAT(model.source_languages(), ElementsAre("en"));
  EXPECT_THAT(model.target_languages(), Contains("de"));
  for (const char* source : {"", "auto", "en", "en-GB"}) {
    const Translated german = Translate(*server, source, "de");
    ASSERT_TRUE(german.status.ok()) << german.message();
    // ">>deu<<" is a token of the source.
    EXPECT_EQ(german.response.usage().input_tokens(), 6);
  }
  EXPECT_THAT(Translate(*server, "ja", "de").message(),
              HasSubstr("source_language is \"ja\", which the model does not "
                        "have; it has 1: en"));
}

TEST(MultilingualTest, OnePairIsATaskOfItsOwn) {
  const auto server = Serve("marian-opus");
  const v1::Model model = server->Describe();
  EXPECT_THAT(model.tasks(), ElementsAre("translation_en_to_de"));
  EXPECT_THAT(model.target_languages(), IsEmpty());
  EXPECT_TRUE(Translate(*server, "", "de").status.ok());
  EXPECT_THAT(Translate(*server, "en", "fr").message(),
              HasSubstr("it has: en to de"));
}

TEST(MultilingualTest, TheFlagNamesThePairs) {
  const auto marian = Serve("marian-opus", Pairs("fr-pt_BR,fr-es"));
  EXPECT_THAT(marian->Describe().tasks(),
              ElementsAre("translation_fr_to_es", "translation_fr_to_pt-BR"));
  EXPECT_TRUE(Translate(*marian, "fr", "pt").status.ok());
  EXPECT_THAT(Translate(*marian, "en", "de").message(),
              HasSubstr("it has: fr to es, fr to pt-BR"));
  // The tokens are those of the languages.
  const auto nllb = Serve("nllb", Pairs("en-de"));
  EXPECT_THAT(nllb->Describe().tasks(), ElementsAre("translation_en_to_de"));
  EXPECT_EQ(Translate(*nllb, "", "de").tokens()[0], 372);
  EXPECT_THAT(Translate(*nllb, "de", "en").message(),
              HasSubstr("it has: en to de"));
}

TEST(MultilingualTest, APairThatTheTokenizerLacksIsRefusedAtStart) {
  ProgramOptions options = ModelServer::Options();
  options.languages = Pairs("en-cy");
  const auto model =
      ServerModel::Load(TestdataDir("mbart50"), options, kernels::DetectIsa());
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(model.status().message()),
              AllOf(HasSubstr("--languages: translation_en_to_cy: the target "
                              "language is \"cy\""),
                    HasSubstr("it has 52: ")));
}

TEST(MultilingualTest, AForcedTokenReplacesTheLanguageAndAPrefixFollowsIt) {
  const auto server = Serve("nllb");
  v1::TranslateRequest request = RequestFor("en", "de");
  v1::DecodingOptions& decoding = *request.mutable_decoding();
  decoding.mutable_target_prefix()->add_ids(50);
  std::vector<int32_t> tokens = Translate(*server, request).tokens();
  tokens.resize(2);
  EXPECT_THAT(tokens, ElementsAre(372, 50));
  decoding.mutable_target_prefix()->set_ids(0, 372);
  decoding.mutable_target_prefix()->add_ids(50);
  tokens = Translate(*server, request).tokens();
  tokens.resize(3);
  EXPECT_THAT(tokens, testing::Not(ElementsAre(372, 372, 50)));
  EXPECT_EQ(tokens[1], 50);
  decoding.set_max_new_tokens(2);
  EXPECT_THAT(Translate(*server, request).message(),
              HasSubstr("decoding.target_prefix has 2 tokens"));
  decoding.set_max_new_tokens(6);
  decoding.mutable_target_prefix()->set_ids(0, 50);
  decoding.mutable_target_prefix()->set_ids(1, 51);
  decoding.set_max_new_tokens(3);
  EXPECT_THAT(Translate(*server, request).message(),
              HasSubstr("has 3 tokens with that of the target language; with "
                        "max_new_tokens 3"));
  decoding.clear_target_prefix();
  decoding.set_forced_bos_token_id(377);
  EXPECT_EQ(Translate(*server, request).tokens()[0], 377);
  decoding.set_forced_bos_token_id(-1);
  EXPECT_NE(Translate(*server, request).tokens()[0], 372);
}

TEST(MultilingualTest, ModelsOfSummariesSummarizeWithoutATask) {
  for (const char* fixture : {"pegasus", "bart-cnn"}) {
    const auto server = Serve(fixture);
    EXPECT_THAT(server->Describe().tasks(), ElementsAre("summarization"));
    EXPECT_TRUE(Summarize(*server).ok());
  }
  // The same files under a name that does not tell.
  TempDir copy;
  std::filesystem::copy(TestdataDir("bart-cnn"), copy.PathOf("model"));
  const auto server = ModelServer::Start(copy.PathOf("model"));
  EXPECT_THAT(server->Describe().tasks(), IsEmpty());
  EXPECT_EQ(Summarize(*server).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST(PositionsTest, BoundSourceOutputAndFlag) {
  const auto server = Serve("bart-cnn");
  EXPECT_EQ(server->Describe().max_source_tokens(), 96);
  v1::GenerateRequest request;
  for (int i = 0; i < 97; ++i) request.mutable_tokens()->add_ids(5);
  const auto generate = [&] {
    grpc::ClientContext context;
    v1::GenerateResponse response;
    return server->text().Generate(&context, request, &response);
  };
  EXPECT_THAT(generate().error_message(),
              HasSubstr("tokens.ids has 97 tokens; this model takes 1..96"));
  request.mutable_tokens()->mutable_ids()->Truncate(96);
  request.mutable_decoding()->set_max_new_tokens(97);
  EXPECT_THAT(generate().error_message(),
              HasSubstr("decoding.max_new_tokens is 97; this model has 96 "
                        "positions and allows 1..96"));
  request.mutable_decoding()->set_max_new_tokens(96);
  EXPECT_TRUE(generate().ok());
  ProgramOptions options = ModelServer::Options();
  options.max_source_tokens = 97;
  EXPECT_THAT(std::string(ServerModel::Load(TestdataDir("bart-cnn"), options,
                                            kernels::DetectIsa())
                              .status()
                              .message()),
              HasSubstr("--max_source_tokens is 97; the model has 96 "
                        "positions"));
}

TEST(PositionsTest, LongTextsAreCutIntoSegmentsThatFit) {
  const auto server = Serve("bart-cnn");
  v1::SummarizeRequest request;
  for (int i = 0; i < 20; ++i) request.mutable_text()->append("How are you? ");
  grpc::ClientContext context;
  v1::SummarizeResponse response;
  ASSERT_TRUE(server->text().Summarize(&context, request, &response).ok());
  EXPECT_GT(response.usage().segments(), 1);
}

TEST(PositionsTest, DefaultsBeyondThemAreCutWithAWarning) {
  TempDir copy;
  std::filesystem::copy(TestdataDir("bart-cnn"), copy.PathOf("cnn"));
  json generation =
      json::parse(FileBytes(copy.PathOf("cnn/generation_config.json")));
  generation["max_length"] = 142;
  generation["min_length"] = 0;
  copy.Write("cnn/generation_config.json", generation.dump());
  const auto server = ModelServer::Start(copy.PathOf("cnn"));
  EXPECT_THAT(server->Describe().warnings(),
              Contains(HasSubstr("outputs have up to 141 tokens by default; "
                                 "the model has 96 positions")));
  EXPECT_TRUE(Summarize(*server).ok());
}

}  // namespace
}  // namespace sheaf
