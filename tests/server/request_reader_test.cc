// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/request_reader_fixture.h"
#include "text/text_encoder.h"

namespace sheaf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(RequestReaderTest, ASentenceIsPromptTextAndEndToken) {
  const auto prepared = reader_.Read(TranslateOf("Hello. Good day."), IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  ASSERT_EQ(prepared->request.segments.size(), 2u);
  std::vector<int32_t> expected =
      SmallTokenizer()->Encode("translate English to German: Hello.");
  expected.push_back(SmallTokenizer()->eos_id());
  EXPECT_EQ(prepared->request.segments[0], expected);
  EXPECT_EQ(prepared->plan.gaps, Gaps({"", " ", ""}));
  EXPECT_EQ(prepared->plan.num_segments, 2);
}

TEST_F(RequestReaderTest, LineBreaksAreReadAsTheRequestSays) {
  v1::TranslateRequest request = TranslateOf("Good\nday.");
  const auto num_segments = [&](v1::LineBreaks line_breaks) {
    request.set_line_breaks(line_breaks);
    const auto prepared = reader_.Read(request, IsWanted);
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    return prepared.ok() ? prepared->plan.num_segments : 0;
  };
  EXPECT_EQ(num_segments(v1::LINE_BREAKS_UNSPECIFIED), 2);
  EXPECT_EQ(num_segments(v1::LINE_BREAKS_KEEP), 2);
  EXPECT_EQ(num_segments(v1::LINE_BREAKS_PARAGRAPHS), 1);
  request.set_line_breaks(static_cast<v1::LineBreaks>(7));
  ExpectRefused(request, absl::StatusCode::kInvalidArgument,
                "line_breaks is 7; this server allows 0..2");
}

TEST_F(RequestReaderTest,
       WithoutALineBreakSettingAWrappedSentenceIsOneSegment) {
  const auto prepared =
      reader_.Read(TranslateOf("The river that runs through our\n"
                               "town was so low last summer that\n"
                               "we could walk across it."),
                   IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->plan.num_segments, 1);
}

TEST_F(RequestReaderTest, MarksWithoutLettersAreReturnedAndNotRun) {
  const std::string dashes(900, '-');
  const auto prepared = reader_.Read(TranslateOf("Hello. " + dashes), IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->plan.num_segments, 1);
  EXPECT_EQ(prepared->plan.gaps, Gaps({"", " " + dashes}));
}

TEST_F(RequestReaderTest, TokensAreUsedAsGiven) {
  const auto prepared = reader_.Read(TokensOf({5, 6, 7}), IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_THAT(prepared->request.segments, ElementsAre(ElementsAre(5, 6, 7)));
}

// Counts the texts that another encoder encodes, except for empty ones.
class CountingEncoder : public TextEncoder {
 public:
  struct Counts {
    int64_t calls = 0;
    int64_t bytes = 0;  // without the prompts
  };

  CountingEncoder(Tokenizer::EncoderPtr encoder, Counts* counts)
      : encoder_(std::move(encoder)), counts_(counts) {}

  std::vector<int32_t> Encode(absl::string_view prompt, absl::string_view text,
                              SpecialTokens allowed) const override {
    counts_->calls += text.empty() ? 0 : 1;
    counts_->bytes += static_cast<int64_t>(text.size());
    return encoder_->Encode(prompt, text, allowed);
  }

 private:
  const Tokenizer::EncoderPtr encoder_;
  Counts* const counts_;
};

class EncodeCountTest : public testing::Test {
 protected:
  CountingEncoder::Counts counts_;
  const std::shared_ptr<const Tokenizer> tokenizer_ =
      Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small", kVocabSize,
                      [this](Tokenizer::EncoderPtr encoder) {
                        return std::make_unique<const CountingEncoder>(
                            std::move(encoder), &counts_);
                      })
          .value();
  const RequestReader reader_{LoadModel(tokenizer_), RequestLimits()};
};

TEST_F(EncodeCountTest, EveryByteOfSentencesIsEncodedOnce) {
  const std::string sentence = "The river was so low that we walked across it.";
  std::string text;
  for (int i = 0; i < 500; ++i) absl::StrAppend(&text, sentence, "  \n");
  const auto prepared = reader_.Read(TranslateOf(text), IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->request.segments.size(), 500u);
  EXPECT_EQ(counts_.calls, 500);
  EXPECT_EQ(counts_.bytes, 500 * static_cast<int64_t>(sentence.size()));
}

TEST_F(EncodeCountTest, ATextThatFitsInOneSourceIsEncodedOnce) {
  const std::string text = "The river was low. We walked across it.";
  v1::SummarizeRequest summarize;
  summarize.set_text(text);
  v1::GenerateRequest generate;
  generate.set_text(text);
  ASSERT_TRUE(reader_.Read(summarize, IsWanted).ok());
  EXPECT_EQ(counts_.calls, 1);
  ASSERT_TRUE(reader_.Read(generate, IsWanted).ok());
  EXPECT_EQ(counts_.calls, 2);
  EXPECT_EQ(counts_.bytes, 2 * static_cast<int64_t>(text.size()));
}

// The length of the whole, each sentence for its length, and each part.
TEST_F(EncodeCountTest, ALongTextToSummarizeIsEncodedThreeTimes) {
  const std::string sentence = "The river was so low that we walked across it.";
  std::string text = sentence;
  for (int i = 1; i < 40; ++i) absl::StrAppend(&text, " ", sentence);
  v1::SummarizeRequest request;
  request.set_text(text);
  const auto prepared = reader_.Read(request, IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(counts_.calls,
            1 + 40 + static_cast<int64_t>(prepared->request.segments.size()));
  EXPECT_LE(counts_.bytes, 3 * static_cast<int64_t>(text.size()));
}

// Uses the tokenizer of text-end-to-end, in which <extra_id_0> is 599 and the
// end is 1.
TEST_F(RequestReaderTest, SentinelsAreTokensInGenerateAndInPromptsAlone) {
  constexpr int32_t kSentinel = 599;
  auto tokenizer = Tokenizer::Load(SHEAF_TESTDATA_DIR "/text-end-to-end",
                                   /*vocab_size=*/640);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  ServedModel model = LoadModel(*std::move(tokenizer));
  v1::GenerateRequest request;
  request.set_text("<extra_id_0></s>");
  const auto generate = RequestReader(model, {}).Read(request, IsWanted);
  ASSERT_TRUE(generate.ok()) << generate.status();
  const absl::Span<const int32_t> source = generate->request.segments[0];
  EXPECT_EQ(source[0], kSentinel);
  EXPECT_THAT(source, Contains(1).Times(1));

  for (Task& task : model.tasks.tasks) task.prefix = "the <extra_id_0> ";
  v1::TranslateRequest translation = TranslateOf("<extra_id_0>");
  translation.set_protect_spans(false);  // it would be copied
  const auto translate = RequestReader(model, {}).Read(translation, IsWanted);
  ASSERT_TRUE(translate.ok()) << translate.status();
  EXPECT_THAT(translate->request.segments[0], Contains(kSentinel).Times(1));
  EXPECT_EQ(translate->request.segments[0][1], kSentinel);
}

TEST_F(RequestReaderTest, ATextThatGrowsOverTheLimitIsRefused) {
  // U+FDFA becomes eighteen characters, of 33 bytes.
  std::string text;
  for (int64_t bytes = 0; bytes + 3 <= Limits().max_text_bytes; bytes += 3) {
    text += "\xEF\xB7\xBA";
  }
  const absl::Status status =
      reader_.Read(TranslateOf(text), IsWanted).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("text has ", text.size() / 3 * 33,
                                     " bytes once it is normalized")));
}

TEST_F(RequestReaderTest, TokensAreCountedAndInTheVocabulary) {
  using absl::StatusCode;
  ExpectRefused(v1::GenerateRequest(), StatusCode::kInvalidArgument,
                "neither text nor tokens is set");
  ExpectRefused(TokensOf({}), StatusCode::kInvalidArgument,
                "tokens.ids has 0 tokens; this model takes 1..128");
  ExpectRefused(TokensOf(std::vector<int32_t>(129, 5)),
                StatusCode::kInvalidArgument, "tokens.ids has 129 tokens");
  ExpectRefused(TokensOf({5, kVocabSize}), StatusCode::kInvalidArgument,
                "tokens.ids[1] is 8064; the vocabulary is 0..8063");
  ExpectRefused(TokensOf({-1}), StatusCode::kInvalidArgument,
                "tokens.ids[0] is -1");
}

TEST_F(RequestReaderTest, ATextForGenerateFitsInOneSource) {
  v1::GenerateRequest request;
  request.set_text("");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "text is empty");
  for (int i = 0; i < 200; ++i) request.mutable_text()->append("one ");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument,
                "tokens, the end token included; this model takes 1..128");
}

TEST_F(RequestReaderTest, TextsHaveALength) {
  ExpectRefused(TranslateOf(""), absl::StatusCode::kInvalidArgument,
                "text is empty");
  ExpectRefused(TranslateOf(std::string(1001, 'a')),
                absl::StatusCode::kInvalidArgument,
                "text has 1001 bytes; this server allows 1..1000");
  v1::SummarizeRequest summarize;
  ExpectRefused(summarize, absl::StatusCode::kInvalidArgument, "text is empty");
}

TEST_F(RequestReaderTest, WhiteSpaceHasNoSegments) {
  const auto prepared = reader_.Read(TranslateOf(" \n "), IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_THAT(prepared->request.segments, IsEmpty());
  EXPECT_EQ(prepared->plan.gaps, Gaps({" \n "}));
}

TEST_F(RequestReaderTest, ASummaryOfALongTextHasPartsThatFit) {
  v1::SummarizeRequest request;
  for (int i = 0; i < 40; ++i) {
    request.mutable_text()->append("This is one more. ");
  }
  const auto prepared = reader_.Read(request, IsWanted);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_GT(prepared->request.segments.size(), 1u);
  for (absl::Span<const int32_t> source : prepared->request.segments) {
    EXPECT_LE(source.size(), static_cast<size_t>(kMaxSourceTokens));
  }
}

TEST_F(RequestReaderTest, ATextThatIsNotWantedIsGivenUp) {
  int num_asked = 0;
  const auto is_wanted = [&] { return ++num_asked < 5; };
  std::string text;
  for (int i = 0; i < 100; ++i) text.append("One more. ");
  const auto translate = reader_.Read(TranslateOf(text), is_wanted);
  EXPECT_EQ(translate.status().code(), absl::StatusCode::kCancelled);
  num_asked = 0;
  v1::SummarizeRequest summarize;
  summarize.set_text(text);
  const auto summary = reader_.Read(summarize, is_wanted);
  EXPECT_EQ(summary.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(RequestReaderTest, AnotherModelIsNotFound) {
  v1::TranslateRequest request = TranslateOf("Hello.");
  request.set_model("t5-large");
  ExpectRefused(request, absl::StatusCode::kNotFound,
                "model is \"t5-large\"; this server serves \"sheaf-small\"");
  request.set_model("sheaf-small");
  EXPECT_TRUE(reader_.Read(request, IsWanted).ok());
}

TEST_F(RequestReaderTest, WithoutATaskThereIsNoSummary) {
  ServedModel model = LoadModel(SmallTokenizer());
  model.tasks.tasks.clear();
  const RequestReader reader(model, Limits());
  v1::SummarizeRequest request;
  request.set_text("Hello.");
  EXPECT_EQ(reader.Read(request, IsWanted).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST_F(RequestReaderTest, WithoutATokenizerOnlyTokensAreServed) {
  const RequestReader reader(LoadModel(/*tokenizer=*/nullptr), Limits());
  EXPECT_TRUE(reader.Read(TokensOf({5}), IsWanted).ok());
  EXPECT_EQ(reader.Read(TranslateOf("Hello."), IsWanted).status().code(),
            absl::StatusCode::kFailedPrecondition);
  v1::GenerateRequest request = TokensOf({5});
  request.mutable_decoding()->add_stop(std::string("a"));
  EXPECT_EQ(reader.Read(request, IsWanted).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(RequestReaderTest, SourcesTooShortForATasksPromptAreRefusedAtStart) {
  ServedModel model = LoadModel(SmallTokenizer());
  EXPECT_TRUE(CheckTasks(model).ok());
  model.max_source_tokens = 16;
  EXPECT_EQ(CheckTasks(model).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sheaf
