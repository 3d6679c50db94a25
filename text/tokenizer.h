// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/added_tokens.h"
#include "text/text_encoder.h"

namespace sheaf {

// The tokens of a model by id, and the encoder that makes them from text.
//
// Thread-safe: immutable.
class Tokenizer {
 public:
  using EncoderPtr = std::unique_ptr<const TextEncoder>;

  // How one id reads.
  struct Token {
    enum class Kind : uint8_t {
      kDropped,  // no text: padding, end, sentinels, ids that are no token
      kUnknown,  // no text either, and the space before it is dropped
      kText,
      kBytes,  // the bytes of consecutive kBytes tokens are decoded together
    };
    Kind kind = Kind::kDropped;
    // For kText. Whether `text` begins with a space that is not written at the
    // beginning of the whole text, as a word's first piece does.
    bool has_word_space = false;
    std::string text;  // of kText, in UTF-8; the bytes of kBytes
  };

  // The text for bytes of kBytes tokens that are no part of a character.
  enum class BrokenBytes : uint8_t {
    kReplaced,          // U+FFFD for each
    kReplacedTogether,  // one U+FFFD for those that could begin one character
    kDropped,           // nothing
    kSpoilRun,          // U+FFFD for each byte of all consecutive kBytes tokens
  };

  // The parts of a tokenizer except its encoder.
  struct Table {
    std::vector<Token> tokens;  // by id; later ids have no text
    int32_t eos_id = -1;
    // Whether only the first of several word spaces at the beginning of a text
    // is dropped (a model that keeps extra spaces), rather than all of them.
    bool keeps_extra_spaces = false;
    BrokenBytes broken_bytes = BrokenBytes::kReplaced;
    // Absent if the files leave this to the model.
    std::optional<SurroundingIds> surrounding;
    // The content of the directory's files that is not followed, each with its
    // effect.
    std::vector<std::string> warnings;
  };

  Tokenizer(Table table, EncoderPtr encoder);

  // Reads the tokenizer of a model directory (ReadTokenizerFiles()), for a
  // vocabulary of `vocab_size`. NotFound if there is none. Any other error
  // names the file and the rule that it breaks. The files are untrusted input.
  // A test may pass its `wrap`, which surrounds the encoder with its own.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(
      const std::string& directory, int32_t vocab_size,
      absl::FunctionRef<EncoderPtr(EncoderPtr)> wrap = [](EncoderPtr encoder) {
        return encoder;
      });
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // TextEncoder::Encode() without a prompt.
  std::vector<int32_t> Encode(
      absl::string_view text,
      SpecialTokens allowed = SpecialTokens::kNone) const;

  // TextEncoder::Encode().
  std::vector<int32_t> EncodePrompted(
      absl::string_view prompt, absl::string_view text,
      SpecialTokens allowed = SpecialTokens::kNone) const;

  // The text of `ids`, which may be any numbers. It has no part for tokens of
  // Kind::kDropped and kUnknown, and is always UTF-8.
  std::string Decode(absl::Span<const int32_t> ids) const;

  int32_t eos_id() const { return table_.eos_id; }
  // Includes added tokens. Ids from here on have no text.
  int32_t num_tokens() const {
    return static_cast<int32_t>(table_.tokens.size());
  }

  // Accepts any `id`.
  const Token& token(int32_t id) const;

  bool keeps_extra_spaces() const { return table_.keeps_extra_spaces; }
  BrokenBytes broken_bytes() const { return table_.broken_bytes; }
  const std::optional<SurroundingIds>& surrounding() const {
    return table_.surrounding;
  }
  const std::vector<std::string>& warnings() const { return table_.warnings; }

 private:
  const EncoderPtr encoder_;
  const Table table_;
  const Token dropped_;
};

}  // namespace sheaf
