// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "sheaf/v1/model.pb.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {

// Returns one JSON object on one line, without a newline: text, finish_reason,
// usage, model, and the hypotheses (text, tokens, score, finish_reason) and the
// segments (source and target as [begin, end) in code points, mean_logprob,
// warnings) if the answer has any. For Generate, text, finish_reason and tokens
// are those of the best hypothesis.
std::string ToJson(const v1::TranslateResponse& response);
std::string ToJson(const v1::SummarizeResponse& response);
std::string ToJson(const v1::GenerateResponse& response);
// Returns the fields of the message, by their names.
std::string ToJson(const v1::Model& model);
std::string ToJson(const v1::DetectedLanguages& languages);

// Returns the answer as plain text. One hypothesis gives its text, unchanged,
// or for Generate its ids as "5,6,7" if it has no text. Several give one
// "SCORE<tab>TEXT" each, best first, with `between` them.
std::string ToText(const v1::TranslateResponse& response,
                   absl::string_view between = "\n");
std::string ToText(const v1::SummarizeResponse& response);
// The most confident language, a tab and its confidence; "und" without one.
std::string ToText(const v1::DetectedLanguages& languages);
std::string ToText(const v1::GenerateResponse& response);

// "5,6,7"
std::string JoinIds(const v1::TokenIds& tokens);

// Returns a table with a line of titles and one line per model. Ends in a
// newline.
std::string ModelTable(const v1::ListModelsResponse& models);

// "DEADLINE_EXCEEDED"; "CODE_42" for a number that has no name.
std::string CodeName(absl::StatusCode code);

// Returns the text with spaces in place of its line breaks.
std::string JoinLineBreaks(std::string text);

// Whether the text consists of spaces, tabs and line breaks.
bool IsBlank(absl::string_view text);

}  // namespace sheaf
