// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>

#include "server/http/http_router.h"

namespace sheaf {

// Adds GET /health, which needs no token: 200 {"status": "ok"}, or 503 while
// `is_serving` returns false.
void AddHealth(std::function<bool()> is_serving, HttpRouter& router);

}  // namespace sheaf
