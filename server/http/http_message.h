// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

// The messages of HTTP, without their way over the wire.
namespace sheaf {

// Names and values. Those of one name are in the order in which they came.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

// The line and the fields of a request that passed the checks of RequestParser.
// Everything comes from the client and is untrusted.
struct HttpHeader {
  std::string method;  // "POST"
  std::string path;    // "/translate", as sent, that is with its escapes
  std::string query;   // what follows the first '?', as sent
  HttpFields fields;
  bool is_secure = false;  // over TLS, as far as this server or its proxy says
  bool is_version_1_0 = false;
  bool keeps_alive = true;
  bool has_body = false;
  bool expects_continue = false;

  // The value of the first field of this name in any case; empty if there is
  // none.
  absl::string_view Field(absl::string_view name) const;
  // The values of all fields of this name, joined with commas.
  std::string Joined(absl::string_view name) const;
};

// An answer. The connection adds Content-Length or Transfer-Encoding, Date and
// Connection.
struct HttpResponse {
  int status = 200;
  std::string content_type = "";  // empty: no body
  std::string body = "";
  HttpFields fields = {};

  static HttpResponse Json(int status, std::string body) {
    return {status, "application/json", std::move(body)};
  }
};

// The words of a status: "Not Found".
absl::string_view ReasonOf(int status);

// A value of Content-Type: "multipart/form-data; boundary=x".
struct MediaType {
  std::string type;     // in lower case: "multipart/form-data"; empty: none
  std::string charset;  // in lower case; empty: none
  std::string boundary;
  bool is_valid = true;  // false: a parameter is malformed or there twice
};
MediaType ParseMediaType(absl::string_view value);

}  // namespace sheaf
