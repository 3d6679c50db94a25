// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_terms.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "server/http/deepl_glossary_backend.h"
#include "text/languages.h"

namespace sheaf {

TextWork::Item TranslationItem(const RequestReader* reader,
                               v1::TranslateRequest request,
                               std::shared_ptr<const Glossary> glossary) {
  const auto num_bytes = static_cast<int64_t>(request.ByteSizeLong());
  return {[reader, request = std::move(request),
           glossary = std::move(glossary)](RequestReader::IsWanted is_wanted) {
            return reader->Read(request, is_wanted, glossary);
          },
          num_bytes};
}

absl::StatusOr<std::shared_ptr<const Glossary>> TakeCallerGlossary(
    const CallerGlossaries* glossaries, absl::string_view caller,
    v1::TranslateRequest& request) {
  if (glossaries == nullptr || request.glossary().empty()) return nullptr;
  const CallerGlossaries::Item item =
      glossaries->Get(caller, request.glossary());
  if (item == nullptr) return nullptr;
  const std::optional<Language> source =
      ReadLanguage(request.source_language());
  const std::optional<Language> target =
      ReadLanguage(request.target_language());
  const auto dictionary =
      FindDictionary(*item, source ? source->code : request.source_language(),
                     target ? target->code : request.target_language());
  if (!dictionary.ok()) return dictionary.status();
  request.clear_glossary();
  return (*dictionary)->terms;
}

}  // namespace sheaf
