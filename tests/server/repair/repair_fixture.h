// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/repair/segment_repair.h"
#include "text/tokenizer.h"

namespace sheaf {

// A translation from English to German of one segment, with the tokenizer of
// sheaf-small.
class RepairTest : public testing::Test {
 protected:
  static constexpr int32_t kEndId = 1;

  RepairTest() {
    static const auto* const tokenizer =
        Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small", /*vocab_size=*/8064)
            .value()
            .release();
    plan_.source_tokenizer = tokenizer;
    plan_.target_tokenizer = tokenizer;
    plan_.prompt.after = {kEndId};
    plan_.max_source_tokens = 128;
    plan_.source_language = "en";
    plan_.target_language = "de";
  }

  // Begins with a segment in which `spans` are protected.
  void Begin(const std::string& text,
             const std::vector<std::string>& spans = {}) {
    plan_.text = text;
    segment_.source = {0, text.size()};
    size_t at = 0;
    for (const std::string& span : spans) {
      at = text.find(span, at);
      segment_.spans.push_back({at, at + span.size()});
      at += span.size();
    }
    segment_.kept = segment_.spans;
    repair_.emplace(plan_, segment_);
  }

  RepairPlan plan_;
  SegmentPlan segment_;
  std::optional<SegmentRepair> repair_;
};

}  // namespace sheaf
