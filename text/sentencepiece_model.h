#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The numbers are those of SentencePiece's file format.
enum class PieceType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

// The parts of a SentencePiece model file that matter after training, checked.
struct SentencePieceModel {
  struct Piece {
    std::string text;  // as in the file: U+2581 where a space is meant
    float score = 0;
    PieceType type = PieceType::kNormal;
  };

  std::vector<Piece> pieces;  // [num_pieces], by id
  int32_t eos_id = -1;
  int32_t algorithm = 1;  // 1: unigram, 2: byte pair encoding
  bool has_byte_fallback = false;
  std::string eos_piece = "</s>";
  std::string charsmap;
  bool adds_dummy_prefix = true;
  bool removes_extra_spaces = true;
  bool escapes_spaces = true;
};

// Reads a model file's bytes and checks the model.
absl::StatusOr<SentencePieceModel> ReadSentencePieceModel(
    absl::string_view bytes, int32_t max_pieces);

// Sets `eos_id`. libsentencepiece trusts a model, so this does not:
//   1. there is a piece, exactly one piece is unknown, and the end-of-sequence
//      piece is there and a control piece;
//   2. pieces are not empty, not given twice, UTF-8 without NUL, with a finite
//      score; byte pieces are there all 256 or, without byte fallback, none;
//   3. no more user-defined pieces begin at one place than libsentencepiece has
//      room for; the normalization table passes CheckCharsMap().
// A file must also have at most `max_pieces`, the settings of training and of
// normalization, a unigram or byte-pair model that marks spaces at the
// beginning of words, and no change of text after decoding. InvalidArgument
// names the rule that is broken; it does not name the file.
absl::Status CheckSentencePieceModel(SentencePieceModel& model);

// Whether a piece is a sentinel that training replaced spans of text with,
// "<extra_id_7>", with or without the mark of a space before it.
bool IsSentinelName(absl::string_view piece);

// 255 for "<0xFF>", the piece of a byte; -1 if it is none.
int32_t BytePieceValue(absl::string_view piece);

// The model as bytes for libsentencepiece: only what the struct has, so nothing
// else of a file (self-tests, unknown fields) gets there.
std::string Serialize(const SentencePieceModel& model);

}  // namespace sheaf
