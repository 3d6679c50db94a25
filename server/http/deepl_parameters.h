// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/http/http_call.h"
#include "sheaf/v1/text.pb.h"
#include "text/documents/document.h"

namespace sheaf {

// The maximum number of texts of a request, as DeepL documents it.
inline constexpr size_t kMaxDeepLTexts = 50;

// What a request of DeepL's API asks for.
struct DeepLRequest {
  std::vector<std::string> texts;
  v1::TranslateRequest common;  // without text
  std::string model_type;       // that is returned; empty: none
  bool shows_billed_characters = false;
};

// The characters of a text as DeepL counts them: Unicode code points.
int64_t NumDeepLCharacters(absl::string_view text);

// Reads the parameters of /v2/translate, in JSON or as a form. INVALID_ARGUMENT
// names the parameter, its value and what is allowed.
//   - `glossary_id` becomes the glossary of the request: the id of one of the
//     caller's (TakeCallerGlossary()), or the name of one of the server
//     (--glossaries).
//   - `formality` is accepted where it may give way ("default", "prefer_more",
//     "prefer_less"), because no model has it.
//   - `context` and `preserve_formatting` are accepted and change nothing.
//   - `split_sentences` says how line breaks are read. Texts are always split
//     into sentences.
absl::StatusOr<DeepLRequest> ReadDeepLRequest(const HttpRequest& http);

// A file to translate.
struct DeepLDocument {
  std::string bytes;
  std::string extension;  // "txt"
  DocumentFormat format = DocumentFormat::kText;
  v1::TranslateRequest common;  // its languages and its glossary
};

// Reads the parameters of /v2/document. Errors are those of ReadDeepLRequest();
// the field of one about the file is "file".
absl::StatusOr<DeepLDocument> ReadDeepLDocument(const HttpRequest& http);

// Whether a request to /translate has the form of DeepLX: `text`, `source_lang`
// and `target_lang`, which LibreTranslate does not have.
bool IsDeepLX(const HttpRequest& http);

}  // namespace sheaf
