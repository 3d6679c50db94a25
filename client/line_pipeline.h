#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/line_io.h"

namespace sheaf {

// Converts the line with that number, from 1; called by several threads at
// once.
using MapLine = absl::FunctionRef<absl::StatusOr<std::string>(
    const std::string& line, int64_t number)>;
// Takes one or more whole output lines, each with its newline, and the number
// of lines written when they are; called by one thread at a time.
using WriteLines =
    absl::FunctionRef<absl::Status(absl::string_view lines, int64_t written)>;

struct PipelineOptions {
  int concurrency = 8;     // Lines that are converted at the same time.
  int64_t first_line = 0;  // Lines before these, for the numbers in errors.
};

// Converts the lines that `reader` gives, several at a time, and writes what
// they become, in order and each as soon as its turn comes: a line that is slow
// to come holds back no answer to an earlier one.
//
// Every line gives exactly one output line: line breaks within a converted line
// become spaces.
//
// Returns when all is written or at the first error, which then begins with
// "line N: " (from 1) if a conversion failed. All lines before that one have
// been written, none after. `concurrency` threads are started and joined.
absl::Status MapLines(LineReader& reader, const PipelineOptions& options,
                      MapLine map, WriteLines write);

}  // namespace sheaf
