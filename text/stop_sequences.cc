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

// Whether this token can begin the end of a longer text: it is not white space
// and does not continue a character, or bytes that are read as a whole.
bool BeginsVisibly(const Tokenizer& tokenizer, const Tokenizer::Token& token) {
  if (tokenizer.broken_bytes() == Tokenizer::BrokenBytes::kSpoilRun &&
      token.kind == Tokenizer::Token::Kind::kBytes) {
    return false;
  }
  return token.text.find_first_not_of(' ') != std::string::npos &&
         (static_cast<uint8_t>(token.text[0]) & 0xC0) != 0x80;
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
                                              size_t num_bytes) const {
  size_t begin = tokens.size();
  for (size_t bytes = 0; begin > 0;) {
    const Tokenizer::Token& token = tokenizer_.token(tokens[--begin]);
    bytes += token.text.size();
    if (bytes >= num_bytes && BeginsVisibly(tokenizer_, token)) break;
  }
  return tokens.subspan(begin);
}

bool StopSequences::IsMet(absl::Span<const int32_t> tokens,
                          int32_t next) const {
  // Some tokens have less text than bytes, such as broken characters.
  for (size_t num_bytes = longest_bytes_;; num_bytes *= 2) {
    const absl::Span<const int32_t> tail = Tail(tokens, num_bytes);
    StreamDetokenizer detokenizer(tokenizer_);
    std::string text = detokenizer.Append(tail);
    if (text.size() < longest_bytes_ && tail.size() < tokens.size()) continue;
    text += detokenizer.Append(next);
    absl::StrAppend(&text, detokenizer.HeldText());
    return std::any_of(
        stops_.begin(), stops_.end(),
        [&](const std::string& stop) { return absl::StrContains(text, stop); });
  }
}

}  // namespace sheaf
