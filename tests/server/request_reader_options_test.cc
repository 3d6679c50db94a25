// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/request_reader_fixture.h"
#include "tests/support/model_tasks.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ModelTasks TasksOf(const std::string& generation_config) {
  absl::StatusOr<ModelTasks> tasks =
      ParseModelTasks(R"({"task_specific_params": {"translation_en_to_de": {
                          "prefix": "p: ", "num_beams": 4, "length_penalty": 2.0,
                          "early_stopping": true, "no_repeat_ngram_size": 3,
                          "min_length": 5, "max_length": 30}}})",
                      generation_config);
  EXPECT_TRUE(tasks.ok()) << tasks.status();
  return tasks.ok() ? *std::move(tasks) : ModelTasks();
}

TEST_F(RequestReaderTest,
       TextIsAnsweredInWholeCharactersTokensAsTheModelChooses) {
  v1::SummarizeRequest summarize;
  summarize.set_text("Hello.");
  v1::GenerateRequest generate;
  generate.set_text("Hello.");
  const auto output_text = [this](const auto& request) {
    return reader_.Read(request, IsWanted)->request.sampling.output_text;
  };
  EXPECT_EQ(output_text(TranslateOf("Hello.")), OutputText::kLine);
  EXPECT_EQ(output_text(summarize), OutputText::kLine);
  EXPECT_EQ(output_text(generate), OutputText::kText);
  EXPECT_EQ(output_text(TokensOf({5, 6, 7})), OutputText::kRaw);
}

TEST_F(RequestReaderTest, ATranslationIsNotEmptyUnlessTheRequestAllowsIt) {
  v1::TranslateRequest request = TranslateOf("of");
  const auto min_new_tokens = [&] {
    return reader_.Read(request, IsWanted)->request.sampling.min_new_tokens;
  };
  EXPECT_EQ(min_new_tokens(), 1);
  request.mutable_decoding()->set_min_new_tokens(0);
  EXPECT_EQ(min_new_tokens(), 0);
  request.mutable_decoding()->set_min_new_tokens(3);
  EXPECT_EQ(min_new_tokens(), 3);
}

TEST_F(RequestReaderTest, NoPrefixBeginsOrEndsAText) {
  ServedModel model = model_;
  model.no_output_ids = {1, 0};
  const RequestReader reader(model, {});
  for (int32_t id : {0, 1, 2}) {
    v1::GenerateRequest request = TokensOf({5});
    request.mutable_decoding()->mutable_target_prefix()->add_ids(7);
    request.mutable_decoding()->mutable_target_prefix()->add_ids(id);
    const absl::Status status = reader.Read(request, IsWanted).status();
    EXPECT_EQ(status.ok(), id == 2) << status;
    if (id < 2) {
      EXPECT_THAT(
          std::string(status.message()),
          HasSubstr(absl::StrCat("decoding.target_prefix.ids[1] is ", id)));
    }
  }
}

TEST_F(RequestReaderTest, AbsentOptionsTakeTheTasksDefault) {
  const auto translate = reader_.Read(TranslateOf("Hello."), IsWanted);
  v1::SummarizeRequest summarize;
  summarize.set_text("Hello.");
  const auto summary = reader_.Read(summarize, IsWanted);
  ASSERT_TRUE(translate.ok() && summary.ok());
  EXPECT_LE(translate->request.sampling.max_new_tokens, 256);
  EXPECT_LE(summary->request.sampling.max_new_tokens, 96);
  EXPECT_EQ(translate->request.sampling.temperature, 0);
  // As in the embedded model's config.json.
  EXPECT_EQ(translate->request.sampling.beam_size, 4);
  EXPECT_EQ(summary->request.sampling.beam_size, 1);
}

TEST_F(RequestReaderTest, GivenOptionsArePassedOn) {
  v1::GenerateRequest request = TokensOf({5});
  v1::DecodingOptions& options = *request.mutable_decoding();
  options.set_max_new_tokens(9);
  options.set_min_new_tokens(2);
  options.set_length_penalty(0.5f);
  options.set_repetition_penalty(1.5f);
  options.set_no_repeat_ngram_size(3);
  options.set_temperature(0.7f);
  options.set_top_k(40);
  options.set_top_p(0.9f);
  options.set_seed(11);
  options.add_stop(std::string("END"));
  options.mutable_target_prefix()->add_ids(8);
  for (int32_t id : {9, 7, 9}) options.add_suppressed_tokens(id);
  const auto prepared = reader_.Read(request, IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const SamplingParams& sampling = prepared->request.sampling;
  EXPECT_EQ(sampling.max_new_tokens, 9);
  EXPECT_EQ(sampling.min_new_tokens, 2);
  EXPECT_EQ(sampling.length_penalty, 0.5f);
  EXPECT_EQ(sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(sampling.no_repeat_ngram_size, 3);
  EXPECT_EQ(sampling.temperature, 0.7f);
  EXPECT_EQ(sampling.top_k, 40);
  EXPECT_EQ(sampling.top_p, 0.9f);
  EXPECT_EQ(sampling.seed, 11u);
  EXPECT_THAT(prepared->request.start_tokens, ElementsAre(0, 8));
  EXPECT_THAT(sampling.suppressed_tokens, ElementsAre(7, 9));
  EXPECT_THAT(prepared->plan.stop, ElementsAre("END"));
}

TEST_F(RequestReaderTest, ForcedTokensAreTheRequestsElseTheModels) {
  ServedModel model = model_;
  model.tasks = TasksOf(R"({"forced_bos_token_id": 7,
                            "forced_eos_token_id": 1})");
  const RequestReader reader(model, Limits());
  v1::GenerateRequest request = TokensOf({5});
  const auto models = reader.Read(request, IsWanted);
  request.mutable_decoding()->set_forced_bos_token_id(9);
  request.mutable_decoding()->set_forced_eos_token_id(-1);
  const auto requests = reader.Read(request, IsWanted);
  request.mutable_decoding()->set_forced_bos_token_id(-1);
  const auto none = reader.Read(request, IsWanted);
  ASSERT_TRUE(models.ok() && requests.ok() && none.ok());
  EXPECT_EQ(models->request.sampling.forced_first_token, 7);
  EXPECT_EQ(models->request.sampling.forced_last_token, 1);
  EXPECT_EQ(requests->request.sampling.forced_first_token, 9);
  EXPECT_EQ(requests->request.sampling.forced_last_token, -1);
  EXPECT_EQ(none->request.sampling.forced_first_token, -1);
}

TEST_F(RequestReaderTest, APrefixStandsInThePlaceOfTheModelsForcedToken) {
  ServedModel model = model_;
  model.tasks = TasksOf(R"({"forced_bos_token_id": 7})");
  const RequestReader reader(model, Limits());
  v1::GenerateRequest request = TokensOf({5});
  request.mutable_decoding()->mutable_target_prefix()->add_ids(8);
  EXPECT_TRUE(reader.Read(request, IsWanted).ok());
  request.mutable_decoding()->set_forced_bos_token_id(8);
  EXPECT_TRUE(reader.Read(request, IsWanted).ok());
  request.mutable_decoding()->set_forced_bos_token_id(9);
  EXPECT_THAT(std::string(reader.Read(request, IsWanted).status().message()),
              HasSubstr("decoding.forced_bos_token_id is 9; with "
                        "target_prefix.ids[0] 8, 8 or -1 is allowed"));
}

TEST_F(RequestReaderTest, AForcedTokenIsNotSuppressed) {
  ServedModel model = model_;
  model.tasks = TasksOf(R"({"forced_bos_token_id": 7})");
  const RequestReader reader(model, Limits());
  v1::GenerateRequest request = TokensOf({5});
  request.mutable_decoding()->add_suppressed_tokens(7);
  EXPECT_THAT(std::string(reader.Read(request, IsWanted).status().message()),
              HasSubstr("decoding.suppressed_tokens has 7, which is the first "
                        "token that the model forces"));
  request.mutable_decoding()->set_forced_bos_token_id(-1);
  EXPECT_TRUE(reader.Read(request, IsWanted).ok());
}

TEST_F(RequestReaderTest, NoForcedFirstTokenBeginsOrEndsAText) {
  ServedModel model = model_;
  model.no_output_ids = {1, 0};
  const RequestReader reader(model, {});
  for (int32_t id : {0, 1, 2}) {
    v1::GenerateRequest request = TokensOf({5});
    request.mutable_decoding()->set_forced_bos_token_id(id);
    EXPECT_EQ(reader.Read(request, IsWanted).ok(), id == 2);
  }
}

TEST_F(RequestReaderTest, TheModelsRulesHoldForEveryRequest) {
  ServedModel model = model_;
  model.tasks = TasksOf(R"({"bad_words_ids": [[7, 8]], "suppress_tokens": [6],
                            "begin_suppress_tokens": [9], "min_p": 0.1,
                            "do_sample": true, "renormalize_logits": true})");
  const RequestReader reader(model, Limits());
  v1::GenerateRequest request = TokensOf({5});
  request.mutable_decoding()->add_suppressed_tokens(5);
  const auto prepared = reader.Read(request, IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const SamplingParams& sampling = prepared->request.sampling;
  ASSERT_NE(sampling.bad_words, nullptr);
  EXPECT_THAT(*sampling.bad_words, ElementsAre(ElementsAre(7, 8)));
  EXPECT_THAT(sampling.suppressed_tokens, ElementsAre(5, 6));
  EXPECT_THAT(sampling.first_suppressed_tokens, ElementsAre(9));
  EXPECT_TRUE(sampling.is_renormalized);
  EXPECT_EQ(sampling.min_p, 0.1f);
  EXPECT_EQ(sampling.top_k, 50);
}

TEST_F(RequestReaderTest, RequestsWithoutASeedHaveDifferentOnes) {
  const auto first = reader_.Read(TokensOf({5}), IsWanted);
  const auto second = reader_.Read(TokensOf({5}), IsWanted);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->request.sampling.seed, second->request.sampling.seed);
}

TEST_F(RequestReaderTest, OptionsOutOfRangeAreNamedWithWhatIsAllowed) {
  const float nan = NAN, infinity = std::numeric_limits<float>::infinity();
  using Options = v1::DecodingOptions;
  const std::vector<std::pair<std::function<void(Options&)>, std::string>>
      cases = {
          {[](Options& o) { o.set_max_new_tokens(0); },
           "decoding.max_new_tokens is 0; this server allows 1..1024"},
          {[](Options& o) { o.set_max_new_tokens(9000); },
           "decoding.max_new_tokens is 9000; this server allows 1..1024"},
          {[](Options& o) { o.set_max_new_tokens(-2147483647 - 1); },
           "decoding.max_new_tokens is -2147483648"},
          {[](Options& o) { o.set_min_new_tokens(-1); },
           "decoding.min_new_tokens is -1; this server allows 0..1024"},
          {[](Options& o) {
             o.set_max_new_tokens(5);
             o.set_min_new_tokens(6);
           },
           "decoding.min_new_tokens is 6; with max_new_tokens 5"},
          {[](Options& o) { o.set_beam_size(0); },
           "decoding.beam_size is 0; this server allows 1..16"},
          {[](Options& o) { o.set_beam_size(17); },
           "decoding.beam_size is 17; this server allows 1..16"},
          {[](Options& o) {
             o.set_beam_size(4);
             o.set_temperature(0.7f);
           },
           "decoding.temperature is 0.7; with beam_size 4, which does not "
           "sample, only 0 is allowed"},
          {[](Options& o) {
             o.set_beam_size(2);
             o.set_num_hypotheses(3);
           },
           "decoding.num_hypotheses is 3; with beam_size 2, 1..2"},
          {[](Options& o) { o.set_num_hypotheses(2); },
           "decoding.num_hypotheses is 2; with beam_size 1, 1..1"},
          {[](Options& o) { o.set_num_hypotheses(0); },
           "decoding.num_hypotheses is 0"},
          {[=](Options& o) { o.set_length_penalty(nan); },
           "decoding.length_penalty is nan"},
          {[=](Options& o) { o.set_length_penalty(infinity); },
           "decoding.length_penalty is inf"},
          {[](Options& o) { o.set_repetition_penalty(0); },
           "decoding.repetition_penalty is 0; this server allows 0.01..100"},
          {[](Options& o) { o.set_repetition_penalty(1e-39f); },
           "decoding.repetition_penalty is 1e-39"},
          {[=](Options& o) { o.set_repetition_penalty(nan); },
           "decoding.repetition_penalty is nan"},
          {[](Options& o) { o.set_no_repeat_ngram_size(-1); },
           "decoding.no_repeat_ngram_size is -1"},
          {[](Options& o) { o.set_temperature(-0.5f); },
           "decoding.temperature is -0.5"},
          {[=](Options& o) { o.set_temperature(nan); },
           "decoding.temperature is nan"},
          {[](Options& o) { o.set_top_k(-1); }, "decoding.top_k is -1"},
          {[](Options& o) { o.set_top_p(0); }, "decoding.top_p is 0"},
          {[](Options& o) { o.set_top_p(1.5f); }, "decoding.top_p is 1.5"},
          {[=](Options& o) { o.set_top_p(nan); }, "decoding.top_p is nan"},
          {[](Options& o) { o.add_stop(std::string("")); },
           "decoding.stop[0] has 0 bytes"},
          {[](Options& o) { o.add_stop(std::string(257, 'a')); },
           "decoding.stop[0] has 257 bytes; this server allows 1..256"},
          {[](Options& o) {
             for (int i = 0; i < 9; ++i) o.add_stop(std::string("a"));
           },
           "decoding.stop has 9 sequences; this server allows 0..8"},
          {[](Options& o) { o.mutable_target_prefix()->add_ids(-1); },
           "decoding.target_prefix.ids[0] is -1; the vocabulary is 0..8063"},
          {[](Options& o) {
             o.set_max_new_tokens(2);
             for (int i = 0; i < 2; ++i) o.mutable_target_prefix()->add_ids(5);
           },
           "decoding.target_prefix has 2 tokens; with max_new_tokens 2"},
          {[](Options& o) {
             o.add_suppressed_tokens(5);
             o.add_suppressed_tokens(kVocabSize);
           },
           "decoding.suppressed_tokens[1] is 8064"},
          {[](Options& o) {
             for (int i = 0; i < kVocabSize; ++i) o.add_suppressed_tokens(i);
           },
           "decoding.suppressed_tokens has the whole vocabulary"},
          {[](Options& o) { o.set_forced_bos_token_id(-2); },
           "decoding.forced_bos_token_id is -2; this server allows -1..8063"},
          {[](Options& o) { o.set_forced_bos_token_id(kVocabSize); },
           "decoding.forced_bos_token_id is 8064"},
          {[](Options& o) { o.set_forced_eos_token_id(-2); },
           "decoding.forced_eos_token_id is -2; this server allows -1..8063"},
          {[](Options& o) { o.set_forced_eos_token_id(kVocabSize); },
           "decoding.forced_eos_token_id is 8064"},
      };
  for (const auto& [spoil, message] : cases) {
    v1::GenerateRequest request = TokensOf({5});
    spoil(*request.mutable_decoding());
    ExpectRefused(request, absl::StatusCode::kInvalidArgument, message);
  }
}

TEST_F(RequestReaderTest, ATasksBeamsAreTheDefault) {
  ServedModel model = model_;
  model.tasks = TasksOf("");
  const RequestReader reader(model, Limits());
  const auto prepared = reader.Read(TranslateOf("Hello."), IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const SamplingParams& sampling = prepared->request.sampling;
  EXPECT_EQ(sampling.beam_size, 4);
  EXPECT_EQ(sampling.num_hypotheses, 1);
  EXPECT_EQ(sampling.length_penalty, 2.0f);
  EXPECT_EQ(sampling.search_end, SearchEnd::kImmediately);
  EXPECT_EQ(sampling.no_repeat_ngram_size, 3);
  EXPECT_EQ(sampling.min_new_tokens, 4);   // without the start token
  EXPECT_EQ(sampling.max_new_tokens, 29);  // the same
}

TEST_F(RequestReaderTest,
       ARequestForBeamsOrSamplingOverridesADefaultOfTheOther) {
  ServedModel model = model_;
  model.tasks = TasksOf(R"({"do_sample": true, "temperature": 0.7})");
  const RequestReader reader(model, Limits());
  v1::TranslateRequest sampled = TranslateOf("Hello.");
  sampled.mutable_decoding()->set_temperature(0.9f);
  const auto one = reader.Read(sampled, IsWanted);
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->request.sampling.beam_size, 1);
  EXPECT_EQ(one->request.sampling.temperature, 0.9f);
  v1::GenerateRequest beams = TokensOf({5});
  beams.mutable_decoding()->set_beam_size(2);
  const auto two = reader.Read(beams, IsWanted);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->request.sampling.beam_size, 2);
  EXPECT_EQ(two->request.sampling.temperature, 0);
  // If both are defaults, beams win.
  const auto both = reader.Read(TranslateOf("Hello."), IsWanted);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->request.sampling.beam_size, 4);
  EXPECT_EQ(both->request.sampling.temperature, 0);
}

TEST_F(RequestReaderTest,
       TheLoopGuardIsOnForTextsAndOffForGenerateUnlessAskedFor) {
  v1::SummarizeRequest summarize;
  summarize.set_text("Hello.");
  v1::GenerateRequest asked = TokensOf({5});
  asked.mutable_decoding()->set_loop_guard(true);
  v1::TranslateRequest declined = TranslateOf("Hello.");
  declined.mutable_decoding()->set_loop_guard(false);
  const auto has_guard = [&](const auto& request) {
    const auto prepared = reader_.Read(request, IsWanted);
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    return prepared.ok() && prepared->request.sampling.has_loop_guard;
  };
  EXPECT_TRUE(has_guard(TranslateOf("Hello.")));
  EXPECT_TRUE(has_guard(summarize));
  EXPECT_FALSE(has_guard(TokensOf({5})));
  EXPECT_TRUE(has_guard(asked));
  EXPECT_FALSE(has_guard(declined));
}

}  // namespace
}  // namespace sheaf
