// SPDX-License-Identifier: Apache-2.0

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
  int progress_fd = -1;  // for the progress; -1: none
};

// Translates `input` line by line to `output`, which gets one line for each, in
// order. Only whole lines are written.
//
// If the output exists, its complete lines count as done, an incomplete last
// line is removed, and work continues with the next line of the input. The same
// command thus resumes a run that was interrupted. The caller must give the
// same input and options.
//
// Errors:
//   FAILED_PRECONDITION  the output has more lines than the input, is the input
//                        itself, or is being written by another process; it is
//                        left unchanged
//   INVALID_ARGUMENT     a file is not a regular file
//   others               those of the system and of MapLines(); a resume is
//                        possible
absl::Status TranslateFile(const FileJob& job, MapLine translate);

}  // namespace sheaf
