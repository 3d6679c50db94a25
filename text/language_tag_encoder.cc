// SPDX-License-Identifier: Apache-2.0

#include "text/language_tag_encoder.h"

#include <cstddef>
#include <utility>

#include "absl/strings/match.h"

namespace sheaf {

LanguageTagEncoder::LanguageTagEncoder(
    std::unique_ptr<const TextEncoder> encoder,
    absl::flat_hash_map<std::string, int32_t> tag_ids, int32_t unknown_id)
    : encoder_(std::move(encoder)),
      tag_ids_(std::move(tag_ids)),
      unknown_id_(unknown_id) {}

std::vector<int32_t> LanguageTagEncoder::Encode(absl::string_view prompt,
                                                absl::string_view text,
                                                SpecialTokens allowed) const {
  const bool is_in_prompt = !prompt.empty();
  absl::string_view tag;
  if (is_in_prompt) {
    tag = LanguageTag(prompt);
    prompt.remove_prefix(tag.size());
  } else if (allowed != SpecialTokens::kNone) {
    tag = LanguageTag(text);
    text.remove_prefix(tag.size());
  }
  if (tag.empty()) return encoder_->Encode(prompt, text, allowed);
  const auto id = tag_ids_.find(tag);
  std::vector<int32_t> ids = {id == tag_ids_.end() ? unknown_id_ : id->second};
  const std::vector<int32_t> rest = encoder_->Encode(prompt, text, allowed);
  ids.insert(ids.end(), rest.begin(), rest.end());
  return ids;
}

absl::string_view LanguageTag(absl::string_view text) {
  constexpr absl::string_view kBegin = ">>", kEnd = "<<";
  if (!absl::StartsWith(text, kBegin)) return "";
  const size_t end = text.find(kEnd);
  return end == text.npos ? "" : text.substr(0, end + kEnd.size());
}

}  // namespace sheaf
