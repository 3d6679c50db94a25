// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/kv_block_pool.h"
#include "server/served_model.h"
#include "tests/support/fake_model_runner.h"
#include "text/tasks.h"

namespace sheaf {

// The ids of sheaf-small's vocabulary that are the bytes of `text`. The model
// below answers with them. REQUIRES: ASCII from ' ' to '_'.
inline std::vector<int32_t> ByteTokens(const std::string& text) {
  std::vector<int32_t> ids;
  for (char c : text) ids.push_back(3 + c);
  return ids;
}

// A source that begins with this makes the model continue without end.
inline constexpr int32_t kEndlessToken = 99;

// The rule of the tests' model: repeats its source, with one printable
// character per token.
inline int32_t SayAgain(const std::vector<int32_t>& source,
                        int32_t num_tokens) {
  constexpr int32_t kFirst = 3 + 'A', kNumLetters = 26;
  const size_t i = num_tokens - 1;
  if (source[0] == kEndlessToken) return kFirst + num_tokens % kNumLetters;
  if (i >= source.size()) return FakeModelRunner::kEos;
  const int32_t id = source[i];
  const bool is_printable = id >= 3 + ' ' && id <= 3 + '_';
  return id <= 1 || is_printable ? id : kFirst + id % kNumLetters;
}

// The model of a server in tests: the tokenizer and the tasks of sheaf-small,
// with a runner that follows SayAgain().
class FakeModel {
 public:
  static constexpr int32_t kNumBlocks = 256;
  static constexpr int32_t kMaxSourceTokens = 96;

  FakeModel() {
    // It attends to the token that its input repeats.
    runner.attend = [](const std::vector<int32_t>&,
                       const std::vector<int32_t>& tokens) {
      return static_cast<int32_t>(tokens.size()) - 2;
    };
    const std::string dir = SHEAF_MODELS_DIR "/sheaf-small";
    const absl::StatusOr<ConfigFiles> files = ReadConfigFiles(dir);
    if (!files.ok()) ADD_FAILURE() << files.status();
    served.text_family = FindTextFamily(*files).value();
    absl::StatusOr<Tokenizers> tokenizers = served.text_family->load(
        *files, /*source_vocab_size=*/8064, /*target_vocab_size=*/8064);
    if (!tokenizers.ok()) ADD_FAILURE() << tokenizers.status();
    served.tokenizers = *std::move(tokenizers);
    served.tasks = ReadModelTasks(*files).value();
    served.name = "fake";
    served.max_source_tokens = kMaxSourceTokens;
    served.source_vocab_size = FakeModelRunner::kVocabSize;
    served.vocab_size = FakeModelRunner::kVocabSize;
  }

  static KvPoolShape KvShape() {
    return {.num_blocks = kNumBlocks,
            .block_bytes = 1024,
            .self_block_tokens = 16,
            .cross_block_tokens = 16};
  }

  ServedModel served;
  FakeModelRunner runner{kNumBlocks, SayAgain};
};

}  // namespace sheaf
