// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/infer_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "server/field_error.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InferParametersTest : public testing::Test {
 protected:
  absl::Status Set() {
    request_.Clear();
    return SetOptions(parameters_, {"task"}, &request_);
  }
  // The message of the refusal, which names the parameter.
  std::string Refusal(const std::string& name) {
    const absl::Status status = Set();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(FieldOf(status), "parameters[\"" + name + "\"]");
    parameters_.clear();
    return std::string(status.message());
  }

  InferParameters parameters_;
  v1::TranslateRequest request_;
};

TEST_F(InferParametersTest, ParametersAreOptionsOfTheSameNames) {
  parameters_["task"].set_string_param("translate");
  parameters_["beam_size"].set_int64_param(4);
  parameters_["max_new_tokens"].set_uint64_param(7);
  parameters_["length_penalty"].set_double_param(0.5);
  parameters_["temperature"].set_int64_param(1);
  parameters_["early_stopping"].set_bool_param(true);
  parameters_["seed"].set_int64_param(3);
  parameters_["stop"].set_string_param("END");
  parameters_["line_breaks"].set_string_param("paragraphs");
  parameters_["copy_target_language"].set_bool_param(true);
  parameters_["format"].set_string_param("html");
  parameters_["glossary"].set_string_param("medical");
  parameters_["protect_spans"].set_bool_param(false);
  ASSERT_TRUE(Set().ok()) << Set();
  const v1::DecodingOptions& decoding = request_.decoding();
  EXPECT_EQ(decoding.beam_size(), 4);
  EXPECT_EQ(decoding.max_new_tokens(), 7);
  EXPECT_EQ(decoding.length_penalty(), 0.5f);
  EXPECT_EQ(decoding.temperature(), 1.0f);
  EXPECT_TRUE(decoding.early_stopping());
  EXPECT_EQ(decoding.seed(), 3u);
  EXPECT_THAT(decoding.stop(), ElementsAre("END"));
  EXPECT_FALSE(decoding.has_top_k());
  EXPECT_EQ(request_.line_breaks(), v1::LINE_BREAKS_PARAGRAPHS);
  EXPECT_TRUE(request_.copy_target_language());
  EXPECT_EQ(request_.format(), v1::TEXT_FORMAT_HTML);
  EXPECT_EQ(request_.glossary(), "medical");
  EXPECT_TRUE(request_.has_protect_spans());
  EXPECT_FALSE(request_.has_repair());
}

TEST_F(InferParametersTest, AnythingElseIsRefusedByItsName) {
  for (const char* name :
       {"beamsize", "text", "model", "decoding", "source_language",
        "target_prefix", "suppressed_tokens", "markup", "return_segments",
        "timeout", "priority", "sequence_id", ""}) {
    parameters_[name].set_int64_param(1);
    EXPECT_THAT(Refusal(name),
                HasSubstr("is not an option of TranslateRequest"));
  }
}

TEST_F(InferParametersTest, OptionsOfAnotherTaskAreRefused) {
  parameters_["line_breaks"].set_string_param("keep");
  v1::SummarizeRequest request;
  EXPECT_THAT(
      std::string(SetOptions(parameters_, {"task"}, &request).message()),
      HasSubstr("is not an option of SummarizeRequest"));
}

TEST_F(InferParametersTest, ValuesOfAnotherTypeAreRefused) {
  parameters_["beam_size"].set_string_param("4");
  EXPECT_THAT(Refusal("beam_size"), HasSubstr("is a string; this server "
                                              "allows an integer"));
  parameters_["beam_size"].set_double_param(4);
  EXPECT_THAT(Refusal("beam_size"), HasSubstr("is a double"));
  parameters_["beam_size"].set_bool_param(true);
  EXPECT_THAT(Refusal("beam_size"), HasSubstr("is a bool"));
  parameters_["beam_size"];
  EXPECT_THAT(Refusal("beam_size"), HasSubstr("is not set"));
  parameters_["early_stopping"].set_int64_param(1);
  EXPECT_THAT(Refusal("early_stopping"), HasSubstr("allows a bool"));
  parameters_["top_p"].set_string_param("0.5");
  EXPECT_THAT(Refusal("top_p"), HasSubstr("allows a number"));
  parameters_["stop"].set_int64_param(1);
  EXPECT_THAT(Refusal("stop"), HasSubstr("allows a string"));
  parameters_["line_breaks"].set_int64_param(1);
  EXPECT_THAT(Refusal("line_breaks"), HasSubstr("allows keep, paragraphs"));
  parameters_["line_breaks"].set_string_param("unspecified\n");
  EXPECT_THAT(Refusal("line_breaks"), HasSubstr("is \"unspecified\\n\"; this "
                                                "server allows keep"));
}

TEST_F(InferParametersTest, IntegersThatDoNotFitAreRefused) {
  parameters_["max_new_tokens"].set_int64_param(int64_t{1} << 32);
  EXPECT_THAT(Refusal("max_new_tokens"),
              HasSubstr("is 4294967296; its type allows "
                        "-2147483648..2147483647"));
  parameters_["max_new_tokens"].set_int64_param(
      std::numeric_limits<int64_t>::min());
  EXPECT_THAT(Refusal("max_new_tokens"), HasSubstr("-9223372036854775808"));
  parameters_["max_new_tokens"].set_uint64_param(
      std::numeric_limits<uint64_t>::max());
  EXPECT_THAT(Refusal("max_new_tokens"), HasSubstr("18446744073709551615"));
  parameters_["seed"].set_int64_param(-1);
  EXPECT_THAT(Refusal("seed"), HasSubstr("is -1"));
  parameters_["seed"].set_uint64_param(std::numeric_limits<uint64_t>::max());
  ASSERT_TRUE(Set().ok());
  EXPECT_EQ(request_.decoding().seed(), std::numeric_limits<uint64_t>::max());
}

// The reader of requests says that these are in no range.
TEST_F(InferParametersTest, NumbersThatAFloatCannotHoldAreInfinite) {
  parameters_["top_p"].set_double_param(1e300);
  ASSERT_TRUE(Set().ok());
  EXPECT_EQ(request_.decoding().top_p(),
            std::numeric_limits<float>::infinity());
  parameters_["top_p"].set_double_param(-1e300);
  ASSERT_TRUE(Set().ok());
  EXPECT_EQ(request_.decoding().top_p(),
            -std::numeric_limits<float>::infinity());
  parameters_["top_p"].set_double_param(std::nan(""));
  ASSERT_TRUE(Set().ok());
  EXPECT_TRUE(std::isnan(request_.decoding().top_p()));
}

TEST_F(InferParametersTest, TheTaskIsAString) {
  EXPECT_EQ(*StringParameter(parameters_, "task", "none"), "none");
  parameters_["task"].set_string_param("generate");
  EXPECT_EQ(*StringParameter(parameters_, "task", "none"), "generate");
  parameters_["task"].set_bool_param(true);
  EXPECT_EQ(FieldOf(StringParameter(parameters_, "task", "none").status()),
            "parameters[\"task\"]");
}

}  // namespace
}  // namespace sheaf
