// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/line_io.h"
#include "text/documents/document.h"

namespace sheaf {

// Translates a unit of a document. Several threads call it concurrently.
using TranslateUnit =
    absl::FunctionRef<absl::StatusOr<std::string>(const DocumentUnit& unit)>;

struct DocumentJob {
  DocumentFormat format;
  DocumentOptions options;
  std::string input;   // empty: stdin
  std::string output;  // empty: stdout
  bool overwrite = false;
  int concurrency = 8;
  int progress_fd = -1;  // for the progress; -1: none
};

// Translates a file of a format with structure and writes it when all of its
// units are translated.
//
// With an output file, the translations are first written to OUTPUT.part, one
// JSON string per line after a line that tells the units they belong to. If
// that file exists, its translations count as done. The same command thus
// resumes a run that was interrupted. At the end, the output is written to
// OUTPUT.new, which then gets its name, and OUTPUT.part is removed. The caller
// must give the same options.
//
// Errors begin with the input's name, and with the number and line of the unit
// if one is the cause:
//   FAILED_PRECONDITION  the output exists (and not `overwrite`), is the input
//                        itself or is being written by another process, or
//                        OUTPUT.part belongs to another input
//   INVALID_ARGUMENT     the input is not of the format, or too large
//   others               those of the system and of MapLines(); a resume is
//                        possible
absl::Status TranslateDocument(const DocumentJob& job, LineReader& input,
                               Writer& out, TranslateUnit translate);

}  // namespace sheaf
