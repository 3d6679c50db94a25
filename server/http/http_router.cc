// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_router.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

bool IsOpenPart(absl::string_view part) {
  constexpr size_t kMaxBytes = 128;
  return !part.empty() && part.size() <= kMaxBytes && part != "." &&
         part != ".." && std::all_of(part.begin(), part.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

absl::string_view TakePart(absl::string_view& path) {
  const size_t end = std::min(path.find('/'), path.size());
  const absl::string_view part = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return part;
}

// The values of the open parts; none if the path does not match.
std::optional<std::vector<std::string>> Match(absl::string_view pattern,
                                              absl::string_view path) {
  if (std::count(pattern.begin(), pattern.end(), '/') !=
      std::count(path.begin(), path.end(), '/')) {
    return std::nullopt;
  }
  std::vector<std::string> values;
  while (!pattern.empty() || !path.empty()) {
    const absl::string_view expected = TakePart(pattern);
    const absl::string_view part = TakePart(path);
    if (expected == "{}") {
      if (!IsOpenPart(part)) return std::nullopt;
      values.emplace_back(part);
    } else if (expected != part) {
      return std::nullopt;
    }
  }
  return values;
}

}  // namespace

HttpRouter::Found HttpRouter::Find(absl::string_view method,
                                   absl::string_view path) const {
  Found found;
  const absl::string_view asked = method == "HEAD" ? "GET" : method;
  for (const Route& route : routes_) {
    std::optional<std::vector<std::string>> values = Match(route.pattern, path);
    if (!values.has_value()) continue;
    if (route.method == asked) {
      found.route = &route;
      found.values = *std::move(values);
      return found;
    }
    absl::StrAppend(&found.allowed, found.allowed.empty() ? "" : ", ",
                    route.method, route.method == "GET" ? ", HEAD" : "");
  }
  if (!found.allowed.empty()) found.allowed += ", OPTIONS";
  return found;
}

}  // namespace sheaf
