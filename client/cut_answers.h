#pragma once

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {

// The answers that ended before the model ended them: at the maximum length, or
// by the loop guard. A reader of plain text cannot see it.
//
// Thread-safe.
class CutAnswers {
 public:
  // An answer's finish reason. `line` is that of the text in its file, from 1,
  // or 0 if there is one text only.
  void Add(v1::FinishReason reason, int64_t line);

  // Writes what was added, a line per reason, to stderr; nothing if no answer
  // was cut.
  void Tell() const;

  // What Tell() writes.
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
