// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_route.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/http/deepl_error.h"

namespace sheaf {
namespace {

constexpr absl::string_view kKeyScheme = "DeepL-Auth-Key ";

}  // namespace

void TakeDeepLKey(Caller& caller) {
  const absl::string_view key = caller.authorization;
  if (!absl::StartsWithIgnoreCase(key, kKeyScheme)) return;
  caller.authorization = absl::StrCat("Bearer ", key.substr(kKeyScheme.size()));
}

void AddDeepLPath(const std::string& method, const std::string& path,
                  DeepLWork work, const Services& services,
                  const PlainCall::Answer& answer, HttpRouter& router) {
  FairExecutor* const reading =
      work == DeepLWork::kLong ? services.reading : nullptr;
  router.Add(
      {method, path,
       [limiter = services.limiter, reading, answer](HttpCallContext context) {
         TakeDeepLKey(context.caller);
         return std::make_shared<PlainCall>(std::move(context), limiter, answer,
                                            DeepLError, reading);
       }});
}

}  // namespace sheaf
