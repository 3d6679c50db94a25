// SPDX-License-Identifier: Apache-2.0

#include "text/source_encoder.h"

#include <algorithm>

#include "absl/status/status.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Encoding this many bytes takes a few milliseconds.
constexpr size_t kPieceBytes = 16 << 10;
// A text that is encoded in two parts has at most this many tokens more than
// the whole.
constexpr int64_t kMaxTokensOfCut = 64;

}  // namespace

std::vector<int32_t> EncodeSource(const Tokenizer& tokenizer,
                                  const PromptTemplate& prompt,
                                  absl::string_view text, size_t max_tokens) {
  const size_t surrounding = prompt.before.size() + prompt.after.size();
  std::vector<int32_t> own =
      tokenizer.EncodePrompted(prompt.text_prefix, text, prompt.allowed);
  own.resize(
      std::min(own.size(), max_tokens - std::min(max_tokens, surrounding)));
  std::vector<int32_t> ids = prompt.before;
  ids.insert(ids.end(), own.begin(), own.end());
  ids.insert(ids.end(), prompt.after.begin(), prompt.after.end());
  return ids;
}

SourceEncoder::SourceEncoder(const Tokenizer& tokenizer,
                             const PromptTemplate& prompt, int64_t max_tokens,
                             IsWanted is_wanted)
    : tokenizer_(tokenizer),
      prompt_(prompt),
      max_tokens_(max_tokens),
      is_wanted_(is_wanted) {}

absl::StatusOr<EncodedSource> SourceEncoder::Encode(
    absl::string_view text) const {
  const auto cancelled = [] {
    return absl::CancelledError("the client has left");
  };
  int64_t tokens = 0;
  int64_t num_cuts = 0;
  for (size_t at = 0; text.size() - at > kPieceBytes; ++num_cuts) {
    if (!is_wanted_()) return cancelled();
    const size_t end = CharacterBegin(text, at + kPieceBytes);
    const absl::string_view piece = text.substr(at, end - at);
    tokens +=
        static_cast<int64_t>(tokenizer_.Encode(piece, prompt_.allowed).size());
    at = end;
    if (tokens - num_cuts * kMaxTokensOfCut > max_tokens_) {
      return EncodedSource{
          tokens * static_cast<int64_t>(text.size()) / static_cast<int64_t>(at),
          {}};
    }
  }
  if (!is_wanted_()) return cancelled();
  EncodedSource source;
  source.ids = EncodeSource(tokenizer_, prompt_, text);
  source.num_tokens = static_cast<int64_t>(source.ids.size());
  return source;
}

}  // namespace sheaf
