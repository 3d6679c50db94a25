// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/tokenizer.h"
#include "text/tokenizer_files.h"

namespace sheaf {

// How the tokens that `files` describe read.
Tokenizer::Table MakeTable(TokenizerFiles files);

// Makes the tokenizer that `files` describe. INVALID_ARGUMENT, which begins
// with `name`, if SentencePiece refuses the model. `wrap` surrounds the encoder
// with another.
absl::StatusOr<std::unique_ptr<const Tokenizer>> MakeTokenizer(
    TokenizerFiles files, absl::string_view name,
    absl::FunctionRef<Tokenizer::EncoderPtr(Tokenizer::EncoderPtr)> wrap =
        [](Tokenizer::EncoderPtr encoder) { return encoder; });

}  // namespace sheaf
