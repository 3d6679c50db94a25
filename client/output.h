#pragma once

#include <string>

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

// The best hypothesis' text, or if it has none its ids as "5,6,7".
std::string BestText(const v1::GenerateResponse& response);

// "5,6,7"
std::string JoinIds(const v1::TokenIds& tokens);

// A line for each model under a line of titles, in columns; ends in a newline.
std::string ModelTable(const v1::ListModelsResponse& models);

// The text with spaces for its line breaks.
std::string JoinLineBreaks(std::string text);

// Nothing but spaces, tabs and line breaks.
bool IsBlank(absl::string_view text);

}  // namespace sheaf
