// SPDX-License-Identifier: Apache-2.0

#include "text/language_tokenizers.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "text/added_token_files.h"
#include "text/language_tag_encoder.h"
#include "text/make_tokenizer.h"
#include "text/piece_ids.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_files.h"
#include "text/tokenizer_json_check.h"
#include "text/vocab_json.h"

namespace sheaf {
namespace {

// Pieces that vocab.json does not have are unknown, so there may be more pieces
// than tokens.
constexpr int32_t kMaxPieces = 1 << 20;

constexpr char kModelName[] = "sentencepiece.bpe.model";

// A file that is not there, although another shows that it should be, is not
// NotFound.
template <typename T>
absl::StatusOr<T> Required(absl::StatusOr<T> file) {
  if (!absl::IsNotFound(file.status())) return file;
  return absl::InvalidArgumentError(file.status().message());
}

// The status of a tokenizer whose first file `missing` is not there: NotFound
// if the others are not there either.
absl::Status NoTokenizer(const std::string& directory,
                         absl::string_view missing,
                         std::initializer_list<absl::string_view> others) {
  for (absl::string_view other : others) {
    std::error_code error;
    if (std::filesystem::exists(absl::StrCat(directory, "/", other), error)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: has %s but no %s", directory, other, missing));
    }
  }
  return absl::NotFoundError(
      absl::StrFormat("%s: has no %s", directory, missing));
}

// A SentencePiece model whose pieces have the ids of a vocabulary.
absl::StatusOr<TokenizerFiles> ReadPiecesOfVocabulary(
    const std::string& model_path, const std::string& vocab_path,
    int32_t vocab_size, const AddedTokenFiles& added) {
  auto model = ReadSentencePieceFile(model_path, kMaxPieces);
  if (!model.ok()) return model.status();
  auto tokens = Required(ReadVocabJson(vocab_path, vocab_size));
  if (!tokens.ok()) return tokens.status();
  TokenizerFiles files;
  files.model = *std::move(model);
  const std::string unknown = SpecialTokenText(added, "unk_token", "<unk>");
  const std::string end = SpecialTokenText(added, "eos_token", "</s>");
  absl::Status status =
      SetIdsByVocabulary(vocab_path, *std::move(tokens), unknown, end, files);
  if (!status.ok()) return status;
  return files;
}

constexpr size_t kTagMarks = 4;  // the bytes of ">>" and "<<"

using TagIds = absl::flat_hash_map<std::string, int32_t>;

TagIds FindTags(const std::vector<SentencePieceModel::Piece>& tokens) {
  TagIds ids;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string& text = tokens[id].text;
    // A tag without a code names no language.
    if (text.size() > kTagMarks && LanguageTag(text) == text) {
      ids[text] = static_cast<int32_t>(id);
    }
  }
  return ids;
}

std::vector<LanguageToken> LanguagesOf(const TagIds& tags) {
  std::vector<LanguageToken> languages;
  languages.reserve(tags.size());
  for (const auto& [tag, id] : tags) {
    languages.push_back(
        {tag.substr(kTagMarks / 2, tag.size() - kTagMarks), id});
  }
  std::sort(languages.begin(), languages.end(),
            [](const LanguageToken& a, const LanguageToken& b) {
              return a.id < b.id;
            });
  return languages;
}

int32_t UnknownId(const TokenizerFiles& files) {
  const auto& tokens = files.tokens();
  const auto unknown = std::find_if(
      tokens.begin(), tokens.end(),
      [](const auto& token) { return token.type == PieceType::kUnknown; });
  return static_cast<int32_t>(unknown - tokens.begin());
}

// The tokenizer of one side of a pair.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadSide(
    const std::string& model_path, const std::string& vocab_path,
    int32_t vocab_size, const AddedTokenFiles& added,
    std::vector<LanguageToken>* languages) {
  absl::StatusOr<TokenizerFiles> files =
      ReadPiecesOfVocabulary(model_path, vocab_path, vocab_size, added);
  if (!files.ok()) return files.status();
  AddedTokenFiles side = added;
  side.vocab_size = vocab_size;
  absl::Status status = CollectAddedTokens(std::move(side), *files);
  if (!status.ok()) return status;
  TagIds tags = FindTags(files->tokens());
  if (languages != nullptr) *languages = LanguagesOf(tags);
  const int32_t unknown_id = UnknownId(*files);
  return MakeTokenizer(
      *std::move(files), model_path,
      [&](Tokenizer::EncoderPtr encoder) -> Tokenizer::EncoderPtr {
        return std::make_unique<const LanguageTagEncoder>(
            std::move(encoder), std::move(tags), unknown_id);
      });
}

// The tokens that follow the pieces. Languages that only added_tokens.json has
// are among them, because they are control tokens too.
std::vector<AddedToken> ImpliedTokens(const LanguageScheme& scheme,
                                      const AddedTokenFiles& added,
                                      const TokenizerFiles& files) {
  const auto& tokens = files.tokens();
  int64_t id = std::count_if(tokens.begin(), tokens.end(),
                             [](const auto& t) { return !t.text.empty(); });
  std::vector<AddedToken> implied;
  implied.reserve(scheme.languages.codes.size() + 1);
  const auto add = [&](std::string text) {
    AddedToken token;
    token.text = std::move(text);
    token.id = static_cast<int32_t>(id++);
    implied.push_back(std::move(token));
  };
  for (const std::string& code : scheme.languages.codes) {
    add(scheme.languages.TokenOf(code));
  }
  if (scheme.has_mask) add("<mask>");
  for (const auto& [text, id] : added.list.value.items()) {
    if (!scheme.languages.CodeOf(text).empty()) add(text);
  }
  return implied;
}

absl::StatusOr<int32_t> DefaultSource(
    const LanguageScheme& scheme, const NamedObject& config,
    const std::vector<LanguageToken>& languages) {
  constexpr absl::string_view kKey = "src_lang";
  KeyReader reader(config.value, config.path);
  const nlohmann::json* value = reader.Find(kKey);
  const nlohmann::json code =
      value != nullptr ? *value
                       : nlohmann::json(std::string(scheme.default_source));
  for (const LanguageToken& language : languages) {
    if (code == language.code) return language.id;
  }
  if (value == nullptr) return -1;
  reader.Refuse(kKey, *value, "a language of the tokenizer");
  return reader.status();
}

// The SentencePiece model with the ids of its pieces.
absl::StatusOr<TokenizerFiles> ReadPieces(const AddedTokenFiles& added,
                                          const LanguageScheme& scheme) {
  const std::string path = absl::StrCat(added.directory, "/", kModelName);
  if (scheme.has_vocabulary) {
    return ReadPiecesOfVocabulary(path, added.directory + "/vocab.json",
                                  added.vocab_size, added);
  }
  auto model = ReadSentencePieceFile(path, added.vocab_size);
  if (!model.ok()) return model.status();
  TokenizerFiles files;
  files.model = *std::move(model);
  absl::Status status = SetIdsAfterFour(path, files);
  if (!status.ok()) return status;
  return files;
}

// The pieces, the languages and all other tokens.
absl::StatusOr<TokenizerFiles> ReadLanguageFiles(const AddedTokenFiles& added,
                                                 const LanguageScheme& scheme) {
  absl::StatusOr<TokenizerFiles> files = ReadPieces(added, scheme);
  if (absl::IsNotFound(files.status())) {
    files = CollectTokensWithoutModel(added);
    if (!absl::IsNotFound(files.status())) return files;
    return NoTokenizer(added.directory, kModelName, {"vocab.json"});
  }
  if (!files.ok()) return files;
  AddedTokenFiles with_languages = added;
  with_languages.implied_tokens = ImpliedTokens(scheme, added, *files);
  absl::Status status = CollectTokensBesideModel(
      std::move(with_languages), absl::StrCat(added.directory, "/", kModelName),
      *files);
  if (!status.ok()) return status;
  return files;
}

}  // namespace

absl::StatusOr<Tokenizers> LoadPairTokenizers(const std::string& directory,
                                              int32_t source_vocab_size,
                                              int32_t target_vocab_size) {
  const absl::StatusOr<AddedTokenFiles> added =
      ReadAddedTokenFiles(directory, source_vocab_size);
  if (!added.ok()) return added.status();
  KeyReader config(added->config.value, added->config.path);
  const bool is_separate =
      config.Bool("separate_vocabs", /*default_value=*/false);
  if (!config.status().ok()) return config.status();
  const std::string vocab_path = directory + "/vocab.json";
  Tokenizers out;
  auto source = LoadSide(directory + "/source.spm", vocab_path,
                         source_vocab_size, *added, &out.languages);
  if (absl::IsNotFound(source.status())) {
    return NoTokenizer(directory, "source.spm", {"target.spm", "vocab.json"});
  }
  if (!source.ok()) return source.status();
  auto target = Required(
      LoadSide(directory + "/target.spm",
               is_separate ? directory + "/target_vocab.json" : vocab_path,
               target_vocab_size, *added, /*languages=*/nullptr));
  if (!target.ok()) return target.status();
  out.source = *std::move(source);
  out.target = *std::move(target);
  if (!out.languages.empty()) {
    out.places.target = LanguagePlaces::Target::kBeforeText;
  }
  return out;
}

absl::StatusOr<Tokenizers> LoadLanguageTokenizers(
    const AddedTokenFiles& added, const LanguageScheme& scheme) {
  absl::StatusOr<TokenizerFiles> files = ReadLanguageFiles(added, scheme);
  if (!files.ok()) return files.status();
  Tokenizers out;
  out.places = scheme.places;
  out.languages = scheme.languages.Find(files->added_tokens);
  const absl::StatusOr<int32_t> source =
      DefaultSource(scheme, added.config, out.languages);
  if (!source.ok()) return source.status();
  out.places.default_source_id = *source;
  auto tokenizer = MakeTokenizer(*std::move(files), added.directory);
  if (!tokenizer.ok()) return tokenizer.status();
  out.source = *std::move(tokenizer);
  out.target = out.source;
  return out;
}

}  // namespace sheaf
