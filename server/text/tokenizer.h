#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

class SentencePieceLibrary;
struct SentencePieceModel;

// Text to token ids and back, by a SentencePiece model (`spiece.model`).
//
// User text never yields a control id: "</s>" and "<extra_id_0>" in a text are
// text, whatever the model file says of such pieces (sentencepiece_model.h).
//
// Thread-safe: immutable after Load().
class Tokenizer {
 public:
  // How one id reads. Text of a run of kByte ids is their bytes together.
  struct Token {
    enum class Kind : uint8_t {
      kDropped,  // no text: padding, end, sentinels, ids that are no piece
      kText,
      kByte,
    };
    Kind kind = Kind::kDropped;
    uint8_t byte = 0;  // of kByte
    // Of kText. Whether `text` begins with a space that is not written at the
    // beginning of the whole text, as a word's first piece does.
    bool has_word_space = false;
    std::string text;
  };

  // Reads a model file of at most 64 MiB and `vocab_size` pieces. The error
  // names the file and the rule that it breaks: NotFound if there is no file,
  // else InvalidArgument (or the system's reason why it can't be read). A
  // broken file, or one made to do harm, is an error like any other.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(
      const std::string& path, int32_t vocab_size);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // The ids of `text`, without an end id. Takes time linear in the text; what
  // is not UTF-8 counts as U+FFFD. A text on which SentencePiece itself fails
  // (none is known) is one unknown id.
  std::vector<int32_t> Encode(absl::string_view text) const;

  // The text of `ids`: ids of Kind::kDropped are left out, SentencePiece does
  // the rest. Any ids will do; the text is always UTF-8.
  std::string Decode(absl::Span<const int32_t> ids) const;

  int32_t eos_id() const { return eos_id_; }
  int32_t num_pieces() const { return static_cast<int32_t>(tokens_.size()); }

  // REQUIRES nothing of `id`.
  const Token& token(int32_t id) const;

  // Whether only the first of several word spaces at the beginning of a text is
  // left out (a model that keeps extra spaces), rather than all of them.
  bool keeps_extra_spaces() const { return keeps_extra_spaces_; }

 private:
  Tokenizer(const SentencePieceModel& model,
            std::unique_ptr<SentencePieceLibrary> library);

  std::unique_ptr<SentencePieceLibrary> library_;
  std::vector<Token> tokens_;  // [num_pieces], by id
  Token dropped_;
  int32_t eos_id_ = -1;
  int32_t unknown_id_ = -1;
  bool keeps_extra_spaces_ = false;
};

}  // namespace sheaf
