// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {

// Counts the answers that did not end by the model's choice, but at the maximum
// length or by the loop guard. Plain text does not show this.
//
// Thread-safe.
class CutAnswers {
 public:
  // Adds an answer by its finish reason. `line` is the number of the text's
  // line in its file, from 1, or 0 if there is only one text.
  void Add(v1::FinishReason reason, int64_t line);

  // Writes Notes() to stderr.
  void Tell() const;

  // Returns one line per reason, or "" if no answer was cut.
  std::string Notes() const;

 private:
  struct Count {
    int64_t num = 0;
    int64_t first_line = 0;
  };
  static std::string Note(const Count& count, const std::string& what);

  mutable absl::Mutex mu_;
  Count length_ ABSL_GUARDED_BY(mu_);
  Count repetition_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
