// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "server/access/caller.h"
#include "server/exchange.h"
#include "server/http/http_router.h"
#include "server/http/plain_call.h"

// Functions that the paths of DeepL's API share.
namespace sheaf {

// Makes the key of "Authorization: DeepL-Auth-Key KEY" a bearer token.
void TakeDeepLKey(Caller& caller);

// Where an answer is made: at once, or on a reading thread because it waits for
// the disk or reads a long list.
enum class DeepLWork { kAtOnce, kLong };

// Adds a path that needs no model. `services` is not owned and outlives the
// router's calls.
void AddDeepLPath(const std::string& method, const std::string& path,
                  DeepLWork work, const Services& services,
                  const PlainCall::Answer& answer, HttpRouter& router);

}  // namespace sheaf
