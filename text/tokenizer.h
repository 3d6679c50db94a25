#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/added_tokens.h"
#include "text/text_preparation.h"

namespace sheaf {

class SentencePieceLibrary;
struct SentencePieceModel;
struct TokenizerFiles;

// Text to token ids and back, as the files of a model directory say
// (tokenizer_files.h): by the pieces of a SentencePiece model, with added
// tokens between them.
//
// Thread-safe: immutable after Load().
class Tokenizer {
 public:
  // How one id reads. Text of a run of kByte ids is their bytes together.
  struct Token {
    enum class Kind : uint8_t {
      kDropped,  // no text: padding, end, sentinels, ids that are no token
      kUnknown,  // no text either; the space before it goes with it
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

  // Reads the tokenizer of a model directory, for a vocabulary of `vocab_size`.
  // NotFound if there is none; another error names the file and the rule that
  // it breaks. A broken file, or one made to do harm, is an error like any
  // other.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(
      const std::string& directory, int32_t vocab_size);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // The ids of `text`, without an end id. Special tokens that are not `allowed`
  // are text: "</s>" and, by default, "<extra_id_0>" in a text never yield
  // their ids. Takes time linear in the text; what is not UTF-8 counts as
  // U+FFFD. A text on which SentencePiece itself fails (none is known) is one
  // unknown id.
  std::vector<int32_t> Encode(
      absl::string_view text,
      SpecialTokens allowed = SpecialTokens::kNone) const;

  // The ids of a user's text behind a prompt. The prompt is by the author of
  // the model and may yield all tokens; the text is encoded as Encode() does.
  std::vector<int32_t> EncodePrompted(absl::string_view prompt,
                                      absl::string_view text) const;

  // The text of `ids`: ids of Kind::kDropped and kUnknown are left out. Any ids
  // will do; the text is always UTF-8.
  std::string Decode(absl::Span<const int32_t> ids) const;

  int32_t eos_id() const { return eos_id_; }
  int32_t num_pieces() const { return num_pieces_; }
  // With added tokens: ids from here on have no text.
  int32_t num_tokens() const { return static_cast<int32_t>(tokens_.size()); }

  // REQUIRES nothing of `id`.
  const Token& token(int32_t id) const;

  // Whether only the first of several word spaces at the beginning of a text is
  // left out (a model that keeps extra spaces), rather than all of them.
  bool keeps_extra_spaces() const { return keeps_extra_spaces_; }

  // What of the directory's files is not followed, each with its effect.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  class Encoding;  // of one text

  explicit Tokenizer(TokenizerFiles files);
  absl::Status CreateLibraries(const SentencePieceModel& model);
  void SetTokens(const SentencePieceModel& model);

  // Texts are matched without the sentinels that are pieces of the model, and
  // with them where they are allowed; both are one library if there are none.
  std::unique_ptr<SentencePieceLibrary> library_;
  std::unique_ptr<SentencePieceLibrary> sentinel_library_;  // null: the other
  // Set: the libraries get texts that have been prepared.
  const std::optional<TextPreparation> preparation_;
  const TextPreparation normalization_;  // in which added tokens are found
  const std::vector<AddedToken> added_tokens_;
  const AddedTokenSplitter splitter_;             // of texts as they are
  const AddedTokenSplitter normalized_splitter_;  // of normalized texts
  std::vector<Token> tokens_;                     // by id
  Token dropped_;
  const int32_t eos_id_;
  const int32_t num_pieces_;
  int32_t unknown_id_ = -1;
  const bool keeps_extra_spaces_;
  std::vector<std::string> warnings_;
};

}  // namespace sheaf
