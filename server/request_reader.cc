// SPDX-License-Identifier: Apache-2.0

#include "server/request_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "server/field_error.h"
#include "server/keep_options.h"
#include "text/families.h"
#include "text/markup/markup.h"
#include "text/segmenter.h"
#include "text/source_language.h"
#include "text/stop_sequences.h"
#include "text/terms/term_tokens.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using absl::StatusCode;

// The language whose rules say where the sentences of a text to summarize end,
// because such a request names none.
constexpr char kSummaryLanguage[] = "en";
// The maximum number of tokens of one character: NFKC makes at most 18
// characters of it, and each is at most three tokens (its bytes).
constexpr int64_t kMaxCharacterTokens = 54;

absl::Status Cancelled() { return absl::CancelledError("the client has left"); }

const LanguageToken* TokenOf(const std::optional<LanguageToken>& token) {
  return token ? &*token : nullptr;
}

// A prompt that is as long as any of the task.
TextPrompt PromptOf(const ServedModel& model, const Task& task) {
  const auto first = [](const LanguageSet& languages) {
    return languages.is_empty() ? nullptr
                                : TokenOf(languages.offers().front().token);
  };
  if (task.kind == Task::Kind::kAnyTranslation) {
    return {task.prefix, first(model.tasks.sources),
            first(model.tasks.targets)};
  }
  return {task.prefix, TokenOf(task.source_token), TokenOf(task.target_token)};
}

}  // namespace

absl::Status CheckTasks(const ServedModel& model) {
  if (model.tokenizers.source == nullptr) return absl::OkStatus();
  for (const Task& task : model.tasks.tasks) {
    const PromptTemplate prompt = model.text_family->make_template(
        model.tokenizers, PromptOf(model, task));
    const int64_t needed =
        static_cast<int64_t>(
            EncodeSource(*model.tokenizers.source, prompt, /*text=*/"")
                .size()) +
        kMaxCharacterTokens;
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
  int64_t bytes = sources.bytes() + prepared.plan.gaps.bytes() +
                  static_cast<int64_t>(sources.size() * sizeof(void*));
  for (const std::vector<LanguageGuess>& guesses : prepared.plan.detected) {
    bytes += static_cast<int64_t>(sizeof(std::vector<LanguageGuess>) +
                                  guesses.size() * sizeof(LanguageGuess));
  }
  if (prepared.plan.repairs != nullptr) {
    bytes += BytesOf(*prepared.plan.repairs);
  }
  return bytes;
}

RequestReader::RequestReader(const ServedModel& model,
                             const RequestLimits& limits,
                             const Glossaries* glossaries)
    : model_(model), limits_(limits), glossaries_(glossaries) {
  if (model_.tokenizers.target == nullptr) return;
  std::vector<bool> continues =
      TokensThatContinueWords(*model_.tokenizers.target);
  continues.resize(model_.vocab_size);
  continues_word_ =
      std::make_shared<const std::vector<bool>>(std::move(continues));
}

absl::Status RequestReader::CheckModel(const std::string& name) const {
  if (name.empty() || name == model_.name) return absl::OkStatus();
  return FieldError(StatusCode::kNotFound, "model",
                    "is \"%s\"; this server serves \"%s\"", Escaped(name),
                    model_.name);
}

absl::Status RequestReader::CheckText(const std::string& text,
                                      IsWanted is_wanted) const {
  if (model_.tokenizers.source == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "model \"%s\" has no tokenizer; it takes Generate with tokens only",
        model_.name));
  }
  if (text.empty()) {
    return FieldError(StatusCode::kInvalidArgument, "text", "is empty");
  }
  if (static_cast<int64_t>(text.size()) > limits_.max_text_bytes) {
    return FieldError(StatusCode::kInvalidArgument, "text",
                      "has %d bytes; this server allows 1..%d", text.size(),
                      limits_.max_text_bytes);
  }
  // The tokenizer reads the normalized text, which may be longer.
  const int64_t normalized_bytes = NormalizedBytes(text, is_wanted);
  if (!is_wanted()) return Cancelled();
  if (normalized_bytes > limits_.max_text_bytes) {
    return FieldError(StatusCode::kInvalidArgument, "text",
                      "has %d bytes once it is normalized (NFKC); this server "
                      "allows 1..%d",
                      normalized_bytes, limits_.max_text_bytes);
  }
  return absl::OkStatus();
}

template <typename Request>
absl::Status RequestReader::CheckCommon(const Request& request,
                                        IsWanted is_wanted) const {
  absl::Status status = CheckModel(request.model());
  if (status.ok()) status = CheckText(request.text(), is_wanted);
  return status;
}

absl::StatusOr<PreparedRequest> RequestReader::Prepare(
    const v1::DecodingOptions& options, const DecodingDefaults& defaults,
    const PromptTemplate& prompt, bool has_loop_guard) const {
  DecodingLimits limits;
  limits.has_loop_guard = has_loop_guard;
  limits.max_beam_size = limits_.max_beam_size;
  limits.max_new_tokens = limits_.max_new_tokens;
  limits.max_positions = model_.max_positions;
  limits.target_language_id = prompt.forced_first.value_or(-1);
  limits.vocab_size = model_.vocab_size;
  limits.no_output_ids = model_.no_output_ids;
  absl::StatusOr<CheckedOptions> checked =
      CheckDecodingOptions(options, defaults, limits);
  if (!checked.ok()) return checked.status();
  if (!checked->stop.empty() && model_.tokenizers.source == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "decoding.stop is set; model \"%s\" has no tokenizer, so its answers "
        "have no text",
        model_.name));
  }
  PreparedRequest out;
  out.request.start_tokens = {
      prompt.decoder_start.value_or(model_.start_token_id)};
  out.request.start_tokens.insert(out.request.start_tokens.end(),
                                  checked->target_prefix.begin(),
                                  checked->target_prefix.end());
  out.request.sampling = std::move(checked->sampling);
  out.plan.num_hypotheses = out.request.sampling.num_hypotheses;
  out.plan.stop = std::move(checked->stop);
  out.plan.tokenizer = model_.tokenizers.target.get();
  out.model = model_.name;
  return out;
}

// Sets what follows from the segments. A summary in rounds gets its stop
// condition with the last of them.
void RequestReader::Complete(PreparedRequest& prepared) {
  AnswerPlan& plan = prepared.plan;
  if (!prepared.request.is_open || plan.repairs != nullptr) {
    prepared.request.stop = StopSequences::Make(plan.tokenizer, plan.stop);
  }
  plan.num_segments = static_cast<int32_t>(prepared.request.segments.size());
  plan.num_input_tokens =
      static_cast<int32_t>(prepared.request.segments.num_ids());
}

PromptTemplate RequestReader::TemplateOf(const TextPrompt& prompt) const {
  return model_.text_family->make_template(model_.tokenizers, prompt);
}

absl::StatusOr<PreparedRequest> RequestReader::Read(
    const v1::SummarizeRequest& request, IsWanted is_wanted) const {
  if (absl::Status status = CheckCommon(request, is_wanted); !status.ok()) {
    return status;
  }
  const Task* task = model_.tasks.summarization();
  if (task == nullptr) {
    return absl::UnimplementedError(
        absl::StrFormat("model \"%s\" has no summarization task", model_.name));
  }
  absl::StatusOr<PreparedRequest> prepared =
      Prepare(request.decoding(), task->defaults,
              TemplateOf({.prefix = task->prefix}), /*has_loop_guard=*/true);
  if (!prepared.ok()) return prepared;
  prepared->request.sampling.output_text = OutputText::kLine;
  absl::StatusOr<std::string> text = PlainTextOf(request, is_wanted);
  if (!text.ok()) return text.status();
  absl::StatusOr<TokenLists> sources = SummarySources(*text, is_wanted);
  if (!sources.ok()) return sources.status();
  prepared->request.segments = *std::move(sources);
  prepared->request.is_open = prepared->request.segments.size() > 1;
  prepared->request.max_segment_tokens = model_.max_source_tokens;
  Complete(*prepared);
  prepared->plan.gaps = GapsOfSummaries(prepared->plan.num_segments);
  return prepared;
}

// The text to summarize, without markup.
absl::StatusOr<std::string> RequestReader::PlainTextOf(
    const v1::SummarizeRequest& request, IsWanted is_wanted) const {
  const absl::StatusOr<TextFormat> format = ReadTextFormat(request.format());
  if (!format.ok()) return format.status();
  if (*format == TextFormat::kPlain) return request.text();
  absl::StatusOr<std::string> text =
      sheaf::PlainTextOf(request.text(), *format, is_wanted);
  if (!text.ok()) return WithTextField(text.status());
  if (!text->empty()) {
    if (absl::Status status = CheckText(*text, is_wanted); !status.ok()) {
      return status;
    }
  }
  return text;
}

absl::StatusOr<TokenLists> RequestReader::SummarySources(
    const std::string& text, IsWanted is_wanted) const {
  if (absl::StripAsciiWhitespace(text).empty()) return TokenLists();
  const PromptTemplate prompt =
      TemplateOf({.prefix = model_.tasks.summarization()->prefix});
  const SourceEncoder encoder(*model_.tokenizers.source, prompt,
                              model_.max_source_tokens, is_wanted);
  absl::StatusOr<SummaryParts> parts = SplitForSummary(
      text, kSummaryLanguage, model_.max_source_tokens,
      [&](absl::string_view segment) { return encoder.Encode(segment); });
  if (!parts.ok()) return parts.status();
  return std::move(parts->sources);
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
              request.has_text() ? TemplateOf({}) : PromptTemplate(),
              /*has_loop_guard=*/false);
  if (!out.ok()) return out;
  // The answer to token ids has the reference's ids, whatever text they make.
  out->request.sampling.output_text =
      request.has_text() ? OutputText::kText : OutputText::kRaw;
  if (request.return_alignments()) {
    out->request.wants_alignment = true;
    out->request.source_margins = SpecialTokensAround(*source);
  }
  out->request.segments.push_back(*source);
  out->plan.gaps = Gaps({"", ""});
  Complete(*out);
  return out;
}

// The tokens without text at both ends of a source. Without a tokenizer, none
// is known.
SourceMargins RequestReader::SpecialTokensAround(
    absl::Span<const int32_t> source) const {
  SourceMargins margins;
  const Tokenizer* tokenizer = model_.tokenizers.source.get();
  if (tokenizer == nullptr) return margins;
  const auto has_text = [&](int32_t id) {
    return tokenizer->token(id).kind != Tokenizer::Token::Kind::kDropped;
  };
  const auto first = std::find_if(source.begin(), source.end(), has_text);
  const auto last = std::find_if(source.rbegin(), source.rend(), has_text);
  margins.leading = static_cast<int32_t>(first - source.begin());
  margins.trailing = static_cast<int32_t>(last - source.rbegin());
  return margins;
}

absl::StatusOr<std::vector<int32_t>> RequestReader::SourceOf(
    const v1::GenerateRequest& request, IsWanted is_wanted) const {
  switch (request.input_case()) {
    case v1::GenerateRequest::kText:
      return SourceOfText(request.text(), is_wanted);
    case v1::GenerateRequest::INPUT_NOT_SET:
      return absl::InvalidArgumentError("neither text nor tokens is set");
    case v1::GenerateRequest::kTokens:
      break;
  }
  std::vector<int32_t> source(request.tokens().ids().begin(),
                              request.tokens().ids().end());
  if (absl::Status status = CheckLength("tokens.ids", source); !status.ok()) {
    return status;
  }
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] >= 0 && source[i] < model_.source_vocab_size) continue;
    return FieldError(StatusCode::kInvalidArgument,
                      absl::StrFormat("tokens.ids[%d]", i),
                      "is %d; the vocabulary is 0..%d", source[i],
                      model_.source_vocab_size - 1);
  }
  return source;
}

absl::StatusOr<std::vector<int32_t>> RequestReader::SourceOfText(
    const std::string& text, IsWanted is_wanted) const {
  if (absl::Status status = CheckText(text, is_wanted); !status.ok()) {
    return status;
  }
  PromptTemplate prompt = TemplateOf({});
  prompt.allowed = SpecialTokens::kSentinels;
  absl::StatusOr<EncodedSource> source =
      SourceEncoder(*model_.tokenizers.source, prompt, model_.max_source_tokens,
                    is_wanted)
          .Encode(text);
  if (!source.ok()) return source.status();
  if (source->ids.empty()) {
    return FieldError(StatusCode::kInvalidArgument, "text",
                      "has about %d tokens; this model takes 1..%d, the end "
                      "token included",
                      source->num_tokens, model_.max_source_tokens);
  }
  if (absl::Status status = CheckLength("text", source->ids); !status.ok()) {
    return status;
  }
  return std::move(source->ids);
}

absl::Status RequestReader::CheckLength(
    absl::string_view field, const std::vector<int32_t>& source) const {
  if (!source.empty() &&
      source.size() <= static_cast<size_t>(model_.max_source_tokens)) {
    return absl::OkStatus();
  }
  return FieldError(StatusCode::kInvalidArgument, field,
                    "has %d tokens%s; this model takes 1..%d", source.size(),
                    field == "text" ? ", the end token included" : "",
                    model_.max_source_tokens);
}

}  // namespace sheaf
