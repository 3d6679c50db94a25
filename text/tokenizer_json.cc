// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer_json.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "base/strict_json.h"
#include "text/charsmap.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr absl::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

// The member of an object. Null if there is none.
const json& Member(const json& object, const char* key) {
  static const json* const kNull = new json(nullptr);
  if (!object.is_object()) return *kNull;
  const auto member = object.find(key);
  return member == object.end() ? *kNull : *member;
}

bool HasType(const json& object, const char* type) {
  return Member(object, "type") == type;
}

// A boolean member. `fallback` if there is none.
absl::StatusOr<bool> BoolMember(const json& object, const char* key,
                                bool fallback, absl::string_view where) {
  const json& value = Member(object, key);
  if (value.is_null()) return fallback;
  if (value.is_boolean()) return value.get<bool>();
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: %s is %s; true or false is allowed", where, key, Shown(value)));
}

class Reader {
 public:
  Reader(absl::string_view name, int32_t max_pieces)
      : name_(name), max_pieces_(max_pieces) {}

  absl::StatusOr<TokenizerJson> Read(absl::string_view text) {
    const auto take = [this](const std::string*, const json& piece) {
      return TakePiece(piece);
    };
    const LongMember vocab[] = {
        {.object = "model", .member = "vocab", .take = take}};
    absl::StatusOr<json> file = ParseStrictJson(
        text, name_, {.max_bytes = kMaxTokenizerJsonBytes}, vocab);
    if (!file.ok()) return file.status();
    if (!file->is_object()) {
      return Unsupported("the file", *file, "an object");
    }
    for (absl::Status (Reader::*read)(const json&) :
         {&Reader::ReadModel, &Reader::ReadNormalizer,
          &Reader::ReadPreTokenizer, &Reader::ReadPostProcessor,
          &Reader::ReadDecoder, &Reader::ReadAddedTokens}) {
      if (absl::Status status = (this->*read)(*file); !status.ok()) {
        return status;
      }
    }
    MarkUnusedPieces();
    return std::move(out_);
  }

 private:
  absl::Status Unsupported(absl::string_view field, const json& value,
                           absl::string_view supported) const {
    return absl::UnimplementedError(
        absl::StrFormat("%s: %s is %s; %s is supported", name_, field,
                        Shown(value), supported));
  }

  absl::Status TakePiece(const json& piece) {
    auto& pieces = out_.model.pieces;
    if (!piece.is_array() || piece.size() != 2 || !piece[0].is_string() ||
        !piece[1].is_number()) {
      return Unsupported(absl::StrCat("model.vocab[", pieces.size(), "]"),
                         piece, "a pair of a piece and its score");
    }
    if (pieces.size() == static_cast<size_t>(max_pieces_)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: more than %d pieces; the model's vocab_size is "
                          "%d",
                          name_, max_pieces_, max_pieces_));
    }
    pieces.push_back({piece[0].get<std::string>(),
                      static_cast<float>(piece[1].get<double>()),
                      PieceType::kNormal});
    return absl::OkStatus();
  }

  absl::Status ReadModel(const json& file) {
    const json& model = Member(file, "model");
    const json& type = Member(model, "type");
    if (type != "Unigram" && !(type.is_null() && model.is_object())) {
      return Unsupported("model.type", type, "Unigram");
    }
    if (!Member(model, "vocab").is_array()) {
      return Unsupported("model.vocab", Member(model, "vocab"), "an array");
    }
    auto& pieces = out_.model.pieces;
    const json& unknown = Member(model, "unk_id");
    if (!unknown.is_number_unsigned() ||
        unknown.get<uint64_t>() >= pieces.size()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: model.unk_id is %s; the id of a piece, 0..%d, is allowed", name_,
          Shown(unknown), static_cast<int64_t>(pieces.size()) - 1));
    }
    pieces[unknown.get<uint64_t>()].type = PieceType::kUnknown;
    const absl::StatusOr<bool> has_bytes = BoolMember(
        model, "byte_fallback", false, absl::StrCat(name_, ": model"));
    if (!has_bytes.ok()) return has_bytes.status();
    out_.model.has_byte_fallback = *has_bytes;
    for (SentencePieceModel::Piece& piece : pieces) {
      if (*has_bytes && BytePieceValue(piece.text) >= 0) {
        piece.type = PieceType::kByte;
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadNormalizer(const json& file) {
    const json& normalizer = Member(file, "normalizer");
    if (normalizer.is_null()) return absl::OkStatus();
    if (!HasType(normalizer, "Sequence")) {
      return ReadNormalizerStep(normalizer, /*place=*/0);
    }
    const json& steps = Member(normalizer, "normalizers");
    if (!steps.is_array()) {
      return Unsupported("normalizer.normalizers", steps, "an array");
    }
    int previous = -1;  // the steps have an order that they must keep
    for (const json& step : steps) {
      const int place = HasType(step, "Precompiled") ? 0
                        : HasType(step, "Strip")     ? 1
                                                     : 2;
      if (place <= previous) {
        return Unsupported("the order in normalizer.normalizers", step,
                           "Precompiled, Strip, Replace");
      }
      if (absl::Status status = ReadNormalizerStep(step, place); !status.ok()) {
        return status;
      }
      previous = place;
    }
    return absl::OkStatus();
  }

  absl::Status ReadNormalizerStep(const json& step, int place) {
    TextPreparation& preparation = out_.preparation;
    if (HasType(step, "Precompiled")) {
      const json& charsmap = Member(step, "precompiled_charsmap");
      if (charsmap.is_null()) return absl::OkStatus();
      if (!charsmap.is_string() ||
          !absl::Base64Unescape(charsmap.get_ref<const std::string&>(),
                                &preparation.charsmap)) {
        return absl::InvalidArgumentError(absl::StrCat(
            name_, ": normalizer.precompiled_charsmap is not base64"));
      }
      absl::Status status = CheckCharsMap(preparation.charsmap);
      if (status.ok()) return status;
      return absl::InvalidArgumentError(absl::StrCat(
          name_, ": normalizer.precompiled_charsmap: ", status.message()));
    }
    if (place == 1) {
      if (Member(step, "strip_left") != false ||
          Member(step, "strip_right") != true) {
        return Unsupported("normalizer Strip", step, "strip_right alone");
      }
      preparation.strips_end = true;
      return absl::OkStatus();
    }
    const json& content = Member(step, "content");
    if (!HasType(step, "Replace") ||
        Member(Member(step, "pattern"), "Regex") != " {2,}" ||
        (content != " " && content != std::string(kSpaceMark))) {
      return Unsupported("normalizer", step,
                         "Precompiled, Strip, or Replace of \" {2,}\"");
    }
    preparation.runs = content == " " ? TextPreparation::Runs::kToSpace
                                      : TextPreparation::Runs::kToMark;
    return absl::OkStatus();
  }

  absl::Status ReadPreTokenizer(const json& file) {
    const json* metaspace = &Member(file, "pre_tokenizer");
    if (HasType(*metaspace, "Sequence")) {
      const json& steps = Member(*metaspace, "pretokenizers");
      if (!steps.is_array() || steps.size() != 2 ||
          !HasType(steps[0], "WhitespaceSplit")) {
        return Unsupported("pre_tokenizer.pretokenizers", steps,
                           "WhitespaceSplit and Metaspace");
      }
      out_.preparation.splits_at_whitespace = true;
      metaspace = &steps[1];
    }
    absl::StatusOr<TextPreparation::Prefix> prefix =
        ReadMetaspace("pre_tokenizer", *metaspace);
    if (!prefix.ok()) return prefix.status();
    out_.preparation.prefix = *prefix;
    // Only the first word would have a mark, and no space would be left.
    if (out_.preparation.splits_at_whitespace &&
        *prefix != TextPreparation::Prefix::kAlways) {
      return Unsupported("pre_tokenizer.prepend_scheme after WhitespaceSplit",
                         Member(*metaspace, "prepend_scheme"), "always");
    }
    const absl::StatusOr<bool> splits = BoolMember(
        *metaspace, "split", true, absl::StrCat(name_, ": pre_tokenizer"));
    if (!splits.ok()) return splits.status();
    splits_at_marks_ = *splits;
    return absl::OkStatus();
  }

  absl::StatusOr<TextPreparation::Prefix> ReadMetaspace(
      const char* field, const json& metaspace) const {
    if (!HasType(metaspace, "Metaspace")) {
      return Unsupported(field, metaspace, "Metaspace");
    }
    if (Member(metaspace, "replacement") != std::string(kSpaceMark)) {
      return Unsupported(absl::StrCat(field, ".replacement"),
                         Member(metaspace, "replacement"), "U+2581");
    }
    const absl::StatusOr<bool> has_prefix = BoolMember(
        metaspace, "add_prefix_space", true, absl::StrCat(name_, ": ", field));
    if (!has_prefix.ok()) return has_prefix.status();
    const json& scheme = Member(metaspace, "prepend_scheme");
    if (scheme == "never" || (scheme.is_null() && !*has_prefix)) {
      return TextPreparation::Prefix::kNever;
    }
    if (scheme == "always" || scheme.is_null()) {
      return TextPreparation::Prefix::kAlways;
    }
    if (scheme == "first") return TextPreparation::Prefix::kFirst;
    return Unsupported(absl::StrCat(field, ".prepend_scheme"), scheme,
                       "always, first or never");
  }

  absl::Status ReadPostProcessor(const json& file) {
    const json& processor = Member(file, "post_processor");
    const json& single = Member(processor, "single");
    if (!HasType(processor, "TemplateProcessing") || !single.is_array() ||
        single.size() != 2 || Member(single[0], "Sequence").is_null() ||
        !Member(Member(single[1], "SpecialToken"), "id").is_string()) {
      return Unsupported("post_processor", processor,
                         "TemplateProcessing with the text and one token");
    }
    const auto& end = Member(Member(single[1], "SpecialToken"), "id")
                          .get_ref<const std::string&>();
    const json& ids =
        Member(Member(Member(processor, "special_tokens"), end.c_str()), "ids");
    auto& pieces = out_.model.pieces;
    if (!ids.is_array() || ids.size() != 1 || !ids[0].is_number_unsigned() ||
        ids[0].get<uint64_t>() >= pieces.size() ||
        pieces[ids[0].get<uint64_t>()].text != end) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: post_processor.special_tokens has ids %s for %s; the id of that "
          "piece is allowed",
          name_, Shown(ids), Quoted(end)));
    }
    out_.model.eos_piece = end;
    pieces[ids[0].get<uint64_t>()].type = PieceType::kControl;
    return absl::OkStatus();
  }

  absl::Status ReadDecoder(const json& file) {
    return ReadMetaspace("decoder", Member(file, "decoder")).status();
  }

  absl::Status ReadAddedTokens(const json& file) {
    const json& tokens = Member(file, "added_tokens");
    if (!tokens.is_array() && !tokens.is_null()) {
      return Unsupported("added_tokens", tokens, "an array");
    }
    for (const json& token : tokens) {
      const std::string where =
          absl::StrCat(name_, ": added_tokens[", out_.added_tokens.size(), "]");
      absl::StatusOr<AddedToken> added = ParseAddedToken(token, where);
      if (!added.ok()) return added.status();
      const json& id = Member(token, "id");
      if (!id.is_number_unsigned() ||
          id.get<uint64_t>() >= static_cast<uint64_t>(max_pieces_)) {
        return absl::InvalidArgumentError(
            absl::StrFormat("%s: %s has id %s; the vocabulary is 0..%d", where,
                            Quoted(added->text), Shown(id), max_pieces_ - 1));
      }
      added->id = id.get<int32_t>();
      out_.added_tokens.push_back(*std::move(added));
    }
    return absl::OkStatus();
  }

  // Words are matched one by one, so that a piece with a mark after its first
  // character never matches. It still has a text.
  void MarkUnusedPieces() {
    if (!splits_at_marks_) return;
    for (SentencePieceModel::Piece& piece : out_.model.pieces) {
      if (piece.type == PieceType::kNormal &&
          piece.text.rfind(kSpaceMark.data(), std::string::npos,
                           kSpaceMark.size()) +
                  1 >
              1) {
        piece.type = PieceType::kUnused;
      }
    }
  }

  const absl::string_view name_;
  const int32_t max_pieces_;
  bool splits_at_marks_ = true;
  TokenizerJson out_;
};

}  // namespace

absl::StatusOr<TokenizerJson> ParseTokenizerJson(absl::string_view text,
                                                 absl::string_view name,
                                                 int32_t max_pieces) {
  return Reader(name, max_pieces).Read(text);
}

absl::StatusOr<AddedToken> ParseAddedToken(const json& object,
                                           absl::string_view where) {
  const json& content = Member(object, "content");
  if (!content.is_string()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: content is %s; the token's text is needed", where,
                        Shown(content)));
  }
  AddedToken token;
  token.text = content.get<std::string>();
  const std::pair<const char*, bool*> flags[] = {
      {"special", &token.is_special},       {"single_word", &token.single_word},
      {"lstrip", &token.strips_left},       {"rstrip", &token.strips_right},
      {"normalized", &token.is_normalized},
  };
  for (const auto& [key, flag] : flags) {
    // As in the reference, a special token is not normalized by itself.
    const bool fallback = flag == &token.is_normalized && !token.is_special;
    const absl::StatusOr<bool> value =
        BoolMember(object, key, fallback,
                   absl::StrCat(where, " (", Quoted(token.text), ")"));
    if (!value.ok()) return value.status();
    *flag = *value;
  }
  return token;
}

}  // namespace sheaf
