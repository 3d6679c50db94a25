#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "sheaf/v1/model.pb.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {

// One JSON object on one line, without a newline: text, finish_reason, usage,
// model, and the hypotheses (text, tokens, score, finish_reason) if the answer
// has any. For Generate, text and finish_reason are the best hypothesis', and
// its tokens come beside them.
std::string ToJson(const v1::TranslateResponse& response);
std::string ToJson(const v1::SummarizeResponse& response);
std::string ToJson(const v1::GenerateResponse& response);
// The fields of the message, by their names.
std::string ToJson(const v1::Model& model);

// The answer as plain text: of one hypothesis its text (of Generate its ids as
// "5,6,7" if it has no text), as it is. Of several, best first and `between`
// them, each as "SCORE<tab>TEXT" on one line.
std::string ToText(const v1::TranslateResponse& response,
                   absl::string_view between = "\n");
std::string ToText(const v1::SummarizeResponse& response);
std::string ToText(const v1::GenerateResponse& response);

// "5,6,7"
std::string JoinIds(const v1::TokenIds& tokens);

// A line for each model under a line of titles, in columns; ends in a newline.
std::string ModelTable(const v1::ListModelsResponse& models);

// "DEADLINE_EXCEEDED"; "CODE_42" for a number that has no name.
std::string CodeName(absl::StatusCode code);

// The text with spaces for its line breaks.
std::string JoinLineBreaks(std::string text);

// Nothing but spaces, tabs and line breaks.
bool IsBlank(absl::string_view text);

}  // namespace sheaf
