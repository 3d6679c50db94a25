// SPDX-License-Identifier: Apache-2.0

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
    std::string text;  // as in the file, with U+2581 for a space
    float score = 0;
    PieceType type = PieceType::kNormal;
  };

  std::vector<Piece> pieces;  // [num_pieces], by id
  int32_t algorithm = 1;      // 1: unigram, 2: byte pair encoding
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

// The same for a file, whose errors it names. NotFound if there is none.
absl::StatusOr<SentencePieceModel> ReadSentencePieceFile(
    const std::string& path, int32_t max_pieces);

// Checks the model, because libsentencepiece trusts it:
//   1. There is a piece, exactly one piece is unknown, and the end-of-sequence
//      piece exists and is a control piece.
//   2. Pieces are not empty, do not occur twice, and are UTF-8 without NUL with
//      a finite score. There are all 256 byte pieces, or none and no byte
//      fallback.
//   3. The number of user-defined pieces that begin at one place does not
//   exceed
//      the room that libsentencepiece has. The normalization table passes
//      CheckCharsMap().
// A file must also have at most `max_pieces`, the settings of training and of
// normalization, a unigram or byte-pair model that marks spaces at the
// beginning of words, and no change of text after decoding. InvalidArgument
// names the broken rule but not the file.
absl::Status CheckSentencePieceModel(const SentencePieceModel& model);

// Whether a piece is a sentinel that training replaced spans of text with,
// "<extra_id_7>", with or without the mark of a space before it.
bool IsSentinelName(absl::string_view piece);

// 255 for "<0xFF>", the piece of a byte. -1 if the piece is not of a byte.
int32_t BytePieceValue(absl::string_view piece);

// The model as bytes for libsentencepiece. They have only the content of the
// struct, so that nothing else of a file (self-tests, unknown fields) gets
// there.
std::string Serialize(const SentencePieceModel& model);

}  // namespace sheaf
