#include "text/stop_sequences.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/stream_detokenizer.h"

namespace sheaf {
namespace {

// Of a character that a tail may begin within.
constexpr size_t kMaxCharacterBytes = 4;

bool BeginsVisibly(const Tokenizer::Token& token) {
  return token.kind == Tokenizer::Token::Kind::kText &&
         token.text.find_first_not_of(' ') != std::string::npos;
}

}  // namespace

StopSequences::StopSequences(const Tokenizer* tokenizer,
                             std::vector<std::string> stops)
    : tokenizer_(tokenizer), stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    longest_bytes_ = std::max(longest_bytes_, stop.size());
  }
}

absl::Span<const int32_t> StopSequences::Tail(
    absl::Span<const int32_t> tokens) const {
  size_t num_bytes = 0, begin = tokens.size();
  while (begin > 0) {
    const Tokenizer::Token& token = tokenizer_->token(tokens[begin - 1]);
    const bool reaches_back = num_bytes >= longest_bytes_ + kMaxCharacterBytes;
    --begin;
    if (reaches_back && BeginsVisibly(token)) break;
    num_bytes +=
        token.kind == Tokenizer::Token::Kind::kByte ? 1 : token.text.size();
  }
  return tokens.subspan(begin);
}

bool StopSequences::IsStopped(absl::Span<const int32_t> tokens) const {
  if (stops_.empty()) return false;
  StreamDetokenizer detokenizer(*tokenizer_);
  std::string text = detokenizer.Append(Tail(tokens));
  absl::StrAppend(&text, detokenizer.held_space());
  return std::any_of(
      stops_.begin(), stops_.end(),
      [&](const std::string& stop) { return absl::StrContains(text, stop); });
}

}  // namespace sheaf
