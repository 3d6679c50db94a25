// SPDX-License-Identifier: Apache-2.0

#include "client/segment_notes.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/output.h"

namespace sheaf {
namespace {

// The part of a text that a span of code points covers, on one line.
std::string PartOf(absl::string_view text, const v1::TextSpan& span) {
  std::string part;
  int64_t index = -1;
  for (const char c : text) {
    index += (c & 0xC0) != 0x80;
    if (index >= span.begin() && index < span.end()) part += c;
  }
  return JoinLineBreaks(std::move(part));
}

}  // namespace

std::string WarningName(v1::SegmentWarning warning) {
  return std::string(
      absl::StripPrefix(v1::SegmentWarning_Name(warning), "SEGMENT_WARNING_"));
}

std::string SegmentNotes::ToText() const {
  std::string notes;
  for (const v1::SegmentReport& report : reports) {
    if (report.warnings().empty()) continue;
    absl::StrAppend(&notes, "sheaf: note: ");
    if (line > 0) absl::StrAppend(&notes, "line ", line, ": ");
    absl::StrAppend(
        &notes,
        absl::StrJoin(report.warnings(), ", ",
                      [](std::string* out, int warning) {
                        *out += WarningName(
                            static_cast<v1::SegmentWarning>(warning));
                      }),
        ": \"", PartOf(source, report.source()), "\" became \"",
        PartOf(target, report.target()), "\"\n");
  }
  return notes;
}

}  // namespace sheaf
