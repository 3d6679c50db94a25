// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/terms/glossary.h"

// Lists of terms with one translation each, as programs exchange them. A file
// that people write is a glossary_file.h.
namespace sheaf {

struct TermPair {
  std::string source, target;
};

// Reads lines of a term, a tab and its translation. White space at the ends of
// both does not count, and blank lines are left out. INVALID_ARGUMENT begins
// with the number of the line.
absl::StatusOr<std::vector<TermPair>> ParseTermsTsv(absl::string_view text);

// The same for comma-separated values (RFC 4180). A line may also have the
// codes of both languages, and after them one more field, which is not read.
// Lines for which `is_of_languages` returns false are left out.
absl::StatusOr<std::vector<TermPair>> ParseTermsCsv(
    absl::string_view text,
    absl::FunctionRef<bool(absl::string_view source, absl::string_view target)>
        is_of_languages);

// The text that ParseTermsTsv() reads.
std::string TermsToTsv(absl::Span<const TermPair> pairs);

// Returns the terms of `pairs` and those of `base` that have no source of
// `pairs`, in their order.
std::vector<TermPair> MergeTerms(std::vector<TermPair> base,
                                 std::vector<TermPair> pairs);

// INVALID_ARGUMENT begins with the number of the entry, from 1, that is there
// twice or that Glossary::Add() refuses. `is_wanted` is called about once per
// millisecond; CANCELLED once it returns false.
absl::StatusOr<std::shared_ptr<const Glossary>> GlossaryOfTerms(
    absl::Span<const TermPair> pairs, absl::FunctionRef<bool()> is_wanted);

}  // namespace sheaf
