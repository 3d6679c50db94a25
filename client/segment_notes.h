// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {

// The segments of a translation that may be wrong. Nothing is owned.
struct SegmentNotes {
  using Reports = google::protobuf::RepeatedPtrField<v1::SegmentReport>;

  absl::string_view source;  // of the request, in UTF-8
  absl::string_view target;  // of the answer
  const Reports& reports;
  int64_t line = 0;  // of the input; 0: the input is one text

  // One line for each segment with warnings: the warnings, the part of the
  // source and its translation.
  std::string ToText() const;
};

// "NUMBER"
std::string WarningName(v1::SegmentWarning warning);

}  // namespace sheaf
