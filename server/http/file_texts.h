// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/http/text_call.h"
#include "sheaf/v1/text.pb.h"
#include "text/documents/document.h"

namespace sheaf {

// A file with more texts is refused.
inline constexpr size_t kMaxFileTexts = 10'000;

// The extensions of the files that are translated: ".txt", ".md".
std::vector<std::string> TranslatedFileExtensions();

// "txt" of "a.b.TXT"; empty unless it has letters and digits only.
std::string ExtensionOfFile(absl::string_view file_name);

// A file and the requests that translate its texts.
struct FileTexts {
  std::shared_ptr<const Document> document;
  // One for each unit of the document. If it has none, there is one with a
  // blank text, so that the languages are checked all the same.
  std::vector<v1::TranslateRequest> requests;

  // The translated file. `answers` are those to the requests.
  absl::StatusOr<std::string> Write(
      const std::vector<TextAnswer>& answers) const;
};

// INVALID_ARGUMENT names what is not allowed. The source may be empty.
absl::StatusOr<FileTexts> ReadFileTexts(DocumentFormat format,
                                        std::string bytes,
                                        const std::string& source,
                                        const std::string& target);

}  // namespace sheaf
