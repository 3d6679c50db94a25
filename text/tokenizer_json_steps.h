// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "text/text_preparation.h"
#include "text/tokenizer_json_fields.h"

namespace sheaf {

// The steps of a tokenizer.json around its model. Each function takes the value
// of one member of the file and accepts a closed set of kinds:
//   normalizer      null, Precompiled, NFC, NFKC, Strip, Prepend, Replace (of a
//                   string, or of runs of spaces), and a Sequence of these, in
//                   which Precompiled is the first
//   pre_tokenizer   null, ByteLevel, Split (after spaces), Metaspace, or
//                   WhitespaceSplit and Metaspace
//   post_processor  null, TemplateProcessing, RobertaProcessing,
//                   BertProcessing, ByteLevel, and a Sequence of these, of
//                   which one has tokens
//   decoder         Metaspace, ByteLevel, or a Sequence of Replace (of U+2581),
//                   ByteFallback, Fuse, and Strip (of the first space)
// UNIMPLEMENTED names the field of another kind. INVALID_ARGUMENT names the
// broken rule.

// Sets `out.charsmap` and `out.steps`.
absl::Status ReadNormalizer(const TokenizerJsonFields& fields,
                            const nlohmann::json& normalizer,
                            TextPreparation& out);

// Sets the members of `out` that are for words. Returns whether tokens are
// strings of bytes.
absl::StatusOr<bool> ReadPreTokenizer(const TokenizerJsonFields& fields,
                                      const nlohmann::json& pre_tokenizer,
                                      TextPreparation& out);

// A token and the text that it is said to have.
struct NamedToken {
  std::string text;
  int64_t id = -1;
};

// The tokens around a text. Not checked against the vocabulary.
struct SurroundingTokens {
  std::vector<NamedToken> before, after;
};

absl::StatusOr<SurroundingTokens> ReadPostProcessor(
    const TokenizerJsonFields& fields, const nlohmann::json& post_processor);

enum class TokenizerDecoder : uint8_t {
  kMetaspace,        // marks are spaces, and those at the beginning are dropped
  kMarks,            // marks are spaces
  kMarksAfterFirst,  // and a first space is dropped
  kByteLevel,        // tokens are bytes
};

absl::StatusOr<TokenizerDecoder> ReadDecoder(const TokenizerJsonFields& fields,
                                             const nlohmann::json& decoder);

}  // namespace sheaf
