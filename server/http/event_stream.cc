// SPDX-License-Identifier: Apache-2.0

#include "server/http/event_stream.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sheaf {

bool AcceptsEvents(const HttpHeader& header) {
  for (const absl::string_view range :
       absl::StrSplit(header.Joined("accept"), ',')) {
    if (ParseMediaType(range).type == kEventStream) return true;
  }
  return false;
}

std::string Event(absl::string_view data) {
  return absl::StrCat("data: ", data, "\n\n");
}

std::string NamedEvent(absl::string_view name, absl::string_view data) {
  return absl::StrCat("event: ", name, "\n", Event(data));
}

HttpResponse EventsHead() { return {200, kEventStream}; }

}  // namespace sheaf
