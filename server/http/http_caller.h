// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "server/access/caller.h"
#include "server/access/trusted_proxies.h"
#include "server/http/http_message.h"

namespace sheaf {

// The client of a request. `peer` is the connection's, and `subject` that of
// its certificate.
//
// If one of `proxies` forwarded the request, X-Forwarded-For and
// X-Client-Subject tell address and certificate of the client, as the metadata
// of a call of gRPC does. The fields of other peers are ignored. Forwarded (RFC
// 7239) is ignored always: a proxy that sets one of the two fields passes the
// other on as its client sent it.
Caller CallerOfHttp(const HttpHeader& header, absl::string_view method,
                    const std::string& peer, const std::string& subject,
                    const TrustedProxies& proxies);

}  // namespace sheaf
