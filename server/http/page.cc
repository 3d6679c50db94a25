// SPDX-License-Identifier: Apache-2.0

#include "server/http/page.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "server/http/json_text.h"
#include "server/http/plain_call.h"

namespace sheaf {
namespace {

constexpr char kIndex[] = "index.html";

constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

const char* ContentTypeOf(absl::string_view name) {
  if (absl::EndsWith(name, ".html")) return "text/html; charset=utf-8";
  if (absl::EndsWith(name, ".css")) return "text/css; charset=utf-8";
  if (absl::EndsWith(name, ".js")) return "text/javascript; charset=utf-8";
  return "image/svg+xml";
}

HttpResponse ResponseOf(const PageFile& file) {
  return {200,
          ContentTypeOf(file.name),
          std::string(file.content),
          {{"Content-Security-Policy", kPolicy},
           {"Referrer-Policy", "no-referrer"}}};
}

void AddPlain(std::string path, CallerLimiter* limiter,
              PlainCall::Answer answer, HttpRouter& router) {
  router.Add({"GET", std::move(path),
              [limiter, answer = std::move(answer)](HttpCallContext context) {
                return std::make_shared<PlainCall>(std::move(context), limiter,
                                                   answer, PlainError);
              }});
}

std::string StatsText(const LiveFigures& live) {
  const EngineGauges& gauges = live.gauges;
  return JsonText({{"tokens_per_second", live.tokens_per_second},
                   {"num_requests_running", gauges.num_requests_running},
                   {"num_requests_waiting", gauges.num_requests_waiting},
                   {"num_sequences_running", gauges.num_sequences_running},
                   {"kv_self_bytes", gauges.kv.self_used},
                   {"kv_cross_bytes", gauges.kv.cross_used},
                   {"kv_capacity_bytes", gauges.kv.capacity}});
}

}  // namespace

void AddPage(const Metrics& metrics, CallerLimiter* limiter,
             HttpRouter& router) {
  for (const PageFile& file : PageFiles()) {
    const bool is_index = file.name == kIndex;
    AddPlain(
        is_index ? "/" : absl::StrCat("/page/", file.name),
        /*limiter=*/nullptr,
        [&file](const HttpRequest&) -> absl::StatusOr<HttpResponse> {
          return ResponseOf(file);
        },
        router);
  }
  AddPlain(
      "/v1/stats", limiter,
      [&metrics](const HttpRequest&) -> absl::StatusOr<HttpResponse> {
        return HttpResponse::Json(200, StatsText(metrics.Live()));
      },
      router);
}

}  // namespace sheaf
