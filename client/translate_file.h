#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/line_pipeline.h"

namespace sheaf {

struct FileJob {
  std::string input;
  std::string output;
  bool overwrite = false;
  int concurrency = 8;
  int progress_fd = -1;  // Where the progress goes; -1 for nowhere.
};

// Converts `input` line by line to `output`, which gets one line for each, in
// order, whole lines at a time.
//
// If the output is there, its complete lines count as done and a last piece of
// a line is cut off; work goes on with the next line of the input. So a run
// that was interrupted is resumed by the same command; it is for the caller to
// give the same input and options.
//
// Errors: FAILED_PRECONDITION, and the output untouched, if it has more lines
// than the input, is the input itself, or is being written by another process;
// INVALID_ARGUMENT if a file is not a regular one; else the machine's and those
// of MapLines(), after which a resume is possible.
absl::Status TranslateFile(const FileJob& job, MapLine convert);

}  // namespace sheaf
