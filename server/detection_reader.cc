// SPDX-License-Identifier: Apache-2.0

// RequestReader::Read() of requests for the languages of texts.

#include <utility>

#include "server/field_error.h"
#include "server/request_reader.h"

namespace sheaf {
namespace {

// The limits of a request for languages, and of the answer for each text.
constexpr int kMaxTexts = 1000;
constexpr size_t kMaxGuesses = 5;

using Texts = google::protobuf::RepeatedPtrField<std::string>;

// The texts of which the languages are asked for.
absl::Status CheckTexts(const Texts& texts, const RequestLimits& limits) {
  if (texts.empty() || texts.size() > kMaxTexts) {
    return FieldError(absl::StatusCode::kInvalidArgument, "texts",
                      "has %d texts; this server allows 1..%d", texts.size(),
                      kMaxTexts);
  }
  int64_t num_bytes = 0;
  for (const std::string& text : texts) {
    num_bytes += static_cast<int64_t>(text.size());
  }
  if (num_bytes <= limits.max_text_bytes) return absl::OkStatus();
  return FieldError(absl::StatusCode::kInvalidArgument, "texts",
                    "has %d bytes; this server allows 0..%d", num_bytes,
                    limits.max_text_bytes);
}

}  // namespace

absl::StatusOr<PreparedRequest> RequestReader::Read(
    const v1::DetectLanguageRequest& request, IsWanted is_wanted) const {
  absl::Status status = CheckModel(request.model());
  if (status.ok()) status = CheckTexts(request.texts(), limits_);
  if (!status.ok()) return status;
  LanguageSet offers;  // empty: all languages
  if (!request.target_language().empty()) {
    absl::StatusOr<LanguageSet> sources =
        model_.tasks.SourcesTo(request.target_language());
    if (!sources.ok()) return WithField(sources.status(), "target_language");
    offers = *std::move(sources);
  }
  PreparedRequest prepared;
  prepared.model = model_.name;
  DetectedTexts& detected = prepared.plan.detected;
  detected.reserve(request.texts_size());
  for (const std::string& text : request.texts()) {
    detected.push_back(offers.is_empty() ? GuessLanguages(text, is_wanted)
                                         : GuessAmong(offers, text, is_wanted));
    if (!is_wanted()) return absl::CancelledError("the client has left");
    if (detected.back().size() > kMaxGuesses) {
      detected.back().resize(kMaxGuesses);
    }
  }
  return prepared;
}

}  // namespace sheaf
