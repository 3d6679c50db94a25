// SPDX-License-Identifier: Apache-2.0

#include "text/sentencepiece_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "text/charsmap.h"
#include "text/utf8.h"
#include "text/wire_format.h"

namespace sheaf {
namespace {

constexpr absl::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581
constexpr uint64_t kMaxModelBytes = uint64_t{64} << 20;
// libsentencepiece has room for 64 user-defined pieces that begin at one place.
constexpr size_t kMaxNestedPieces = 63;

// Field numbers of sentencepiece_model.proto. Messages that occur more than
// once are merged, as protobuf does.
enum ModelField : uint32_t {
  kPieces = 1,
  kTrainer = 2,
  kNormalizer = 3,
  kDenormalizer = 5,
};
enum PieceField : uint32_t { kText = 1, kScore = 2, kType = 3 };
enum TrainerField : uint32_t {
  kModelType = 3,
  kTreatWhitespaceAsSuffix = 24,
  kByteFallback = 35,
  kEosPiece = 47,
};
enum NormalizerField : uint32_t {
  kCharsMap = 2,
  kAddDummyPrefix = 3,
  kRemoveExtraWhitespaces = 4,
  kEscapeWhitespaces = 5,
};

absl::Status Broken(absl::string_view rule) {
  return absl::InvalidArgumentError(rule);
}

// Calls `read(field)` for each field of a message. It returns false for a field
// of the wrong wire type.
template <typename Read>
absl::Status ReadFields(absl::string_view message, const char* what,
                        Read read) {
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    if (!read(field)) {
      return Broken(absl::StrFormat("field %d of the %s has the wrong type",
                                    field.number, what));
    }
  }
  if (!reader.ok()) {
    return Broken(absl::StrFormat(
        "not a SentencePiece model: the %s is malformed at byte %d of %d", what,
        reader.position(), message.size()));
  }
  return absl::OkStatus();
}

bool ReadBool(const WireField& field, bool& out) {
  out = field.varint != 0;
  return field.type == WireType::kVarint;
}

bool ReadString(const WireField& field, std::string& out) {
  out = std::string(field.bytes);
  return field.type == WireType::kBytes;
}

absl::StatusOr<SentencePieceModel::Piece> ReadPiece(absl::string_view message) {
  SentencePieceModel::Piece piece;
  uint64_t type = static_cast<uint64_t>(PieceType::kNormal);
  absl::Status status =
      ReadFields(message, "piece", [&](const WireField& field) {
        switch (field.number) {
          case kText:
            return ReadString(field, piece.text);
          case kScore:
            std::memcpy(&piece.score, &field.fixed32, sizeof(piece.score));
            return field.type == WireType::kFixed32;
          case kType:
            type = field.varint;
            return field.type == WireType::kVarint;
          default:
            return true;
        }
      });
  if (!status.ok()) return status;
  if (type < 1 || type > 6) {
    return Broken(absl::StrFormat("piece %s has type %d; 1..6 are allowed",
                                  Quoted(piece.text), type));
  }
  piece.type = static_cast<PieceType>(type);
  return piece;
}

absl::Status ReadTrainer(absl::string_view message, SentencePieceModel& model) {
  uint64_t model_type = static_cast<uint64_t>(model.algorithm);
  bool is_suffix = false;
  absl::Status status =
      ReadFields(message, "trainer_spec", [&](const WireField& field) {
        switch (field.number) {
          case kModelType:
            model_type = field.varint;
            return field.type == WireType::kVarint;
          case kTreatWhitespaceAsSuffix:
            return ReadBool(field, is_suffix);
          case kByteFallback:
            return ReadBool(field, model.has_byte_fallback);
          case kEosPiece:
            return ReadString(field, model.eos_piece);
          default:
            return true;
        }
      });
  if (!status.ok()) return status;
  if (model_type != 1 && model_type != 2) {
    return Broken(absl::StrFormat(
        "model_type is %d; 1 (unigram) and 2 (byte pairs) are allowed",
        model_type));
  }
  if (is_suffix) {
    return Broken(
        "treat_whitespace_as_suffix is true; only false is supported");
  }
  model.algorithm = static_cast<int32_t>(model_type);
  return absl::OkStatus();
}

absl::Status ReadNormalizer(absl::string_view message,
                            SentencePieceModel& model) {
  return ReadFields(message, "normalizer_spec", [&](const WireField& field) {
    switch (field.number) {
      case kCharsMap:
        return ReadString(field, model.charsmap);
      case kAddDummyPrefix:
        return ReadBool(field, model.adds_dummy_prefix);
      case kRemoveExtraWhitespaces:
        return ReadBool(field, model.removes_extra_spaces);
      case kEscapeWhitespaces:
        return ReadBool(field, model.escapes_spaces);
      default:
        return true;
    }
  });
}

absl::Status ReadDenormalizer(absl::string_view message) {
  std::string charsmap;
  absl::Status status =
      ReadFields(message, "denormalizer_spec", [&](const WireField& field) {
        return field.number != kCharsMap || ReadString(field, charsmap);
      });
  if (status.ok() && !charsmap.empty()) {
    return Broken("denormalizer_spec has a table; none is supported");
  }
  return status;
}

absl::Status ReadModel(absl::string_view bytes, int32_t max_pieces,
                       SentencePieceModel& model) {
  absl::Status status;
  bool has_trainer = false, has_normalizer = false;
  absl::Status outer = ReadFields(bytes, "model", [&](const WireField& field) {
    if (!status.ok() || field.number > kDenormalizer) return true;
    if (field.type != WireType::kBytes) return false;
    switch (field.number) {
      case kPieces: {
        if (model.pieces.size() == static_cast<size_t>(max_pieces)) {
          status = Broken(absl::StrFormat(
              "more than %d pieces; the vocabulary has room for %d", max_pieces,
              max_pieces));
          break;
        }
        absl::StatusOr<SentencePieceModel::Piece> piece =
            ReadPiece(field.bytes);
        status = piece.status();
        if (status.ok()) model.pieces.push_back(*std::move(piece));
        break;
      }
      case kTrainer:
        has_trainer = true;
        status = ReadTrainer(field.bytes, model);
        break;
      case kNormalizer:
        has_normalizer = true;
        status = ReadNormalizer(field.bytes, model);
        break;
      case kDenormalizer:
        status = ReadDenormalizer(field.bytes);
        break;
    }
    return true;
  });
  if (!status.ok()) return status;
  if (!outer.ok()) return outer;
  if (model.pieces.empty()) {
    return Broken("not a SentencePiece model: it has no pieces");
  }
  // These fields follow the pieces. A file that was cut short between two
  // fields would otherwise pass as a smaller model.
  if (!has_trainer || !has_normalizer) {
    return Broken(
        absl::StrFormat("no %s; the file seems to be cut short",
                        has_trainer ? "normalizer_spec" : "trainer_spec"));
  }
  return absl::OkStatus();
}

absl::Status CheckPiece(const SentencePieceModel::Piece& piece, size_t id) {
  const char* rule = nullptr;
  if (piece.text.empty()) rule = "is empty";
  if (!IsValidUtf8(piece.text)) rule = "is not valid UTF-8";
  if (absl::StrContains(piece.text, '\0')) rule = "has a NUL byte";
  if (!std::isfinite(piece.score)) rule = "has a score that is not finite";
  if (rule == nullptr) return absl::OkStatus();
  return Broken(
      absl::StrFormat("piece %d, %s, %s", id, Quoted(piece.text), rule));
}

absl::Status CheckUnique(const SentencePieceModel& model) {
  std::vector<absl::string_view> sorted;
  sorted.reserve(model.pieces.size());
  for (const auto& piece : model.pieces) sorted.push_back(piece.text);
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice == sorted.end()) return absl::OkStatus();
  return Broken(absl::StrFormat("piece %s is there twice", Quoted(*twice)));
}

absl::Status CheckBytePieces(const SentencePieceModel& model) {
  int32_t num_bytes = 0;
  for (const auto& piece : model.pieces) {
    if (piece.type != PieceType::kByte) continue;
    if (BytePieceValue(piece.text) < 0) {
      return Broken(absl::StrFormat("byte piece %s is not of the form <0xFF>",
                                    Quoted(piece.text)));
    }
    ++num_bytes;
  }
  const int32_t expected = model.has_byte_fallback ? 256 : 0;
  if (num_bytes == expected) return absl::OkStatus();
  return Broken(
      absl::StrFormat("%d byte pieces; with byte_fallback %s, %d", num_bytes,
                      model.has_byte_fallback ? "true" : "false", expected));
}

// In sorted order, all prefixes of a string come before it.
absl::Status CheckNesting(const SentencePieceModel& model) {
  std::vector<absl::string_view> sorted;
  for (const auto& piece : model.pieces) {
    if (piece.type == PieceType::kUserDefined) sorted.push_back(piece.text);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<absl::string_view> prefixes;
  for (absl::string_view text : sorted) {
    while (!prefixes.empty() && !absl::StartsWith(text, prefixes.back())) {
      prefixes.pop_back();
    }
    prefixes.push_back(text);
    if (prefixes.size() > kMaxNestedPieces) {
      return Broken(absl::StrFormat(
          "more than %d user-defined pieces are beginnings of %s",
          kMaxNestedPieces, Quoted(text)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSentencePieceModel(const SentencePieceModel& model) {
  if (absl::Status status = CheckUnique(model); !status.ok()) return status;
  int32_t num_unknown = 0;
  bool has_end = false;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[id];
    if (absl::Status status = CheckPiece(piece, id); !status.ok()) {
      return status;
    }
    if (piece.type == PieceType::kUnknown) ++num_unknown;
    has_end |=
        piece.type == PieceType::kControl && piece.text == model.eos_piece;
  }
  if (num_unknown != 1) {
    return Broken(absl::StrFormat("%d pieces are of type unknown; one must be",
                                  num_unknown));
  }
  if (!has_end) {
    return Broken(absl::StrFormat("no control piece %s, which ends a sequence",
                                  Quoted(model.eos_piece)));
  }
  if (absl::Status status = CheckBytePieces(model); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckNesting(model); !status.ok()) return status;
  absl::Status charsmap = CheckCharsMap(model.charsmap);
  if (charsmap.ok()) return charsmap;
  return Broken(absl::StrCat("precompiled_charsmap: ", charsmap.message()));
}

absl::StatusOr<SentencePieceModel> ReadSentencePieceModel(
    absl::string_view bytes, int32_t max_pieces) {
  SentencePieceModel model;
  absl::Status status = ReadModel(bytes, max_pieces, model);
  if (!status.ok()) return status;
  status = CheckSentencePieceModel(model);
  if (!status.ok()) return status;
  return model;
}

absl::StatusOr<SentencePieceModel> ReadSentencePieceFile(
    const std::string& path, int32_t max_pieces) {
  absl::StatusOr<std::string> bytes = ReadTextFile(path, kMaxModelBytes);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<SentencePieceModel> model =
      ReadSentencePieceModel(*bytes, max_pieces);
  if (model.ok()) return model;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": ", model.status().message()));
}

bool IsSentinelName(absl::string_view piece) {
  while (absl::ConsumePrefix(&piece, kSpaceMark)) {
  }
  if (!absl::ConsumePrefix(&piece, "<extra_id_") ||
      !absl::ConsumeSuffix(&piece, ">")) {
    return false;
  }
  return !piece.empty() &&
         std::all_of(piece.begin(), piece.end(), absl::ascii_isdigit);
}

int32_t BytePieceValue(absl::string_view piece) {
  constexpr absl::string_view kDigits = "0123456789ABCDEF";
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') {
    return -1;
  }
  const size_t high = kDigits.find(piece[3]);
  const size_t low = kDigits.find(piece[4]);
  if (high == kDigits.npos || low == kDigits.npos) return -1;
  return static_cast<int32_t>(high * 16 + low);
}

std::string Serialize(const SentencePieceModel& model) {
  std::string out;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    uint32_t score;
    std::memcpy(&score, &piece.score, sizeof(score));
    std::string message;
    AppendBytes(kText, piece.text, message);
    AppendFixed32(kScore, score, message);
    AppendVarint(kType, static_cast<uint64_t>(piece.type), message);
    AppendBytes(kPieces, message, out);
  }
  std::string trainer;
  AppendVarint(kModelType, static_cast<uint64_t>(model.algorithm), trainer);
  AppendVarint(kByteFallback, model.has_byte_fallback ? 1 : 0, trainer);
  AppendBytes(kEosPiece, model.eos_piece, trainer);
  AppendBytes(kTrainer, trainer, out);
  std::string normalizer;
  AppendBytes(kCharsMap, model.charsmap, normalizer);
  AppendVarint(kAddDummyPrefix, model.adds_dummy_prefix ? 1 : 0, normalizer);
  AppendVarint(kRemoveExtraWhitespaces, model.removes_extra_spaces ? 1 : 0,
               normalizer);
  AppendVarint(kEscapeWhitespaces, model.escapes_spaces ? 1 : 0, normalizer);
  AppendBytes(kNormalizer, normalizer, out);
  return out;
}

}  // namespace sheaf
