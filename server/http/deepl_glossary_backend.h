// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "server/caller_glossaries.h"
#include "server/exchange.h"
#include "server/http/body_fields.h"
#include "server/http/deepl_dictionaries.h"
#include "server/http/deepl_route.h"
#include "server/http/http_call.h"
#include "server/http/http_router.h"

namespace sheaf {

// The functions that the paths of /v2/glossaries and /v3/glossaries share.
//
// Errors are in the form that DeepLError() expects. A glossary that is not the
// caller's is NOT_FOUND.
//
// Thread-safe. Functions that build or change a glossary run on a reading
// thread.
class GlossaryBackend {
 public:
  using Item = CallerGlossaries::Item;
  using Answer = std::function<absl::StatusOr<HttpResponse>(
      const GlossaryBackend&, const HttpRequest&)>;

  // `glossaries` may be null; then there are none, and none can be created.
  // The pointers are not owned.
  GlossaryBackend(const Services* services, CallerGlossaries* glossaries,
                  GlossaryPairs pairs)
      : services_(services),
        glossaries_(glossaries),
        pairs_(std::move(pairs)) {}

  const GlossaryPairs& pairs() const { return pairs_; }

  // PERMISSION_DENIED if none can be created.
  absl::Status CheckOffered() const;

  std::vector<Item> List(const HttpRequest& http) const;
  // The one that the path names.
  absl::StatusOr<Item> Find(const HttpRequest& http) const;
  absl::Status Delete(const HttpRequest& http) const;
  // REQUIRES: CheckOffered().
  absl::StatusOr<Item> Create(const HttpRequest& http, std::string name,
                              const std::vector<DictionaryText>& texts) const;
  // Changes the one that the path names. `change` is called again if another
  // request has changed it meanwhile.
  absl::StatusOr<Item> Change(
      const HttpRequest& http,
      absl::FunctionRef<absl::Status(CallerGlossary&)> change) const;

  absl::StatusOr<std::shared_ptr<const CallerDictionary>> Build(
      const DictionaryText& text) const;

 private:
  bool IsWanted() const;

  const Services* const services_;
  CallerGlossaries* const glossaries_;
  const GlossaryPairs pairs_;
};

struct GlossaryPath {
  const char* method;
  std::string path;
  DeepLWork work;
  GlossaryBackend::Answer answer;
};
// `services` is not owned.
void AddGlossaryPaths(std::vector<GlossaryPath> paths, const Services& services,
                      const std::shared_ptr<const GlossaryBackend>& backend,
                      HttpRouter& router);

absl::Status GlossaryNotFound(absl::string_view detail);

// The dictionary of a pair of languages; NOT_FOUND lists those that there are.
absl::StatusOr<std::shared_ptr<const CallerDictionary>> FindDictionary(
    const CallerGlossary& glossary, absl::string_view source,
    absl::string_view target);

// Puts `dictionary` in the place of the one of its languages, or at the end.
void SetDictionary(std::shared_ptr<const CallerDictionary> dictionary,
                   CallerGlossary& glossary);

// Reads the parameters of a request that has none but these.
absl::StatusOr<BodyFields> ReadParameters(
    const HttpRequest& http, absl::Span<const absl::string_view> allowed);

HttpResponse JsonAnswer(int status, const nlohmann::json& value);

}  // namespace sheaf
