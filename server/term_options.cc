// SPDX-License-Identifier: Apache-2.0

#include "server/term_options.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/field_error.h"

namespace sheaf {
namespace {

using absl::StatusCode;

constexpr int kMaxTerms = 1000;
constexpr size_t kMaxTermsBytes = 256 << 10;

std::string NameOfTerm(int32_t index) {
  return absl::StrCat("glossary_terms[", index, "]");
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Glossary>> ReadGlossaryTerms(
    const v1::TranslateRequest& request) {
  const int num_terms = request.glossary_terms_size();
  if (num_terms == 0) return nullptr;
  if (num_terms > kMaxTerms) {
    return FieldError(StatusCode::kInvalidArgument, "glossary_terms",
                      "has %d terms; this server allows 0..%d", num_terms,
                      kMaxTerms);
  }
  size_t num_bytes = 0;
  auto glossary = std::make_shared<Glossary>(NameOfTerm);
  for (int i = 0; i < num_terms; ++i) {
    const v1::GlossaryTerm& term = request.glossary_terms(i);
    const std::vector<absl::string_view> targets(term.targets().begin(),
                                                 term.targets().end());
    num_bytes += term.source().size();
    for (absl::string_view target : targets) num_bytes += target.size();
    if (num_bytes > kMaxTermsBytes) {
      return FieldError(StatusCode::kInvalidArgument, "glossary_terms",
                        "has more than %d bytes", kMaxTermsBytes);
    }
    const absl::Status status = glossary->Add(term.source(), targets, i);
    if (status.ok()) continue;
    return FieldError(StatusCode::kInvalidArgument, NameOfTerm(i), "%s",
                      absl::StrCat("cannot be used: ", status.message()));
  }
  return glossary;
}

absl::StatusOr<std::shared_ptr<const Glossary>> FindGlossary(
    const v1::TranslateRequest& request, absl::string_view source_language,
    const Glossaries* glossaries) {
  if (request.glossary().empty()) return nullptr;
  if (glossaries == nullptr) {
    return FieldError(StatusCode::kInvalidArgument, "glossary",
                      "is \"%s\"; this server has no glossaries",
                      Escaped(request.glossary()));
  }
  absl::StatusOr<std::shared_ptr<const Glossary>> found = glossaries->Find(
      request.glossary(), source_language, request.target_language());
  if (!found.ok()) return WithField(found.status(), "glossary");
  return found;
}

}  // namespace sheaf
