#include "server/request_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "server/field_error.h"
#include "text/line_breaks.h"
#include "text/segmenter.h"
#include "text/stop_sequences.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Whose rules say where sentences end; a summary's request names no language.
constexpr char kSummaryLanguage[] = "en";
// Tokens that one character may take: NFKC makes at most 18 of it, most of them
// one token or, as bytes, three.
constexpr int64_t kMaxCharacterTokens = 54;
// Tokenizing that many bytes takes a few milliseconds.
constexpr size_t kCountedAtOnce = 16 << 10;
// Tokens that a text may have more if it is tokenized in two parts.
constexpr int64_t kMaxTokensOfCut = 64;

absl::StatusOr<LineBreaks> ParseLineBreaks(v1::LineBreaks line_breaks) {
  switch (line_breaks) {
    case v1::LINE_BREAKS_UNSPECIFIED:
      return LineBreaks::kAutomatic;
    case v1::LINE_BREAKS_KEEP:
      return LineBreaks::kKeep;
    case v1::LINE_BREAKS_PARAGRAPHS:
      return LineBreaks::kParagraphs;
    default:
      return NamesField(absl::InvalidArgumentError(
          absl::StrFormat("line_breaks is %d; this server allows 0..%d",
                          static_cast<int>(line_breaks),
                          static_cast<int>(v1::LineBreaks_MAX))));
  }
}

// Sets what follows from the segments. An open request gets its stop condition
// with the last of them.
void Complete(PreparedRequest& prepared) {
  AnswerPlan& plan = prepared.plan;
  if (!prepared.request.is_open) {
    prepared.request.stop = StopSequences::Make(plan.tokenizer, plan.stop);
  }
  plan.num_segments = static_cast<int32_t>(prepared.request.segments.size());
  plan.num_input_tokens =
      static_cast<int32_t>(prepared.request.segments.num_ids());
}

}  // namespace

absl::Status CheckTasks(const ServedModel& model) {
  if (model.tokenizer == nullptr) return absl::OkStatus();
  for (const Task& task : model.tasks.tasks) {
    const int64_t needed =
        static_cast<int64_t>(
            model.tokenizer->EncodePrompted(task.prefix, "").size()) +
        kMaxCharacterTokens + 1;
    if (model.max_source_tokens >= needed) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "the longest source has %d tokens; task \"%s\" needs %d at least",
        model.max_source_tokens, task.name, needed));
  }
  return absl::OkStatus();
}

int64_t BytesOf(const PreparedRequest& prepared) {
  const TokenLists& sources = prepared.request.segments;
  // Each segment has a place in the answer.
  return sources.bytes() + prepared.plan.gaps.bytes() +
         static_cast<int64_t>(sources.size() * sizeof(void*));
}

RequestReader::RequestReader(const ServedModel& model,
                             const RequestLimits& limits)
    : model_(model), limits_(limits) {}

absl::Status RequestReader::CheckModel(const std::string& name) const {
  if (name.empty() || name == model_.name) return absl::OkStatus();
  return NamesField(absl::NotFoundError(absl::StrFormat(
      "model is \"%s\"; this server serves \"%s\"", Escaped(name), model_.name)));
}

absl::Status RequestReader::CheckText(const std::string& text,
                                      IsWanted is_wanted) const {
  if (model_.tokenizer == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "model \"%s\" has no tokenizer; it takes Generate with tokens only",
        model_.name));
  }
  if (text.empty()) {
    return NamesField(absl::InvalidArgumentError("text is empty"));
  }
  if (static_cast<int64_t>(text.size()) > limits_.max_text_bytes) {
    return NamesField(absl::InvalidArgumentError(
        absl::StrFormat("text has %d bytes; this server allows 1..%d",
                        text.size(), limits_.max_text_bytes)));
  }
  // What is tokenized may be longer than what came.
  const int64_t normalized_bytes = NormalizedBytes(text, is_wanted);
  if (!is_wanted()) return absl::CancelledError("the client has left");
  if (normalized_bytes > limits_.max_text_bytes) {
    return NamesField(absl::InvalidArgumentError(absl::StrFormat(
        "text has %d bytes once it is normalized (NFKC); this server allows "
        "1..%d",
        normalized_bytes, limits_.max_text_bytes)));
  }
  return absl::OkStatus();
}

absl::StatusOr<PreparedRequest> RequestReader::Prepare(
    const v1::DecodingOptions& options, const DecodingDefaults& defaults,
    bool has_loop_guard) const {
  DecodingLimits limits;
  limits.has_loop_guard = has_loop_guard;
  limits.max_beam_size = limits_.max_beam_size;
  limits.max_new_tokens = limits_.max_new_tokens;
  limits.vocab_size = model_.vocab_size;
  limits.no_output_ids = model_.no_output_ids;
  absl::StatusOr<CheckedOptions> checked =
      CheckDecodingOptions(options, defaults, limits);
  if (!checked.ok()) return checked.status();
  if (!checked->stop.empty() && model_.tokenizer == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "decoding.stop is set; model \"%s\" has no tokenizer, so its answers "
        "have no text",
        model_.name));
  }
  PreparedRequest out;
  out.request.sampling = std::move(checked->sampling);
  out.plan.num_hypotheses = out.request.sampling.num_hypotheses;
  out.plan.stop = std::move(checked->stop);
  out.plan.tokenizer = model_.tokenizer;
  out.model = model_.name;
  return out;
}

std::vector<int32_t> RequestReader::SourceOf(absl::string_view prefix,
                                             absl::string_view text,
                                             SpecialTokens allowed) const {
  std::vector<int32_t> ids =
      prefix.empty() ? model_.tokenizer->Encode(text, allowed)
                     : model_.tokenizer->EncodePrompted(prefix, text);
  ids.push_back(model_.tokenizer->eos_id());
  return ids;
}

int64_t RequestReader::CountSource(absl::string_view prefix,
                                   absl::string_view text, IsWanted is_wanted,
                                   SpecialTokens allowed) const {
  int64_t tokens = 0;
  int64_t num_cuts = 0;
  for (size_t at = 0; text.size() - at > kCountedAtOnce; ++num_cuts) {
    if (!is_wanted()) return 0;
    const size_t end = CharacterBegin(text, at + kCountedAtOnce);
    tokens +=
        model_.tokenizer->Encode(text.substr(at, end - at), allowed).size();
    at = end;
    if (tokens - num_cuts * kMaxTokensOfCut > model_.max_source_tokens) {
      return tokens * static_cast<int64_t>(text.size()) /
             static_cast<int64_t>(at);
    }
  }
  if (!is_wanted()) return 0;
  return static_cast<int64_t>(SourceOf(prefix, text, allowed).size());
}

absl::StatusOr<PreparedRequest> RequestReader::AddSegments(
    PreparedRequest prepared, const std::string& prefix,
    SegmentedText segmented, IsWanted is_wanted) const {
  for (absl::string_view segment : segmented.segments) {
    if (!is_wanted()) return absl::CancelledError("the client has left");
    prepared.request.segments.push_back(SourceOf(prefix, segment));
  }
  Gaps gaps;
  for (absl::string_view gap : segmented.gaps) gaps.push_back(gap);
  prepared.plan.gaps = std::move(gaps);
  Complete(prepared);
  return prepared;
}

absl::StatusOr<PreparedRequest> RequestReader::Read(
    const v1::TranslateRequest& request, IsWanted is_wanted) const {
  if (absl::Status status = CheckModel(request.model()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckText(request.text(), is_wanted);
      !status.ok()) {
    return status;
  }
  const absl::StatusOr<LineBreaks> line_breaks =
      ParseLineBreaks(request.line_breaks());
  if (!line_breaks.ok()) return line_breaks.status();
  absl::StatusOr<const Task*> task = model_.tasks.FindTranslation(
      request.source_language(), request.target_language());
  if (absl::IsInvalidArgument(task.status())) return NamesField(task.status());
  if (!task.ok()) return task.status();
  absl::StatusOr<PreparedRequest> prepared =
      Prepare(request.decoding(), (*task)->defaults, /*has_loop_guard=*/true);
  if (!prepared.ok()) return prepared;
  SamplingParams& sampling = prepared->request.sampling;
  sampling.output_text = OutputText::kLine;
  if (!request.decoding().has_min_new_tokens()) {
    sampling.min_new_tokens = std::max(1, sampling.min_new_tokens);
  }
  const std::string& prefix = (*task)->prefix;
  const auto count = [&](absl::string_view part) {
    return CountSource(prefix, part, is_wanted);
  };
  const std::string text = JoinLines(request.text(), *line_breaks);
  return AddSegments(*std::move(prepared), prefix,
                     SplitForTranslation(text, (*task)->source_language.code,
                                         model_.max_source_tokens, count),
                     is_wanted);
}

absl::StatusOr<PreparedRequest> RequestReader::Read(
    const v1::SummarizeRequest& request, IsWanted is_wanted) const {
  if (absl::Status status = CheckModel(request.model()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckText(request.text(), is_wanted);
      !status.ok()) {
    return status;
  }
  const Task* task = model_.tasks.summarization();
  if (task == nullptr) {
    return absl::UnimplementedError(
        absl::StrFormat("model \"%s\" has no summarization task", model_.name));
  }
  absl::StatusOr<PreparedRequest> prepared =
      Prepare(request.decoding(), task->defaults, /*has_loop_guard=*/true);
  if (!prepared.ok()) return prepared;
  prepared->request.sampling.output_text = OutputText::kLine;
  absl::StatusOr<TokenLists> sources =
      SummarySources(request.text(), is_wanted);
  if (!sources.ok()) return sources.status();
  prepared->request.segments = *std::move(sources);
  prepared->request.is_open = prepared->request.segments.size() > 1;
  prepared->request.max_segment_tokens = model_.max_source_tokens;
  Complete(*prepared);
  prepared->plan.gaps = GapsOfSummaries(prepared->plan.num_segments);
  return prepared;
}

absl::StatusOr<TokenLists> RequestReader::SummarySources(
    const std::string& text, IsWanted is_wanted) const {
  TokenLists sources;
  if (absl::StripAsciiWhitespace(text).empty()) return sources;
  const std::string& prefix = model_.tasks.summarization()->prefix;
  const auto count = [&](absl::string_view part) {
    return CountSource(prefix, part, is_wanted);
  };
  for (absl::string_view part : SplitForSummary(
           text, kSummaryLanguage, model_.max_source_tokens, count)) {
    if (!is_wanted()) return absl::CancelledError("the client has left");
    sources.push_back(SourceOf(prefix, part));
  }
  return sources;
}

absl::StatusOr<PreparedRequest> RequestReader::Read(
    const v1::GenerateRequest& request, IsWanted is_wanted) const {
  if (absl::Status status = CheckModel(request.model()); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::vector<int32_t>> source = SourceOf(request, is_wanted);
  if (!source.ok()) return source.status();
  absl::StatusOr<PreparedRequest> out =
      Prepare(request.decoding(), model_.tasks.defaults,
              /*has_loop_guard=*/false);
  if (!out.ok()) return out;
  // Token ids are answered with the reference's, whatever text they make.
  out->request.sampling.output_text =
      request.has_text() ? OutputText::kText : OutputText::kRaw;
  out->request.segments.push_back(*source);
  out->plan.gaps = Gaps({"", ""});
  Complete(*out);
  return out;
}

absl::StatusOr<std::vector<int32_t>> RequestReader::SourceOf(
    const v1::GenerateRequest& request, IsWanted is_wanted) const {
  std::vector<int32_t> source;
  switch (request.input_case()) {
    case v1::GenerateRequest::kText: {
      const std::string& text = request.text();
      if (absl::Status status = CheckText(text, is_wanted); !status.ok()) {
        return status;
      }
      constexpr SpecialTokens kAllowed = SpecialTokens::kSentinels;
      const int64_t count =
          CountSource(/*prefix=*/"", text, is_wanted, kAllowed);
      if (!is_wanted()) return absl::CancelledError("the client has left");
      if (text.size() > kCountedAtOnce && count > model_.max_source_tokens) {
        return NamesField(absl::InvalidArgumentError(absl::StrFormat(
            "text has about %d tokens; this model takes 1..%d, the end token "
            "included",
            count, model_.max_source_tokens)));
      }
      source = SourceOf(/*prefix=*/"", text, kAllowed);
      break;
    }
    case v1::GenerateRequest::kTokens:
      source.assign(request.tokens().ids().begin(),
                    request.tokens().ids().end());
      break;
    case v1::GenerateRequest::INPUT_NOT_SET:
      return absl::InvalidArgumentError("neither text nor tokens is set");
  }
  if (absl::Status status = CheckSource(request, source); !status.ok()) {
    return status;
  }
  return source;
}

absl::Status RequestReader::CheckSource(
    const v1::GenerateRequest& request,
    absl::Span<const int32_t> source) const {
  const bool is_text = request.has_text();
  const char* field = is_text ? "text" : "tokens.ids";
  if (source.empty() ||
      static_cast<int32_t>(source.size()) > model_.max_source_tokens) {
    return NamesField(absl::InvalidArgumentError(absl::StrFormat(
        "%s has %d tokens%s; this model takes 1..%d", field, source.size(),
        is_text ? ", the end token included" : "", model_.max_source_tokens)));
  }
  for (size_t i = 0; i < source.size() && !is_text; ++i) {
    if (source[i] >= 0 && source[i] < model_.vocab_size) continue;
    return NamesField(absl::InvalidArgumentError(
        absl::StrFormat("tokens.ids[%d] is %d; the vocabulary is 0..%d", i,
                        source[i], model_.vocab_size - 1)));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
