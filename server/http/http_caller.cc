// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_caller.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "server/access/ip_address.h"
#include "server/ops/request_record.h"

namespace sheaf {
namespace {

// Longer subjects are not used.
constexpr size_t kMaxSubjectBytes = 512;

// A subject as RFC 4514 writes it is printable ASCII. Several values, which a
// comma separates here too, are told apart by nothing; a proxy overwrites what
// its client sent.
std::string CheckedSubject(const std::string& subject) {
  return subject.size() <= kMaxSubjectBytes &&
                 std::all_of(subject.begin(), subject.end(),
                             absl::ascii_isprint)
             ? subject
             : "";
}

// The value of a field that is there once; otherwise empty.
std::string OnlyValue(const HttpHeader& header, absl::string_view name) {
  const std::string joined = header.Joined(name);
  return joined == header.Field(name) ? joined : "";
}

}  // namespace

Caller CallerOfHttp(const HttpHeader& header, absl::string_view method,
                    const std::string& peer, const std::string& subject,
                    const TrustedProxies& proxies) {
  Caller caller;
  caller.method = std::string(method);
  caller.peer = peer;
  std::optional<IpAddress> address = IpAddress::OfPeer(peer);
  if (proxies.IncludesPeer(peer)) {
    if (const auto client = proxies.ClientOf(header.Joined("x-forwarded-for"));
        client.has_value()) {
      address = client;
      caller.peer = client->ToPeer();
    }
    caller.certificate_subject =
        CheckedSubject(OnlyValue(header, "x-client-subject"));
  } else {
    caller.certificate_subject = CheckedSubject(subject);
  }
  caller.address =
      address.has_value() ? ClientNetworkName(*address) : caller.peer;
  caller.authorization = std::string(header.Field("authorization"));
  caller.request_id = RequestIdOr(header.Field("x-request-id"));
  caller.traceparent = std::string(header.Field("traceparent"));
  return caller;
}

}  // namespace sheaf
