#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/request.h"
#include "server/answer.h"
#include "server/decoding_options.h"
#include "server/served_model.h"
#include "sheaf/v1/text.pb.h"
#include "text/segmenter.h"

namespace sheaf {

// What this server allows a request.
struct RequestLimits {
  int32_t max_new_tokens = 1024;
  int32_t max_beam_size = kMaxBeamSize;
  int64_t max_text_bytes = int64_t{1} << 20;
};

// A request that may run, and how its answer is put together.
struct PreparedRequest {
  // Without sink and deadline; no segments: nothing to run. An open one is the
  // first of several SummaryRounds.
  Request request;
  AnswerPlan plan;
  std::string model;  // the name to answer with
};

// Bytes of memory that an prepared request takes until its end, except for the
// answer's text and tokens.
int64_t BytesOf(const PreparedRequest& prepared);

// INVALID_ARGUMENT if the model's sources are too short for one of its tasks'
// prompts with a character behind it.
absl::Status CheckTasks(const ServedModel& model);

// Where requests come in: checks every field once, and turns text into what
// the encoder reads. Behind it nothing is checked again.
//
// Errors, which name the field, its value and what is allowed:
//   INVALID_ARGUMENT, NOT_FOUND (model), UNIMPLEMENTED (task),
//   FAILED_PRECONDITION (text for a model without a tokenizer)
//   CANCELLED (nobody wants the answer any more)
//
// Thread-safe: immutable.
class RequestReader {
 public:
  // Asked now and then while a long text is cut up, which can take seconds.
  using IsWanted = absl::FunctionRef<bool()>;

  // `model` names what is not owned and outlives the reader. REQUIRES:
  // CheckTasks(model).
  RequestReader(const ServedModel& model, const RequestLimits& limits);

  // A text of white space alone is prepared with no segments.
  absl::StatusOr<PreparedRequest> Read(const v1::TranslateRequest& request,
                                       IsWanted is_wanted) const;
  absl::StatusOr<PreparedRequest> Read(const v1::SummarizeRequest& request,
                                       IsWanted is_wanted) const;
  absl::StatusOr<PreparedRequest> Read(const v1::GenerateRequest& request,
                                       IsWanted is_wanted) const;

  // The sources of a text to summarize: one, or parts of whole sentences; none
  // if it is blank. CANCELLED once nobody wants them. REQUIRES: the model
  // summarizes.
  absl::StatusOr<TokenLists> SummarySources(const std::string& text,
                                            IsWanted is_wanted) const;

 private:
  absl::Status CheckModel(const std::string& name) const;
  absl::Status CheckText(const std::string& text, IsWanted is_wanted) const;
  absl::StatusOr<PreparedRequest> Prepare(const v1::DecodingOptions& options,
                                          const DecodingDefaults& defaults,
                                          bool has_loop_guard) const;
  absl::StatusOr<PreparedRequest> AddSegments(PreparedRequest prepared,
                                              const std::string& prefix,
                                              SegmentedText segmented,
                                              IsWanted is_wanted) const;
  absl::StatusOr<std::vector<int32_t>> SourceOf(
      const v1::GenerateRequest& request, IsWanted is_wanted) const;
  absl::Status CheckSource(const v1::GenerateRequest& request,
                           absl::Span<const int32_t> source) const;
  // What the encoder reads: prefix and text, tokenized, and the end token.
  // REQUIRES: behind a prefix no special tokens are allowed.
  std::vector<int32_t> SourceOf(
      absl::string_view prefix, absl::string_view text,
      SpecialTokens allowed = SpecialTokens::kNone) const;
  // Tokens of SourceOf(); about as many if the text is long and surely has more
  // than max_source_tokens. 0 once it is not wanted: then all fits at once, and
  // the cutting ends.
  int64_t CountSource(absl::string_view prefix, absl::string_view text,
                      IsWanted is_wanted,
                      SpecialTokens allowed = SpecialTokens::kNone) const;

  const ServedModel model_;
  const RequestLimits limits_;
};

}  // namespace sheaf
