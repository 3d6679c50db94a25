// SPDX-License-Identifier: Apache-2.0

#include "client/load_source.h"

#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "base/usage_error.h"
#include "client/flags.h"
#include "client/line_io.h"
#include "client/output.h"

namespace sheaf {
namespace {

constexpr char kDefaultText[] =
    "The house is quiet, and the garden lies in the evening sun.";
constexpr int32_t kMaxSourceTokens = 1 << 20;
// T5's ids before this one are padding, end and unknown.
constexpr int32_t kFirstTextId = 3;
constexpr int32_t kEndId = 1;

absl::Status CheckSourceTokens(int32_t num_source_tokens, int32_t vocab_size) {
  if (num_source_tokens < 0 || num_source_tokens > kMaxSourceTokens) {
    return UsageError(absl::StrCat("--source_tokens is ", num_source_tokens,
                                   "; it must be 1..", kMaxSourceTokens));
  }
  if (num_source_tokens > 0 && absl::GetFlag(FLAGS_task) != "generate") {
    return UsageError("--source_tokens needs --task=generate");
  }
  if (vocab_size <= kFirstTextId) {
    return UsageError(absl::StrCat("--source_vocab_size is ", vocab_size,
                                   "; it must be more than ", kFirstTextId));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> TextsFromFlags() {
  const std::string text = absl::GetFlag(FLAGS_text);
  const std::string path = absl::GetFlag(FLAGS_input);
  if (!text.empty() && !path.empty()) {
    return UsageError("there are --text and --input; give only one of them");
  }
  if (path.empty()) {
    return std::vector<std::string>{text.empty() ? kDefaultText : text};
  }
  absl::StatusOr<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return reader.status();
  std::vector<std::string> texts;
  for (;;) {
    absl::StatusOr<std::optional<std::string>> line = (*reader)->Next();
    if (!line.ok()) return line.status();
    if (!line->has_value()) break;
    if (!IsBlank(**line)) texts.push_back(**std::move(line));
  }
  if (texts.empty()) {
    return UsageError(absl::StrCat("--input=", path, " has no text"));
  }
  return texts;
}

}  // namespace

absl::StatusOr<LoadSource> LoadSource::FromFlags() {
  LoadSource source;
  source.num_source_tokens_ = absl::GetFlag(FLAGS_source_tokens);
  source.vocab_size_ = absl::GetFlag(FLAGS_source_vocab_size);
  absl::Status checked =
      CheckSourceTokens(source.num_source_tokens_, source.vocab_size_);
  if (!checked.ok()) return checked;
  absl::StatusOr<v1::DecodingOptions> decoding = DecodingFromFlags();
  if (!decoding.ok()) return decoding.status();
  source.decoding_ = *std::move(decoding);
  absl::StatusOr<std::vector<std::string>> texts = TextsFromFlags();
  if (!texts.ok()) return texts.status();
  source.texts_ = *std::move(texts);
  source.seed_ = absl::GetFlag(FLAGS_seed).value_or(0);
  source.model_ = absl::GetFlag(FLAGS_model);
  const std::string from = absl::GetFlag(FLAGS_from);
  const std::string to = absl::GetFlag(FLAGS_to);
  source.source_language_ = from.empty() && to.empty() ? "en" : from;
  source.target_language_ = to.empty() ? "de" : to;
  return source;
}

v1::TranslateRequest LoadSource::Translate(int64_t index) const {
  v1::TranslateRequest request;
  request.set_model(model_);
  request.set_text(TextOf(index));
  request.set_source_language(source_language_);
  request.set_target_language(target_language_);
  *request.mutable_decoding() = decoding_;
  return request;
}

v1::SummarizeRequest LoadSource::Summarize(int64_t index) const {
  v1::SummarizeRequest request;
  request.set_model(model_);
  request.set_text(TextOf(index));
  *request.mutable_decoding() = decoding_;
  return request;
}

v1::GenerateRequest LoadSource::Generate(int64_t index) const {
  v1::GenerateRequest request;
  request.set_model(model_);
  *request.mutable_decoding() = decoding_;
  if (num_source_tokens_ == 0) {
    request.set_text(TextOf(index));
    return request;
  }
  std::mt19937_64 random(seed_ + static_cast<uint64_t>(index));
  std::uniform_int_distribution<int32_t> id(kFirstTextId, vocab_size_ - 1);
  auto& ids = *request.mutable_tokens()->mutable_ids();
  for (int32_t i = 0; i + 1 < num_source_tokens_; ++i) {
    ids.Add(id(random));
  }
  ids.Add(kEndId);
  return request;
}

}  // namespace sheaf
