// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/token_lists.h"
#include "engine/request.h"
#include "server/answer.h"
#include "server/decoding_options.h"
#include "server/glossaries.h"
#include "server/repair/repair_plan.h"
#include "server/repair/segment_builder.h"
#include "server/served_model.h"
#include "sheaf/v1/text.pb.h"
#include "text/markup/markup.h"
#include "text/prompt_template.h"
#include "text/source_encoder.h"
#include "text/source_language.h"

namespace sheaf {

// The limits of a request.
struct RequestLimits {
  int32_t max_new_tokens = 1024;
  int32_t max_beam_size = kMaxBeamSize;
  int64_t max_text_bytes = int64_t{1} << 20;
};

// A request that may run, and how its answer is put together.
struct PreparedRequest {
  // Without sink and deadline. If it has no segments, there is nothing to run.
  // If it is open, it is the first of several SummaryRounds.
  Request request;
  AnswerPlan plan;
  std::string model;  // the name to answer with
};

// Bytes of memory that a prepared request takes until its end, except for the
// text and tokens of its answer.
int64_t BytesOf(const PreparedRequest& prepared);

// INVALID_ARGUMENT if the model's sources are too short for the prompt of one
// of its tasks with one character after it.
absl::Status CheckTasks(const ServedModel& model);

// Reads requests: checks every field once, and turns text into what the encoder
// reads. No later stage checks a request again.
//
// Errors, which name the field, its value and what is allowed:
//   INVALID_ARGUMENT, NOT_FOUND (model), UNIMPLEMENTED (task),
//   FAILED_PRECONDITION (text for a model without a tokenizer)
//   CANCELLED (the answer is no longer wanted)
//
// Thread-safe: immutable.
class RequestReader {
 public:
  // Called about once per millisecond while a long text is cut, which can take
  // seconds.
  using IsWanted = SourceEncoder::IsWanted;

  // The pointers in `model`, and `glossaries`, must outlive the reader.
  // `glossaries` may be null. REQUIRES: CheckTasks(model).
  RequestReader(const ServedModel& model, const RequestLimits& limits,
                const Glossaries* glossaries = nullptr);

  const ServedModel& model() const { return model_; }

  // A text that is only white space gives a request with no segments.
  // `glossary`, if it is not null, takes the place of the one that the request
  // would name.
  absl::StatusOr<PreparedRequest> Read(
      const v1::TranslateRequest& request, IsWanted is_wanted,
      std::shared_ptr<const Glossary> glossary = nullptr) const;
  absl::StatusOr<PreparedRequest> Read(const v1::SummarizeRequest& request,
                                       IsWanted is_wanted) const;
  absl::StatusOr<PreparedRequest> Read(const v1::GenerateRequest& request,
                                       IsWanted is_wanted) const;
  // Has no segments. Its plan has what was detected.
  absl::StatusOr<PreparedRequest> Read(const v1::DetectLanguageRequest& request,
                                       IsWanted is_wanted) const;

  // The sources of a text to summarize: one, or parts of whole sentences, or
  // none if the text is blank. CANCELLED once they are no longer wanted.
  // REQUIRES: the model summarizes.
  absl::StatusOr<TokenLists> SummarySources(const std::string& text,
                                            IsWanted is_wanted) const;

 private:
  absl::Status CheckModel(const std::string& name) const;
  absl::Status CheckText(const std::string& text, IsWanted is_wanted) const;
  // The checks that all requests for a task share.
  template <typename Request>
  absl::Status CheckCommon(const Request& request, IsWanted is_wanted) const;
  absl::StatusOr<PreparedRequest> Prepare(const v1::DecodingOptions& options,
                                          const DecodingDefaults& defaults,
                                          const PromptTemplate& prompt,
                                          bool has_loop_guard) const;
  PromptTemplate TemplateOf(const TextPrompt& prompt) const;
  absl::StatusOr<std::string> PlainTextOf(const v1::SummarizeRequest& request,
                                          IsWanted is_wanted) const;
  absl::StatusOr<BuiltSegments> BuildSegments(
      const v1::TranslateRequest& request, const TextTranslation& found,
      const MarkupText& markup, const KeepOptions& keep,
      const PromptTemplate& prompt, IsWanted is_wanted) const;
  void SetSegments(const KeepOptions& keep, const PromptTemplate& prompt,
                   BuiltSegments built, std::shared_ptr<RepairPlan> repairs,
                   PreparedRequest& prepared) const;
  static void Complete(PreparedRequest& prepared);
  SourceMargins SpecialTokensAround(absl::Span<const int32_t> source) const;
  absl::StatusOr<std::vector<int32_t>> SourceOf(
      const v1::GenerateRequest& request, IsWanted is_wanted) const;
  absl::StatusOr<std::vector<int32_t>> SourceOfText(const std::string& text,
                                                    IsWanted is_wanted) const;
  absl::Status CheckLength(absl::string_view field,
                           const std::vector<int32_t>& source) const;

  const ServedModel model_;
  const RequestLimits limits_;
  const Glossaries* const glossaries_;
  // [vocab_size]: RepairPlan::continues_word; null without a tokenizer.
  std::shared_ptr<const std::vector<bool>> continues_word_;
};

}  // namespace sheaf
