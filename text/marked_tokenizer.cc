// SPDX-License-Identifier: Apache-2.0

#include "text/marked_tokenizer.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/key_reader.h"
#include "text/make_tokenizer.h"
#include "text/piece_ids.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_files.h"
#include "text/tokenizer_json_check.h"

namespace sheaf {

namespace {

absl::StatusOr<TokenizerFiles> ReadMarkedFiles(const AddedTokenFiles& added) {
  const std::string path = added.directory + "/spiece.model";
  auto model = ReadSentencePieceFile(path, added.vocab_size);
  if (absl::IsNotFound(model.status())) return CollectTokensWithoutModel(added);
  if (!model.ok()) return model.status();
  KeyReader config(added.config.value, added.config.path);
  config.Int("offset", kMarkedOffset, kMarkedOffset, kMarkedOffset);
  if (!config.status().ok()) return config.status();
  TokenizerFiles files;
  files.model = *std::move(model);
  absl::Status status = SetIdsAfterMarks(path, files);
  if (!status.ok()) return status;
  status = CollectTokensBesideModel(added, path, files);
  if (!status.ok()) return status;
  return files;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadMarkedTokenizer(
    const AddedTokenFiles& added) {
  absl::StatusOr<TokenizerFiles> files = ReadMarkedFiles(added);
  if (!files.ok()) return files.status();
  return MakeTokenizer(*std::move(files), added.directory);
}

}  // namespace sheaf
