// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/added_token_files.h"
#include "text/language_lists.h"
#include "text/tokenizers.h"

namespace sheaf {

// Functions that read the tokenizers of models for translation. NotFound if the
// directory has none. Any other error names the file, the field and what is
// allowed. The files are untrusted input.

// `source.spm` and `target.spm`, whose pieces have the ids of `vocab.json`. If
// `separate_vocabs` in tokenizer_config.json is true, the pieces of target.spm
// have those of `target_vocab.json`. Tokens of vocab.json such as ">>deu<<" are
// target languages.
absl::StatusOr<Tokenizers> LoadPairTokenizers(const std::string& directory,
                                              int32_t source_vocab_size,
                                              int32_t target_vocab_size);

// Properties of a family that no file of LoadLanguageTokenizers() has.
struct LanguageScheme {
  LanguageList languages;
  // Whether pieces have the ids of `vocab.json`, rather than SetIdsAfterFour().
  bool has_vocabulary = false;
  bool has_mask = false;             // <mask> follows the languages
  LanguagePlaces places;             // without default_source_id
  absl::string_view default_source;  // if no file names another; a code
};

// `sentencepiece.bpe.model`, followed by the tokens of the languages, or a
// tokenizer.json that has both. `src_lang` in tokenizer_config.json names the
// default source.
absl::StatusOr<Tokenizers> LoadLanguageTokenizers(const AddedTokenFiles& added,
                                                  const LanguageScheme& scheme);

}  // namespace sheaf
