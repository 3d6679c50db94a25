// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/request_reader.h"

namespace sheaf {

inline constexpr int32_t kVocabSize = 8064;
inline constexpr int32_t kMaxNewTokens = 1024;
inline constexpr int32_t kMaxSourceTokens = 128;

inline ServedModel LoadModel(
    const std::shared_ptr<const Tokenizer>& tokenizer) {
  ServedModel model;
  model.name = "sheaf-small";
  model.tokenizers.source = tokenizer;
  model.tokenizers.target = tokenizer;
  const absl::StatusOr<ConfigFiles> files =
      ReadConfigFiles(SHEAF_MODELS_DIR "/sheaf-small");
  EXPECT_TRUE(files.ok()) << files.status();
  model.text_family = FindTextFamily(*files).value();
  model.tasks = ReadModelTasks(*files).value();
  model.max_source_tokens = kMaxSourceTokens;
  model.source_vocab_size = kVocabSize;
  model.vocab_size = kVocabSize;
  return model;
}

inline std::shared_ptr<const Tokenizer> SmallTokenizer() {
  static const auto* const tokenizer = new std::shared_ptr<const Tokenizer>(
      Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small", kVocabSize).value());
  return *tokenizer;
}

inline RequestLimits Limits() {
  RequestLimits limits;
  limits.max_new_tokens = kMaxNewTokens;
  limits.max_text_bytes = 1000;
  return limits;
}

inline bool IsWanted() { return true; }

class RequestReaderTest : public testing::Test {
 protected:
  template <typename Request>
  void ExpectRefused(const Request& request, absl::StatusCode code,
                     const std::string& message) {
    const absl::Status status = reader_.Read(request, IsWanted).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(message));
  }

  const ServedModel model_ = LoadModel(SmallTokenizer());
  const RequestReader reader_{model_, Limits()};
};

inline v1::TranslateRequest TranslateOf(const std::string& text) {
  v1::TranslateRequest request;
  request.set_text(text);
  request.set_source_language("en");
  request.set_target_language("de");
  return request;
}

inline v1::GenerateRequest TokensOf(const std::vector<int32_t>& ids) {
  v1::GenerateRequest request;
  request.mutable_tokens()->mutable_ids()->Assign(ids.begin(), ids.end());
  return request;
}

}  // namespace sheaf
