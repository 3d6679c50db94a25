// SPDX-License-Identifier: Apache-2.0

#include "text/terms/glossary_file.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "base/input_file.h"

namespace sheaf {
namespace {

std::string NameOfLine(int32_t line) { return absl::StrCat("line ", line); }

absl::Status AddLine(absl::string_view line, int32_t number,
                     Glossary& glossary) {
  absl::ConsumeSuffix(&line, "\r");
  if (absl::StartsWith(line, "#") || absl::StripAsciiWhitespace(line).empty()) {
    return absl::OkStatus();
  }
  const std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
  if (fields.size() < 2) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "is %s; allowed is a source term, a tab and a target", Quoted(line)));
  }
  return glossary.Add(fields[0], absl::MakeConstSpan(fields).subspan(1),
                      number);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Glossary>> ParseGlossary(
    absl::string_view text) {
  constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
  absl::ConsumePrefix(&text, kByteOrderMark);
  auto glossary = std::make_shared<Glossary>(NameOfLine);
  int32_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::Status status = AddLine(line, ++number, *glossary);
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(NameOfLine(number), ": ", status.message()));
  }
  return glossary;
}

}  // namespace sheaf
