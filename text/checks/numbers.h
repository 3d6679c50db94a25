// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// A number, date, time, range or the like as it is written: runs of decimal
// digits of any script, with single separators between them.
struct WrittenNumber {
  TextRange range;
  std::vector<std::string> runs;    // in ASCII
  std::vector<int32_t> separators;  // between the runs; ' ' for any space
};

// The numbers of a text in order, also those within words ("x86"). A space is a
// separator only within groups of three digits ("1 234 567"). Takes time linear
// in the text. REQUIRES: `text` is UTF-8.
std::vector<WrittenNumber> FindNumbers(absl::string_view text);

// Whether both are the same number, apart from separators: "1,234.5" and
// "1.234,5", "19:30" and "19.30", "1,234" and "1234", but not "1.5" and "15".
// Leading and trailing zeros count.
bool AreSameNumber(const WrittenNumber& a, const WrittenNumber& b);

// The numbers and currency signs of a source that its translation lacks, and
// those that it adds.
struct NumberDifferences {
  std::vector<TextRange> missing;  // of the source
  std::vector<TextRange> added;    // of the target
};

// Compares the numbers of a source and its translation, each as often as it
// occurs. In addition to separators (AreSameNumber()), these may change:
//   - dates and times may be written otherwise ("10/5/2020", "5.10.2020"), with
//     the month as a word
//   - "7:30 pm" is "19:30"
//   - a small number may be a word of the language (NumberWords)
//   - a currency sign may be a code or a name ("$5", "5 USD", "5 Dollar").
// Takes time linear in the texts. REQUIRES: both are UTF-8.
NumberDifferences CompareNumbers(absl::string_view source,
                                 absl::string_view target,
                                 absl::string_view source_language,
                                 absl::string_view target_language);

}  // namespace sheaf
