// SPDX-License-Identifier: Apache-2.0

#include "client/cut_answers.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "client/line_io.h"

namespace sheaf {

void CutAnswers::Add(v1::FinishReason reason, int64_t line) {
  if (reason != v1::FINISH_REASON_LENGTH &&
      reason != v1::FINISH_REASON_REPETITION) {
    return;
  }
  absl::MutexLock lock(&mu_);
  Count& count = reason == v1::FINISH_REASON_LENGTH ? length_ : repetition_;
  // Answers arrive in any order.
  count.first_line = count.num == 0 ? line : std::min(count.first_line, line);
  ++count.num;
}

std::string CutAnswers::Note(const Count& count, const std::string& what) {
  if (count.num == 0) return "";
  if (count.first_line == 0) {
    return absl::StrFormat("sheaf: note: the answer was cut: %s\n", what);
  }
  return absl::StrFormat(
      "sheaf: note: %d %s cut, the first for line %d: %s\n", count.num,
      count.num == 1 ? "answer was" : "answers were", count.first_line, what);
}

std::string CutAnswers::Notes() const {
  absl::MutexLock lock(&mu_);
  return Note(length_,
              "it reached the maximum number of new tokens (LENGTH, "
              "--max_new_tokens)") +
         Note(repetition_,
              "it repeated itself (REPETITION, --noloop_guard lets it)");
}

void CutAnswers::Tell() const {
  // A failure to write the note is ignored.
  Writer(STDERR_FILENO, "stderr").Write(Notes()).IgnoreError();
}

}  // namespace sheaf
