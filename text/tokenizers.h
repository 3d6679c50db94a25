// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace sheaf {

// A language of a multilingual model, with the token that names it.
struct LanguageToken {
  // As the checkpoint writes it, without the marks of a token: "deu_Latn",
  // "de_DE", "de", "cmn_Hans".
  std::string code;
  int32_t id = -1;
};

// Where the tokens of languages stand.
struct LanguagePlaces {
  enum class Source : uint8_t { kNowhere, kBeforeText, kAfterEnd };
  enum class Target : uint8_t {
    kNowhere,
    kBeforeText,    // of the source; the model knows no source languages
    kDecoderStart,  // in place of the model's start token
    kFirst,         // the first token of every answer
  };
  Source source = Source::kNowhere;
  Target target = Target::kNowhere;
  // The token of texts whose source language is not given. -1: none.
  int32_t default_source_id = -1;
};

// The tokenizers and languages of a model directory.
struct Tokenizers {
  // For the texts that the model reads and writes. The same object, unless the
  // model has two vocabularies or two SentencePiece models. Both null: none.
  std::shared_ptr<const Tokenizer> source;
  std::shared_ptr<const Tokenizer> target;
  // The languages of a multilingual model, in the order of their ids. Empty for
  // other models.
  std::vector<LanguageToken> languages;
  LanguagePlaces places;

  // The content of the directory's files that is not followed, each with its
  // effect.
  std::vector<std::string> warnings() const;
};

}  // namespace sheaf
