// SPDX-License-Identifier: Apache-2.0

#include "text/bpe_files.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "text/bpe_vocabulary.h"
#include "text/utf8.h"
#include "text/vocab_json.h"

namespace sheaf {
namespace {

constexpr uint64_t kMaxMergesBytes = uint64_t{64} << 20;

absl::Status ReadVocabulary(const std::string& path, int32_t vocab_size,
                            BpeVocabulary& vocabulary) {
  const absl::StatusOr<std::vector<std::string>> tokens =
      ReadVocabJson(path, vocab_size);
  if (absl::IsNotFound(tokens.status())) {
    return absl::InvalidArgumentError(tokens.status().message());
  }
  if (!tokens.ok()) return tokens.status();
  for (size_t id = 0; id < tokens->size(); ++id) {
    if ((*tokens)[id].empty()) continue;
    absl::Status status = vocabulary.AddToken((*tokens)[id], id);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// One merge per line, after a line with the version.
absl::Status AddMerges(const std::string& path, absl::string_view text,
                       BpeVocabulary& vocabulary) {
  if (!IsValidUtf8(text)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is not valid UTF-8"));
  }
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty() || absl::StartsWith(line, "#version")) continue;
    absl::Status status = vocabulary.AddMerge(line);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Ids of tokens that the class of the tokenizer names.
absl::Status NameTokens(const std::string& path, TokenizerDefinition& out) {
  int32_t begin = -1, end = -1;
  auto& pieces = out.model.pieces;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (pieces[i].text == "<s>") begin = id;
    if (pieces[i].text == "</s>") end = id;
    if (pieces[i].text == "<mask>") pieces[i].type = PieceType::kControl;
  }
  if (begin < 0 || end < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": there is no token ", Quoted(begin < 0 ? "<s>" : "</s>")));
  }
  out.surrounding = {.before = {begin}, .after = {end}};
  pieces[begin].type = PieceType::kControl;
  pieces[end].type = PieceType::kControl;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerDefinition> ReadBpeFiles(const std::string& directory,
                                                 int32_t vocab_size,
                                                 bool adds_prefix_space) {
  const std::string merges_path = directory + "/merges.txt";
  const absl::StatusOr<std::string> merges =
      ReadTextFile(merges_path, kMaxMergesBytes);
  if (!merges.ok()) return merges.status();
  const std::string path = directory + "/vocab.json";
  const std::string name = absl::StrCat(path, " and merges.txt");
  BpeVocabulary vocabulary(name, vocab_size);
  absl::Status status = ReadVocabulary(path, vocab_size, vocabulary);
  if (!status.ok()) return status;
  status = AddMerges(merges_path, *merges, vocabulary);
  if (!status.ok()) return status;
  TokenizerDefinition out;
  BpeModel& bpe = out.bpe.emplace();
  bpe.is_byte_level = true;
  status = vocabulary.Finish("<unk>", bpe, out.model.pieces);
  if (!status.ok()) return status;
  status = NameTokens(path, out);
  if (!status.ok()) return status;
  out.model.adds_dummy_prefix = false;
  out.model.removes_extra_spaces = false;
  out.preparation.marks_spaces = false;
  out.preparation.prefix = adds_prefix_space ? TextPreparation::Prefix::kAlways
                                             : TextPreparation::Prefix::kNever;
  out.preparation.words = TextPreparation::Words::kByPattern;
  return out;
}

}  // namespace sheaf
