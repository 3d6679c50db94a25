// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer_json_check.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "text/tokenizer_json.h"

namespace sheaf {
namespace {

// `others` are the tokens of the file `path`.
absl::Status CheckTokens(const std::vector<SentencePieceModel::Piece>& others,
                         absl::string_view path, absl::string_view model_path,
                         const TokenizerFiles& files) {
  const auto& tokens = files.tokens();
  absl::flat_hash_map<size_t, absl::string_view> added;  // by id
  for (const AddedToken& token : files.added_tokens) {
    added[token.id] = token.text;
  }
  for (size_t id = 0; id < others.size(); ++id) {
    if (others[id].text.empty()) continue;  // an id that no token has
    absl::string_view text;
    if (id < tokens.size()) {
      text = tokens[id].text;
    } else if (const auto found = added.find(id); found != added.end()) {
      text = found->second;
    }
    if (text == others[id].text) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s and %s disagree on token %d: %s, %s", model_path, path, id,
        text.empty() ? "none" : Quoted(text), Quoted(others[id].text)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CollectTokensBesideModel(AddedTokenFiles added,
                                      const std::string& model_path,
                                      TokenizerFiles& files) {
  const std::string path = added.directory + "/tokenizer.json";
  const absl::StatusOr<std::string> text =
      ReadTextFile(path, kMaxTokenizerJsonBytes);
  if (absl::IsNotFound(text.status())) {
    return CollectAddedTokens(std::move(added), files);
  }
  if (!text.ok()) return text.status();
  absl::StatusOr<TokenizerDefinition> parsed =
      ParseTokenizerJson(*text, path, added.vocab_size);
  if (absl::IsUnimplemented(parsed.status())) {
    files.warnings.push_back(
        absl::StrCat(parsed.status().message(), "; ", model_path, " is used"));
    return CollectAddedTokens(std::move(added), files);
  }
  if (!parsed.ok()) return parsed.status();
  added.has_tokenizer_json = true;
  added.json_tokens = std::move(parsed->added_tokens);
  absl::Status status = CollectAddedTokens(std::move(added), files);
  if (!status.ok()) return status;
  return CheckTokens(parsed->model.pieces, path, model_path, files);
}

absl::StatusOr<TokenizerFiles> CollectTokensWithoutModel(
    AddedTokenFiles added) {
  TokenizerFiles files;
  absl::Status status = ReadTokenizerJsonAlone(added, files);
  if (!status.ok()) return status;
  files.keeps_space_of_unknown = true;
  status = CollectAddedTokens(std::move(added), files);
  if (!status.ok()) return status;
  return files;
}

}  // namespace sheaf
