// SPDX-License-Identifier: Apache-2.0

#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "base/usage_error.h"
#include "client/client.h"
#include "client/commands.h"
#include "client/flags.h"
#include "client/line_pipeline.h"
#include "client/output.h"

namespace sheaf {
namespace {

// The output for one text. Thread-safe.
absl::StatusOr<std::string> Detect(CallSetup& setup, const std::string& text) {
  v1::DetectLanguageRequest request;
  request.set_model(absl::GetFlag(FLAGS_model));
  request.set_target_language(absl::GetFlag(FLAGS_to));
  request.add_texts(text);
  const absl::StatusOr<v1::DetectLanguageResponse> response =
      setup.client.DetectLanguage(request, setup.options);
  if (!response.ok()) return response.status();
  if (response->results_size() != 1) {
    return absl::InternalError(absl::StrCat(
        "the server sent ", response->results_size(), " results for one text"));
  }
  return absl::GetFlag(FLAGS_json) ? ToJson(response->results(0))
                                   : ToText(response->results(0));
}

}  // namespace

absl::Status RunDetect(Invocation& invocation) {
  absl::StatusOr<CallSetup> setup = CallSetupFromFlags();
  if (!setup.ok()) return setup.status();
  if (!invocation.arguments.empty()) {
    const absl::StatusOr<std::string> text = ReadText(invocation);
    if (!text.ok()) return text.status();
    const absl::StatusOr<std::string> line = Detect(*setup, *text);
    if (!line.ok()) return line.status();
    return invocation.out.Write(absl::StrCat(*line, "\n"));
  }
  const absl::StatusOr<int> concurrency = ConcurrencyFromFlags();
  if (!concurrency.ok()) return concurrency.status();
  absl::StatusOr<std::unique_ptr<LineReader>> reader = OpenInput(invocation);
  if (!reader.ok()) return reader.status();
  return MapLines(
      **reader, {.concurrency = *concurrency},
      [&](const std::string& text, int64_t) { return Detect(*setup, text); },
      [&](absl::string_view lines, int64_t) {
        return invocation.out.Write(lines);
      });
}

}  // namespace sheaf
