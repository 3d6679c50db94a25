// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/line_io.h"

namespace sheaf {

// Maps the line with that number, counted from 1. Several threads call it
// concurrently.
using MapLine = absl::FunctionRef<absl::StatusOr<std::string>(
    const std::string& line, int64_t number)>;
// Takes one or more whole output lines, each with its newline, and the total
// number of lines including these. One thread at a time calls it.
using WriteLines =
    absl::FunctionRef<absl::Status(absl::string_view lines, int64_t written)>;

struct PipelineOptions {
  int concurrency = 8;              // maximum number of lines in progress
  int64_t first_line = 0;           // number of lines before these, for errors
  absl::string_view item = "line";  // the name of a line in errors
};

// Maps the lines of `reader`, several at a time, and writes the results in
// order. Each result is written as soon as all earlier ones are. Every line
// gives exactly one output line, because line breaks within a result become
// spaces.
//
// Returns when everything is written, or at the first error. If mapping failed,
// the error begins with "line N: " (counted from 1), the lines before line N
// have been written, and no others. Starts and joins `concurrency` threads.
absl::Status MapLines(LineSource& reader, const PipelineOptions& options,
                      MapLine map, WriteLines write);

}  // namespace sheaf
