// SPDX-License-Identifier: Apache-2.0

#include "text/byte_tokenizer.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/key_reader.h"
#include "text/added_token_encoder.h"
#include "text/make_tokenizer.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_files.h"

namespace sheaf {
namespace {

constexpr int32_t kFirstByte = 3;
constexpr int32_t kNumBytes = 256;
constexpr int32_t kDefaultSentinels = 125;

class ByteEncoder : public AddedTokenEncoder {
 public:
  explicit ByteEncoder(const std::vector<AddedToken>& added_tokens)
      : AddedTokenEncoder(added_tokens, TextPreparation(),
                          /*receives_normalized=*/false) {}

 private:
  void AppendText(absl::string_view text, bool /*is_first*/,
                  SpecialTokens /*allowed*/,
                  std::vector<int32_t>& ids) const override {
    for (char byte : text) {
      ids.push_back(kFirstByte + static_cast<uint8_t>(byte));
    }
  }
};

std::vector<SentencePieceModel::Piece> Vocabulary() {
  std::vector<SentencePieceModel::Piece> tokens = {
      {"<pad>", /*score=*/0, PieceType::kControl},
      {"</s>", /*score=*/0, PieceType::kControl},
      {"<unk>", /*score=*/0, PieceType::kUnknown}};
  tokens.reserve(kFirstByte + kNumBytes);
  for (int32_t byte = 0; byte < kNumBytes; ++byte) {
    tokens.push_back(
        {absl::StrFormat("<0x%02X>", byte), /*score=*/0, PieceType::kByte});
  }
  return tokens;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadByteTokenizer(
    AddedTokenFiles files) {
  KeyReader config(files.config.value, files.config.path);
  const int32_t num_sentinels = config.Int(
      "extra_ids", /*min=*/0, /*max=*/files.vocab_size, kDefaultSentinels);
  if (!config.status().ok()) return config.status();
  TokenizerFiles out;
  out.vocabulary = Vocabulary();
  files.has_sentinels = true;
  for (int32_t i = 0; i < num_sentinels; ++i) {
    AddedToken token;
    token.text = absl::StrCat("<extra_id_", i, ">");
    token.id = kFirstByte + kNumBytes + i;
    files.implied_tokens.push_back(std::move(token));
  }
  absl::Status status = CollectAddedTokens(std::move(files), out);
  if (!status.ok()) return status;
  auto encoder = std::make_unique<const ByteEncoder>(out.added_tokens);
  Tokenizer::Table table = MakeTable(std::move(out));
  table.broken_bytes = Tokenizer::BrokenBytes::kDropped;
  return std::make_unique<const Tokenizer>(std::move(table),
                                           std::move(encoder));
}

}  // namespace sheaf
