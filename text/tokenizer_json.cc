// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer_json.h"

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "base/strict_json.h"
#include "text/bpe_vocabulary.h"
#include "text/tokenizer_json_fields.h"
#include "text/tokenizer_json_steps.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr absl::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

class Reader {
 public:
  Reader(absl::string_view name, int32_t max_pieces)
      : fields_(name), max_pieces_(max_pieces), vocabulary_(name, max_pieces) {}

  absl::StatusOr<TokenizerDefinition> Read(absl::string_view text) {
    const auto take_token = [this](const std::string* key, const json& value) {
      return key == nullptr ? TakePiece(value)
                            : vocabulary_.AddToken(*key, value);
    };
    const auto take_merge = [this](const std::string* key, const json& merge) {
      return TakeMerge(key, merge);
    };
    const LongMember members[] = {
        {.object = "model", .member = "vocab", .take = take_token},
        {.object = "model", .member = "merges", .take = take_merge}};
    absl::StatusOr<json> file = ParseStrictJson(
        text, fields_.name(), {.max_bytes = kMaxTokenizerJsonBytes}, members);
    if (!file.ok()) return file.status();
    if (!file->is_object()) {
      return fields_.Unsupported("the file", *file, "an object");
    }
    for (absl::Status (Reader::*read)(const json&) :
         {&Reader::ReadModel, &Reader::ReadSteps, &Reader::ReadAddedTokens}) {
      if (absl::Status status = (this->*read)(*file); !status.ok()) {
        return status;
      }
    }
    if (absl::Status status = PlaceSurroundingTokens(); !status.ok()) {
      return status;
    }
    return std::move(out_);
  }

 private:
  absl::Status TakePiece(const json& piece) {
    auto& pieces = out_.model.pieces;
    if (!piece.is_array() || piece.size() != 2 || !piece[0].is_string() ||
        !piece[1].is_number()) {
      return fields_.Unsupported(
          absl::StrCat("model.vocab[", pieces.size(), "]"), piece,
          "a pair of a piece and its score");
    }
    if (pieces.size() == static_cast<size_t>(max_pieces_)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: more than %d pieces; the model's vocab_size is "
                          "%d",
                          fields_.name(), max_pieces_, max_pieces_));
    }
    pieces.push_back({piece[0].get<std::string>(),
                      static_cast<float>(piece[1].get<double>()),
                      PieceType::kNormal});
    return absl::OkStatus();
  }

  // A pair of two tokens, or both in one string.
  absl::Status TakeMerge(const std::string* key, const json& merge) {
    if (key == nullptr && merge.is_string()) {
      return vocabulary_.AddMerge(merge.get_ref<const std::string&>());
    }
    if (key != nullptr || !merge.is_array() || merge.size() != 2 ||
        !merge[0].is_string() || !merge[1].is_string()) {
      return fields_.Unsupported("an element of model.merges", merge,
                                 "a pair of tokens");
    }
    return vocabulary_.AddMerge(merge[0].get_ref<const std::string&>(),
                                merge[1].get_ref<const std::string&>());
  }

  // Files of old versions have no type.
  absl::Status ReadModel(const json& file) {
    const json& model = Member(file, "model");
    const json& vocab = Member(model, "vocab");
    const json& type = Member(model, "type");
    const bool has_no_type = type.is_null() && model.is_object();
    const bool is_bpe = type == "BPE" || (has_no_type && vocab.is_object());
    if (!is_bpe && type != "Unigram" && !has_no_type) {
      return fields_.Unsupported("model.type", type, "BPE or Unigram");
    }
    if (is_bpe ? !vocab.is_object() : !vocab.is_array()) {
      return fields_.Unsupported("model.vocab", vocab,
                                 is_bpe ? "an object" : "an array");
    }
    if (!is_bpe) return ReadUnigram(model);
    return ReadBpe(model);
  }

  absl::Status ReadUnigram(const json& model) {
    auto& pieces = out_.model.pieces;
    const json& unknown = Member(model, "unk_id");
    if (!unknown.is_number_unsigned() ||
        unknown.get<uint64_t>() >= pieces.size()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: model.unk_id is %s; the id of a piece, 0..%d, is allowed",
          fields_.name(), Shown(unknown),
          static_cast<int64_t>(pieces.size()) - 1));
    }
    pieces[unknown.get<uint64_t>()].type = PieceType::kUnknown;
    const absl::StatusOr<bool> has_bytes =
        fields_.Bool("model", model, "byte_fallback", /*fallback=*/false);
    if (!has_bytes.ok()) return has_bytes.status();
    out_.model.has_byte_fallback = *has_bytes;
    if (*has_bytes) MarkBytePieces();
    return fields_.CheckKeys("model", model,
                             {"vocab", "unk_id", "byte_fallback"});
  }

  void MarkBytePieces() {
    for (SentencePieceModel::Piece& piece : out_.model.pieces) {
      if (BytePieceValue(piece.text) >= 0) piece.type = PieceType::kByte;
    }
  }

  absl::Status ReadBpe(const json& model) {
    BpeModel& bpe = out_.bpe.emplace();
    for (const auto& [key, flag] : {std::pair{"fuse_unk", &bpe.fuses_unknown},
                                    {"byte_fallback", &bpe.has_byte_fallback},
                                    {"ignore_merges", &bpe.ignores_merges}}) {
      const absl::StatusOr<bool> value =
          fields_.Bool("model", model, key, /*fallback=*/false);
      if (!value.ok()) return value.status();
      *flag = *value;
    }
    for (const char* key :
         {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const json& value = Member(model, key);
      if (!value.is_null() && value != "") {
        return fields_.Unsupported(absl::StrCat("model.", key), value,
                                   "an empty string");
      }
    }
    const json& dropout = Member(model, "dropout");
    if (!dropout.is_null() && dropout != 0) {
      return fields_.Unsupported("model.dropout", dropout, "null or 0");
    }
    const json& unknown = Member(model, "unk_token");
    if (!unknown.is_null() && !unknown.is_string()) {
      return fields_.Unsupported("model.unk_token", unknown, "a token or null");
    }
    if (unknown.is_string()) unknown_text_ = unknown.get<std::string>();
    const json& merges = Member(model, "merges");
    if (!merges.is_array()) {
      return fields_.Unsupported("model.merges", merges, "an array");
    }
    return fields_.CheckKeys(
        "model", model,
        {"vocab", "merges", "unk_token", "fuse_unk", "byte_fallback",
         "ignore_merges", "continuing_subword_prefix", "end_of_word_suffix",
         "dropout"});
  }

  absl::Status ReadSteps(const json& file) {
    absl::Status status =
        ReadNormalizer(fields_, Member(file, "normalizer"), out_.preparation);
    if (!status.ok()) return status;
    const json& pre_tokenizer = Member(file, "pre_tokenizer");
    const absl::StatusOr<bool> is_byte_level =
        ReadPreTokenizer(fields_, pre_tokenizer, out_.preparation);
    if (!is_byte_level.ok()) return is_byte_level.status();
    const json& decoder = Member(file, "decoder");
    const auto decoding = ReadDecoder(fields_, decoder);
    if (!decoding.ok()) return decoding.status();
    auto surrounding =
        ReadPostProcessor(fields_, Member(file, "post_processor"));
    if (!surrounding.ok()) return surrounding.status();
    surrounding_ = *std::move(surrounding);
    if (*is_byte_level != (*decoding == TokenizerDecoder::kByteLevel)) {
      return fields_.Unsupported(
          "decoder", decoder,
          "ByteLevel if pre_tokenizer is ByteLevel, and another otherwise");
    }
    SetDecoding(*decoding);
    if (!out_.bpe.has_value()) return CheckUnigramSteps(file, *decoding);
    out_.bpe->is_byte_level = *is_byte_level;
    status = vocabulary_.Finish(unknown_text_, *out_.bpe, out_.model.pieces);
    if (!status.ok()) return status;
    if (*decoding == TokenizerDecoder::kMarks ||
        *decoding == TokenizerDecoder::kMarksAfterFirst) {
      MarkBytePieces();
    }
    return absl::OkStatus();
  }

  void SetDecoding(TokenizerDecoder decoder) {
    const bool has_prefix =
        out_.preparation.prefix != TextPreparation::Prefix::kNever;
    out_.model.adds_dummy_prefix =
        decoder == TokenizerDecoder::kMarksAfterFirst ||
        (decoder == TokenizerDecoder::kMetaspace && has_prefix);
    out_.model.removes_extra_spaces = decoder == TokenizerDecoder::kMetaspace;
  }

  // SentencePiece encodes what is prepared, so that only its way of marking
  // words is possible.
  absl::Status CheckUnigramSteps(const json& file, TokenizerDecoder decoder) {
    if (!out_.preparation.marks_spaces) {
      return fields_.Unsupported("pre_tokenizer", Member(file, "pre_tokenizer"),
                                 "Metaspace with a Unigram model");
    }
    if (decoder != TokenizerDecoder::kMetaspace) {
      return fields_.Unsupported("decoder", Member(file, "decoder"),
                                 "Metaspace with a Unigram model");
    }
    if (surrounding_.after.empty()) {
      return fields_.Unsupported("post_processor",
                                 Member(file, "post_processor"),
                                 "one with a token after the text");
    }
    if (out_.preparation.words == TextPreparation::Words::kAtMarks) {
      MarkUnusedPieces();
    }
    return absl::OkStatus();
  }

  // Words are matched one by one, so that a piece with a mark after its first
  // character never matches. It still has a text.
  void MarkUnusedPieces() {
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

  absl::Status ReadAddedTokens(const json& file) {
    const json& tokens = Member(file, "added_tokens");
    if (!tokens.is_array() && !tokens.is_null()) {
      return fields_.Unsupported("added_tokens", tokens, "an array");
    }
    for (const json& token : tokens) {
      const std::string where = absl::StrCat(fields_.name(), ": added_tokens[",
                                             out_.added_tokens.size(), "]");
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
    FillGaps();
    return absl::OkStatus();
  }

  // An added token may have an id between those of the vocabulary.
  void FillGaps() {
    for (const AddedToken& token : out_.added_tokens) {
      if (token.id >= static_cast<int32_t>(out_.model.pieces.size())) continue;
      std::string& text = out_.model.pieces[token.id].text;
      if (text.empty() && out_.bpe.has_value()) text = token.text;
    }
  }

  absl::Status PlaceSurroundingTokens() {
    for (const auto& [tokens, ids] :
         {std::pair{&surrounding_.before, &out_.surrounding.before},
          {&surrounding_.after, &out_.surrounding.after}}) {
      ids->reserve(tokens->size());
      for (const NamedToken& token : *tokens) {
        if (!HasToken(token)) {
          return fields_.Invalid(
              "post_processor",
              absl::StrFormat("gives token %s the id %d; the id of that token "
                              "is allowed",
                              Quoted(token.text), token.id));
        }
        const auto id = static_cast<int32_t>(token.id);
        ids->push_back(id);
        if (id < static_cast<int32_t>(out_.model.pieces.size())) {
          out_.model.pieces[id].type = PieceType::kControl;
        }
      }
    }
    out_.model.eos_piece =
        surrounding_.after.empty() ? "" : surrounding_.after[0].text;
    return absl::OkStatus();
  }

  bool HasToken(const NamedToken& token) const {
    const auto& pieces = out_.model.pieces;
    if (token.id < static_cast<int64_t>(pieces.size())) {
      return pieces[token.id].text == token.text;
    }
    for (const AddedToken& added : out_.added_tokens) {
      if (added.id == token.id) return added.text == token.text;
    }
    return false;
  }

  const TokenizerJsonFields fields_;
  const int32_t max_pieces_;
  BpeVocabulary vocabulary_;
  std::string unknown_text_;  // of a BPE model; empty: none
  SurroundingTokens surrounding_;
  TokenizerDefinition out_;
};

}  // namespace

absl::StatusOr<TokenizerDefinition> ParseTokenizerJson(absl::string_view text,
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
  const TokenizerJsonFields fields(where);
  for (const auto& [key, flag] : flags) {
    // As in the reference, a special token is not normalized by itself.
    const bool fallback = flag == &token.is_normalized && !token.is_special;
    const absl::StatusOr<bool> value =
        fields.Bool(Quoted(token.text), object, key, fallback);
    if (!value.ok()) return value.status();
    *flag = *value;
  }
  return token;
}

}  // namespace sheaf
