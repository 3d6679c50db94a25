// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "server/http/http_message.h"

// Server-sent events (WHATWG HTML, section 9.2).
namespace sheaf {

inline constexpr char kEventStream[] = "text/event-stream";

// Whether the client asks for events: Accept has text/event-stream.
bool AcceptsEvents(const HttpHeader& header);

// One event. REQUIRES: `data` is one line.
std::string Event(absl::string_view data);
// An event with a name: "error".
std::string NamedEvent(absl::string_view name, absl::string_view data);

// The head of an answer in events.
HttpResponse EventsHead();

}  // namespace sheaf
