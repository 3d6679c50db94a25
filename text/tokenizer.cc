// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "text/make_tokenizer.h"
#include "text/stream_detokenizer.h"
#include "text/tokenizer_files.h"

namespace sheaf {

Tokenizer::Tokenizer(Table table, EncoderPtr encoder)
    : encoder_(std::move(encoder)), table_(std::move(table)) {}

Tokenizer::~Tokenizer() = default;

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(
    const std::string& directory, int32_t vocab_size,
    absl::FunctionRef<EncoderPtr(EncoderPtr)> wrap) {
  absl::StatusOr<TokenizerFiles> files =
      ReadTokenizerFiles(directory, vocab_size);
  if (!files.ok()) return files.status();
  return MakeTokenizer(*std::move(files), directory, wrap);
}

std::vector<int32_t> Tokenizer::Encode(absl::string_view text,
                                       SpecialTokens allowed) const {
  return encoder_->Encode(/*prompt=*/"", text, allowed);
}

std::vector<int32_t> Tokenizer::EncodePrompted(absl::string_view prompt,
                                               absl::string_view text,
                                               SpecialTokens allowed) const {
  return encoder_->Encode(prompt, text, allowed);
}

std::string Tokenizer::Decode(absl::Span<const int32_t> ids) const {
  StreamDetokenizer detokenizer(*this);
  const std::string text = detokenizer.Append(ids);
  return absl::StrCat(text, detokenizer.Finish());
}

const Tokenizer::Token& Tokenizer::token(int32_t id) const {
  return id >= 0 && id < num_tokens() ? table_.tokens[id] : dropped_;
}

}  // namespace sheaf
