// SPDX-License-Identifier: Apache-2.0

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "tests/fuzz/targets.h"
#include "text/terms/glossary.h"
#include "text/terms/glossary_file.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr absl::string_view kSeparator = "\n----\n";

// The matches are separate, in order, and whole characters of the text.
void CheckMatches(const Glossary& glossary, absl::string_view text) {
  size_t end = 0;
  for (const Glossary::Match& match : glossary.Find(text)) {
    SHEAF_CHECK(end <= match.range.begin);
    SHEAF_CHECK(match.range.begin < match.range.end);
    SHEAF_CHECK(match.range.end <= text.size());
    SHEAF_CHECK(IsValidUtf8(Slice(text, match.range)));
    SHEAF_CHECK(0 <= match.entry && match.entry < glossary.size());
    end = match.range.end;
  }
}

// A glossary that is written again has the same terms, and finds each in
// itself.
void CheckAgain(const Glossary& glossary) {
  std::string written;
  for (int32_t i = 0; i < glossary.size(); ++i) {
    const absl::string_view source = glossary.SourceOf(i);
    // The space keeps a source that begins with '#' from being a comment.
    absl::StrAppend(&written, " ", source, "\t",
                    absl::StrJoin(glossary.TargetsOf(i), "\t"), "\n");
    const std::vector<Glossary::Match> matches = glossary.Find(source);
    SHEAF_CHECK(matches.size() == 1 && matches[0].entry == i);
  }
  const auto again = ParseGlossary(written);
  SHEAF_CHECK(again.ok() && (*again)->size() == glossary.size());
}

}  // namespace

void CheckTerms(absl::string_view input) {
  const size_t end = input.find(kSeparator);
  const absl::string_view file = input.substr(0, end);
  const auto glossary = ParseGlossary(file);
  if (!glossary.ok()) {
    SHEAF_CHECK(absl::IsInvalidArgument(glossary.status()));
    return;
  }
  CheckAgain(**glossary);
  if (end == absl::string_view::npos) return;
  const absl::string_view text = input.substr(end + kSeparator.size());
  if (IsValidUtf8(text)) CheckMatches(**glossary, text);
}

}  // namespace sheaf
