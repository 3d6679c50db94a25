// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer_files.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "text/added_token_files.h"
#include "text/bpe_files.h"
#include "text/tokenizer_json.h"

namespace sheaf {
namespace {

constexpr char kSpaceMark[] = "\xE2\x96\x81";  // U+2581
constexpr float kScoreTolerance = 1e-5f;       // of scores written in decimals

absl::StatusOr<TokenizerDefinition> ReadTokenizerJson(const std::string& path,
                                                      int32_t vocab_size) {
  absl::StatusOr<std::string> text = ReadTextFile(path, kMaxTokenizerJsonBytes);
  if (!text.ok()) return text.status();
  return ParseTokenizerJson(*text, path, vocab_size);
}

// A model that does not use pieces that seem to be for bytes may be a mistake.
void WarnOfBytePieces(absl::string_view path, TokenizerFiles& files) {
  const bool has_byte_pieces = std::any_of(
      files.model.pieces.begin(), files.model.pieces.end(),
      [](const auto& piece) { return BytePieceValue(piece.text) >= 0; });
  if (!has_byte_pieces || files.model.has_byte_fallback) return;
  files.warnings.push_back(absl::StrCat(
      path,
      ": model.byte_fallback is false although there are pieces for "
      "bytes; characters without a piece are unknown"));
}

// `path` is that of the file that has the pieces.
absl::Status TakeDefinition(TokenizerDefinition json, absl::string_view path,
                            AddedTokenFiles& added, TokenizerFiles& out) {
  added.has_tokenizer_json = true;
  added.json_tokens = std::move(json.added_tokens);
  out.model = std::move(json.model);
  out.model.charsmap = json.preparation.charsmap;
  out.bpe = std::move(json.bpe);
  out.preparation = std::move(json.preparation);
  out.surrounding = std::move(json.surrounding);
  if (out.bpe.has_value()) return absl::OkStatus();
  WarnOfBytePieces(path, out);
  absl::Status status = CheckSentencePieceModel(out.model);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
}

// `vocab.json` and `merges.txt`. NotFound if there is no merges.txt.
absl::Status ReadBpeFilePair(AddedTokenFiles& added, TokenizerFiles& out) {
  KeyReader config(added.config.value, added.config.path);
  const bool has_prefix =
      config.Bool("add_prefix_space", /*default_value=*/false);
  if (!config.status().ok()) return config.status();
  absl::StatusOr<TokenizerDefinition> json =
      ReadBpeFiles(added.directory, added.vocab_size, has_prefix);
  if (!json.ok()) return json.status();
  return TakeDefinition(*std::move(json), added.directory + "/vocab.json",
                        added, out);
}

class Joiner {
 public:
  Joiner(const std::string& directory, int32_t vocab_size)
      : directory_(directory), vocab_size_(vocab_size) {}

  absl::StatusOr<TokenizerFiles> Read() {
    for (absl::Status (Joiner::*step)() :
         {&Joiner::ReadFiles, &Joiner::JoinModels}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    absl::Status status = CollectAddedTokens(std::move(files_), out_);
    if (!status.ok()) return status;
    return std::move(out_);
  }

 private:
  absl::Status ReadFiles() {
    absl::StatusOr<AddedTokenFiles> files =
        ReadAddedTokenFiles(directory_, vocab_size_);
    if (!files.ok()) return files.status();
    files_ = *std::move(files);
    files_.has_sentinels = true;
    auto model = ReadSentencePieceFile(SpiecePath(), vocab_size_);
    if (absl::IsNotFound(model.status())) return ReadOthers();
    if (!model.ok()) return model.status();
    out_.model = *std::move(model);
    auto json = ReadTokenizerJson(JsonPath(), vocab_size_);
    if (absl::IsUnimplemented(json.status())) {
      Warn(absl::StrCat(json.status().message(), "; spiece.model is used"));
    } else if (json.ok() && json->bpe.has_value()) {
      Warn(absl::StrCat(JsonPath(),
                        ": model.type is \"BPE\"; spiece.model is used"));
    } else if (json.ok()) {
      json_ = *std::move(json);
    } else if (!absl::IsNotFound(json.status())) {
      return json.status();
    }
    files_.has_tokenizer_json = json_.has_value();
    return absl::OkStatus();
  }

  absl::Status ReadOthers() {
    absl::Status status = ReadTokenizerJsonAlone(files_, out_);
    if (absl::IsNotFound(status) || absl::IsUnimplemented(status)) {
      const absl::Status other = ReadBpeFilePair(files_, out_);
      if (other.ok() && absl::IsUnimplemented(status)) {
        Warn(absl::StrCat(status.message(),
                          "; vocab.json and merges.txt are used"));
      }
      if (!absl::IsNotFound(other)) status = other;
    }
    // Only SentencePiece models of this kind were trained with sentinels.
    files_.has_sentinels = !out_.bpe.has_value();
    if (!absl::IsNotFound(status)) return status;
    return absl::NotFoundError(absl::StrCat(
        directory_,
        ": has no spiece.model, tokenizer.json, or vocab.json and merges.txt"));
  }

  absl::Status JoinModels() {
    if (out_.preparation.has_value()) return absl::OkStatus();
    if (!json_.has_value()) return PrepareAsConfigSays();
    out_.preparation = json_->preparation;
    files_.json_tokens = json_->added_tokens;
    return CheckModelsAgree();
  }

  // The pieces of both files must be equal. Those that only tokenizer.json has
  // are added tokens.
  absl::Status CheckModelsAgree() {
    const auto& pieces = out_.model.pieces;
    const auto& others = json_->model.pieces;
    absl::flat_hash_map<size_t, absl::string_view> added;  // by id
    for (const AddedToken& token : json_->added_tokens) {
      added[token.id] = token.text;
    }
    for (size_t id = 0; id < std::max(pieces.size(), others.size()); ++id) {
      const bool is_there = id < others.size();
      const bool is_same = is_there && id < pieces.size() &&
                           pieces[id].text == others[id].text &&
                           std::abs(pieces[id].score - others[id].score) <=
                               kScoreTolerance * std::abs(pieces[id].score);
      const bool is_added =
          is_there && id >= pieces.size() && added[id] == others[id].text;
      if (is_same || is_added) continue;
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s and %s disagree on piece %d: %s, %s", SpiecePath(), JsonPath(),
          id, ShownPiece(pieces, id), ShownPiece(others, id)));
    }
    if (out_.model.eos_piece != json_->model.eos_piece) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s and %s disagree on the token that ends a text: %s, %s",
          SpiecePath(), JsonPath(), Quoted(out_.model.eos_piece),
          Quoted(json_->model.eos_piece)));
    }
    if (out_.model.charsmap != json_->preparation.charsmap) {
      Warn(absl::StrCat(JsonPath(), ": normalizes in another way than ",
                        SpiecePath(), ", which is followed"));
      out_.preparation->charsmap = out_.model.charsmap;
    }
    if (out_.model.has_byte_fallback != json_->model.has_byte_fallback) {
      Warn(absl::StrCat(JsonPath(),
                        ": model.byte_fallback differs from that of ",
                        SpiecePath(), ", which is followed"));
    }
    return absl::OkStatus();
  }

  static std::string ShownPiece(
      const std::vector<SentencePieceModel::Piece>& pieces, size_t id) {
    if (id >= pieces.size()) return "none";
    return absl::StrCat(Quoted(pieces[id].text), " of score ",
                        pieces[id].score);
  }

  // If "legacy" is false, texts are prepared as transformers 4 does with a
  // spiece.model, and as it would write into a tokenizer.json.
  absl::Status PrepareAsConfigSays() {
    const auto legacy = files_.config.value.find("legacy");
    if (legacy == files_.config.value.end() || *legacy != false ||
        !out_.model.adds_dummy_prefix) {
      return absl::OkStatus();
    }
    TextPreparation& preparation = out_.preparation.emplace();
    preparation.charsmap = out_.model.charsmap;
    using Step = TextPreparation::Step;
    preparation.steps = {
        {.kind = Step::Kind::kStrip, .strips_end = true},
        {.kind = Step::Kind::kReplaceRuns, .content = kSpaceMark}};
    preparation.prefix = TextPreparation::Prefix::kFirst;
    return absl::OkStatus();
  }

  std::string SpiecePath() const { return directory_ + "/spiece.model"; }
  std::string JsonPath() const { return directory_ + "/tokenizer.json"; }
  void Warn(std::string warning) {
    out_.warnings.push_back(std::move(warning));
  }

  const std::string& directory_;
  const int32_t vocab_size_;
  std::optional<TokenizerDefinition> json_;  // in addition to spiece.model
  AddedTokenFiles files_;
  TokenizerFiles out_;
};

}  // namespace

absl::Status ReadTokenizerJsonAlone(AddedTokenFiles& added,
                                    TokenizerFiles& out) {
  const std::string path = added.directory + "/tokenizer.json";
  absl::StatusOr<TokenizerDefinition> json =
      ReadTokenizerJson(path, added.vocab_size);
  if (!json.ok()) return json.status();
  return TakeDefinition(*std::move(json), path, added, out);
}

absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& directory,
                                                  int32_t vocab_size) {
  return Joiner(directory, vocab_size).Read();
}

}  // namespace sheaf
