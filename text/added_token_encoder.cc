// SPDX-License-Identifier: Apache-2.0

#include "text/added_token_encoder.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "text/charsmap.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// The added tokens that are found in normalized texts, or those that are not.
AddedTokenSplitter MakeSplitter(const std::vector<AddedToken>& tokens,
                                const TextPreparation* normalization) {
  std::vector<const AddedToken*> chosen;
  std::vector<std::string> patterns;
  absl::flat_hash_set<std::string> seen;
  for (const AddedToken& token : tokens) {
    if (token.is_normalized != (normalization != nullptr)) continue;
    std::string pattern = normalization == nullptr
                              ? token.text
                              : Normalize(*normalization, token.text);
    if (!seen.insert(pattern).second) continue;
    chosen.push_back(&token);
    patterns.push_back(std::move(pattern));
  }
  return AddedTokenSplitter(
      std::move(chosen),
      std::vector<absl::string_view>(patterns.begin(), patterns.end()));
}

}  // namespace

// Encodes one text: the tokens that each part of it may yield, and the ids so
// far.
class AddedTokenEncoder::Encoding {
 public:
  // The first `prompt_size` bytes of `text` may yield all tokens.
  Encoding(const AddedTokenEncoder& encoder, absl::string_view text,
           size_t prompt_size, SpecialTokens allowed)
      : encoder_(encoder), allowed_(allowed) {
    if (encoder_.splitter_.is_empty()) {
      AddSegment(text, prompt_size, /*is_first=*/true);
      return;
    }
    for (const TextPart& part :
         encoder_.splitter_.Split(text, prompt_size, allowed)) {
      const size_t begin = part.text.data() - text.data();
      if (part.token != nullptr) {
        ids_.push_back(part.token->id);
      } else {
        AddSegment(part.text, prompt_size - std::min(begin, prompt_size),
                   begin == 0);
      }
    }
  }

  std::vector<int32_t> TakeIds() { return std::move(ids_); }

 private:
  // Adds text that has no added tokens of splitter_.
  void AddSegment(absl::string_view text, size_t prompt_size, bool is_first) {
    if (!encoder_.receives_normalized_ &&
        encoder_.normalized_splitter_.is_empty()) {
      AddText(text, is_first);
      return;
    }
    const TextPreparation& preparation = encoder_.preparation_;
    const std::string normalized = Normalize(preparation, text);
    prompt_size = std::min(prompt_size, text.size());
    const size_t normalized_prompt_size =
        prompt_size == text.size()
            ? normalized.size()
            : Normalize(preparation, text.substr(0, prompt_size)).size();
    const std::vector<TextPart> parts = encoder_.normalized_splitter_.Split(
        normalized, normalized_prompt_size, allowed_);
    if (!encoder_.receives_normalized_ && parts.size() == 1 &&
        parts[0].token == nullptr) {
      AddText(text, is_first);
      return;
    }
    for (const TextPart& part : parts) {
      if (part.token != nullptr) {
        ids_.push_back(part.token->id);
        continue;
      }
      AddText(part.text, is_first && part.text.data() == normalized.data());
    }
  }

  void AddText(absl::string_view text, bool is_first) {
    if (!text.empty()) encoder_.AppendText(text, is_first, allowed_, ids_);
  }

  const AddedTokenEncoder& encoder_;
  const SpecialTokens allowed_;
  std::vector<int32_t> ids_;
};

AddedTokenEncoder::AddedTokenEncoder(std::vector<AddedToken> added_tokens,
                                     TextPreparation preparation,
                                     bool receives_normalized)
    : preparation_(std::move(preparation)),
      receives_normalized_(receives_normalized),
      added_tokens_(std::move(added_tokens)),
      splitter_(MakeSplitter(added_tokens_, nullptr)),
      normalized_splitter_(MakeSplitter(added_tokens_, &preparation_)) {}

std::vector<int32_t> AddedTokenEncoder::Encode(absl::string_view prompt,
                                               absl::string_view text,
                                               SpecialTokens allowed) const {
  if (!IsValidUtf8(prompt) || !IsValidUtf8(text)) {
    return Encode(ApplyCharsMap(/*charsmap=*/"", prompt),
                  ApplyCharsMap(/*charsmap=*/"", text), allowed);
  }
  if (prompt.empty()) {
    return Encoding(*this, text, /*prompt_size=*/0, allowed).TakeIds();
  }
  return Encoding(*this, absl::StrCat(prompt, text), prompt.size(), allowed)
      .TakeIds();
}

}  // namespace sheaf
