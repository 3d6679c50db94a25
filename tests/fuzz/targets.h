// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// Everything that reads bytes of clients of HTTP. A target takes one input and
// ends the process if something is wrong with the result. libFuzzer makes the
// inputs (fuzzer.cc), and a test takes those in seeds/ (seeds_test.cc).
namespace sheaf {

// Bytes of a connection, for RequestParser: where a request ends does not
// depend on how its bytes arrive, and another reading finds the same end.
void CheckRequest(absl::string_view input);

// A line with the value of Content-Type, and a body of this type.
void CheckBody(absl::string_view input);

// A request with lines that end with LF, for the call of its path.
void CheckDialect(absl::string_view input);

// Bytes of a connection, for the whole front: every answer is whole and
// well-formed, and the connection ends.
void CheckConnection(absl::string_view input);

// A line with options ("xml ignore=a"), and a text with markup.
void CheckMarkup(absl::string_view input);

// A line with the name of a format, and a file.
void CheckDocument(absl::string_view input);

// A file of terms, and behind a line "----" a text.
void CheckTerms(absl::string_view input);

struct FuzzTarget {
  absl::string_view name;  // also of its folder in seeds/
  void (*check)(absl::string_view input);
  int32_t num_changes;  // how often the test changes each seed
};
absl::Span<const FuzzTarget> FuzzTargets();

}  // namespace sheaf
