// SPDX-License-Identifier: Apache-2.0

#include "text/stop_sequences.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "text/stream_detokenizer.h"

namespace sheaf {
namespace {

// The tail may begin within a character.
constexpr size_t kMaxCharacterBytes = 4;

bool BeginsVisibly(const Tokenizer::Token& token) {
  return token.kind == Tokenizer::Token::Kind::kText &&
         token.text.find_first_not_of(' ') != std::string::npos;
}

}  // namespace

std::shared_ptr<const StopCondition> StopSequences::Make(
    const Tokenizer* tokenizer, std::vector<std::string> stops) {
  if (stops.empty()) return nullptr;
  SHEAF_CHECK(tokenizer != nullptr);
  return std::make_shared<StopSequences>(*tokenizer, std::move(stops));
}

StopSequences::StopSequences(const Tokenizer& tokenizer,
                             std::vector<std::string> stops)
    : tokenizer_(tokenizer), stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    longest_bytes_ = std::max(longest_bytes_, stop.size());
  }
}

absl::Span<const int32_t> StopSequences::Tail(absl::Span<const int32_t> tokens,
                                              int32_t next) const {
  size_t num_bytes = tokenizer_.token(next).text.size();
  size_t begin = tokens.size();
  while (begin > 0) {
    const Tokenizer::Token& token = tokenizer_.token(tokens[begin - 1]);
    const bool reaches_back = num_bytes >= longest_bytes_ + kMaxCharacterBytes;
    --begin;
    if (reaches_back && BeginsVisibly(token)) break;
    num_bytes += token.text.size();
  }
  return tokens.subspan(begin);
}

bool StopSequences::IsMet(absl::Span<const int32_t> tokens,
                          int32_t next) const {
  StreamDetokenizer detokenizer(tokenizer_);
  std::string text = detokenizer.Append(Tail(tokens, next));
  text += detokenizer.Append(next);
  absl::StrAppend(&text, detokenizer.held_space());
  return std::any_of(
      stops_.begin(), stops_.end(),
      [&](const std::string& stop) { return absl::StrContains(text, stop); });
}

}  // namespace sheaf
