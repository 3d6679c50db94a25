// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/http/http_call.h"

namespace sheaf {

// Finds the call that a method and a path name. A pattern is a path whose parts
// may be open: "/download_file/{}". An open part takes 1 to 128 letters,
// digits,
// '-', '_' and '.', and is neither "." nor "..". Paths are compared byte by
// byte, so that an escape ("%2e") is part of no path.
//
// A dialect is a function that adds its routes: AddLibreTranslate() in
// libretranslate.h is an example. A route makes an HttpCall. PlainCall answers
// at once; TextCall has the model answer, with all limits of an Exchange, and
// needs only functions that read a request and write an answer.
//
// All routes are added before the front starts. Thread-safe from then on.
class HttpRouter {
 public:
  using Open = std::function<std::shared_ptr<HttpCall>(HttpCallContext)>;
  struct Route {
    std::string method;  // "GET" also answers HEAD
    std::string pattern;
    Open open;
  };
  struct Found {
    const Route* route = nullptr;     // null: none
    std::vector<std::string> values;  // of the open parts
    // The methods of the path if it has no such method: "GET, HEAD, OPTIONS".
    // Empty: no route has the path.
    std::string allowed;
  };

  void Add(Route route) { routes_.push_back(std::move(route)); }

  Found Find(absl::string_view method, absl::string_view path) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace sheaf
