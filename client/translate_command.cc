// SPDX-License-Identifier: Apache-2.0

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "base/flag_parser.h"
#include "base/usage_error.h"
#include "client/client.h"
#include "client/commands.h"
#include "client/cut_answers.h"
#include "client/flags.h"
#include "client/line_io.h"
#include "client/line_pipeline.h"
#include "client/output.h"
#include "client/segment_notes.h"
#include "client/translate_document.h"
#include "client/translate_file.h"
#include "text/documents/document.h"

namespace sheaf {
namespace {

// The format of the input: that of the flag, else of the extension.
DocumentFormat FormatOf(const Invocation& invocation) {
  if (const auto format = absl::GetFlag(FLAGS_format)) return format->value;
  // These flags are about lines or texts.
  if (!invocation.arguments.empty() ||
      absl::GetFlag(FLAGS_line_breaks).has_value()) {
    return DocumentFormat::kText;
  }
  return DocumentFormatOfPath(absl::GetFlag(FLAGS_input))
      .value_or(DocumentFormat::kText);
}

void SetFormat(TextFormat format, v1::TranslateRequest& request) {
  if (format == TextFormat::kHtml) request.set_format(v1::TEXT_FORMAT_HTML);
  if (format == TextFormat::kXml) request.set_format(v1::TEXT_FORMAT_XML);
}

v1::LineBreaks LineBreaksOf(LineBreaks line_breaks) {
  switch (line_breaks) {
    case LineBreaks::kKeep:
      return v1::LINE_BREAKS_KEEP;
    case LineBreaks::kParagraphs:
      return v1::LINE_BREAKS_PARAGRAPHS;
    case LineBreaks::kAutomatic:
      break;
  }
  return v1::LINE_BREAKS_UNSPECIFIED;
}

// Sets the fields about what is kept in the text.
void SetKept(v1::TranslateRequest& request) {
  if (const auto protects = absl::GetFlag(FLAGS_protect_spans)) {
    request.set_protect_spans(*protects);
  }
  if (const auto repair = absl::GetFlag(FLAGS_repair)) {
    request.set_repair(*repair);
  }
  for (std::string& text : absl::GetFlag(FLAGS_do_not_translate).values) {
    request.add_do_not_translate(std::move(text));
  }
  request.set_return_segments(absl::GetFlag(FLAGS_report));
}

// Writes what is said about the segments of a translation. A failure to write
// is ignored.
void TellOfSegments(const SegmentNotes& notes) {
  Writer(STDERR_FILENO, "stderr").Write(notes.ToText()).IgnoreError();
}

// Translates a text with the options of the flags, and formats the output.
// Thread-safe.
class Translator {
 public:
  // The texts are of `format`, except for those of units.
  static absl::StatusOr<Translator> FromFlags(DocumentFormat format) {
    absl::StatusOr<CallSetup> setup = CallSetupFromFlags();
    if (!setup.ok()) return setup.status();
    v1::TranslateRequest request;
    request.set_model(absl::GetFlag(FLAGS_model));
    request.set_source_language(absl::GetFlag(FLAGS_from));
    request.set_target_language(absl::GetFlag(FLAGS_to));
    request.set_copy_target_language(absl::GetFlag(FLAGS_copy_target_language));
    *request.mutable_decoding() = std::move(setup->decoding);
    if (const auto line_breaks = absl::GetFlag(FLAGS_line_breaks)) {
      request.set_line_breaks(line_breaks->value);
    }
    SetKept(request);
    if (format == DocumentFormat::kHtml) SetFormat(TextFormat::kHtml, request);
    if (format == DocumentFormat::kXml) SetFormat(TextFormat::kXml, request);
    return Translator(std::move(setup->client), setup->options,
                      std::move(request));
  }

  // Returns the translation, or all hypotheses with `between` them if there are
  // several, or one JSON object with --json. The translation of a blank text is
  // empty and needs no request. `line` is as in CutAnswers.
  absl::StatusOr<std::string> Translate(const std::string& text, int64_t line,
                                        absl::string_view between) {
    v1::TranslateResponse response;
    if (!IsBlank(text)) {
      absl::StatusOr<v1::TranslateResponse> answer =
          client_.Translate(RequestFor(text), call_);
      if (!answer.ok()) return answer.status();
      response = *std::move(answer);
      cut_answers_->Add(response.finish_reason(), line);
    }
    if (!absl::GetFlag(FLAGS_json)) {
      TellOfSegments({text, response.text(), response.segments(), line});
    }
    return absl::GetFlag(FLAGS_json) ? ToJson(response)
                                     : ToText(response, between);
  }

  absl::StatusOr<std::string> TranslateUnit(const DocumentUnit& unit) {
    v1::TranslateRequest request = RequestFor(unit.text);
    request.clear_format();
    SetFormat(unit.format, request);
    if (unit.format == TextFormat::kPlain) {
      request.set_line_breaks(LineBreaksOf(unit.line_breaks));
    }
    for (const std::string& text : unit.do_not_translate) {
      request.add_do_not_translate(text);
    }
    absl::StatusOr<v1::TranslateResponse> answer =
        client_.Translate(request, call_);
    if (!answer.ok()) return answer.status();
    cut_answers_->Add(answer->finish_reason(), unit.line);
    TellOfSegments({unit.text, answer->text(), answer->segments(), unit.line});
    return std::move(*answer->mutable_text());
  }

  // Writes the text while it arrives, then a newline. The translation of one
  // line is one line.
  absl::Status Stream(const std::string& text, int64_t line, Writer& out) {
    const bool is_line = text.find('\n') == std::string::npos;
    absl::Status written;
    if (!IsBlank(text)) {
      std::string translation;
      const absl::StatusOr<StreamEnd> end = client_.TranslateStream(
          RequestFor(text),
          [&](const v1::TextChunk& chunk) {
            translation += chunk.text();
            TellOfSegments({text, translation, chunk.segments(), line});
            written = out.Write(is_line ? JoinLineBreaks(chunk.text())
                                        : chunk.text());
            return written.ok();
          },
          call_);
      if (!end.ok()) return end.status();
      cut_answers_->Add(end->finish_reason, line);
    }
    if (!written.ok()) return written;
    return out.Write("\n");
  }

  // Not needed with --json, because each answer has its finish reason.
  void TellOfCutAnswers() const {
    if (!absl::GetFlag(FLAGS_json)) cut_answers_->Tell();
  }

 private:
  Translator(Client client, const CallOptions& call,
             v1::TranslateRequest request)
      : client_(std::move(client)), call_(call), request_(std::move(request)) {}

  v1::TranslateRequest RequestFor(const std::string& text) const {
    v1::TranslateRequest request = request_;
    request.set_text(text);
    return request;
  }

  Client client_;
  const CallOptions call_;
  const v1::TranslateRequest request_;  // without the text
  // A pointer, so that a Translator can be moved.
  std::unique_ptr<CutAnswers> cut_answers_ = std::make_unique<CutAnswers>();
};

// Checks the flags that do not go with a format other than text.
absl::Status CheckFormat(const Invocation& invocation) {
  const DocumentFormat format = FormatOf(invocation);
  if (format == DocumentFormat::kText) return absl::OkStatus();
  const absl::string_view name = NameOf(format);
  if (absl::GetFlag(FLAGS_line_breaks).has_value()) {
    return UsageError(
        absl::StrCat("--line_breaks cannot be combined with "
                     "--format=",
                     name, ", which says what line breaks mean"));
  }
  if (!invocation.arguments.empty()) {
    if (format == DocumentFormat::kHtml || format == DocumentFormat::kXml) {
      return absl::OkStatus();
    }
    return UsageError(absl::StrCat("--format=", name,
                                   " is for files; a TEXT may be text, html "
                                   "or xml"));
  }
  const auto hypotheses = absl::GetFlag(FLAGS_num_hypotheses);
  if (absl::GetFlag(FLAGS_stream) || absl::GetFlag(FLAGS_json) ||
      (hypotheses && *hypotheses > 1)) {
    return UsageError(absl::StrCat(
        "--stream, --json and --num_hypotheses cannot be combined with "
        "--format=",
        name, "; --format=text translates line by line"));
  }
  return absl::OkStatus();
}

absl::Status CheckUsage(const Invocation& invocation) {
  const bool has_input = !absl::GetFlag(FLAGS_input).empty();
  const bool has_output = !absl::GetFlag(FLAGS_output).empty();
  if (absl::GetFlag(FLAGS_to).empty()) {
    return UsageError("--to is missing; it is the target language, such as de");
  }
  if (has_input && !invocation.arguments.empty()) {
    return UsageError("there is a TEXT and an --input; give only one of them");
  }
  if (has_output && !has_input) {
    return UsageError("--output needs --input; without it, redirect stdout");
  }
  if (has_output && absl::GetFlag(FLAGS_line_breaks).has_value()) {
    return UsageError(
        "--line_breaks cannot be combined with --output, whose lines are those "
        "of --input; redirect stdout instead");
  }
  if (absl::GetFlag(FLAGS_overwrite) && !has_output) {
    return UsageError("--overwrite needs --output");
  }
  if (absl::GetFlag(FLAGS_stream) &&
      (absl::GetFlag(FLAGS_json) || has_output)) {
    return UsageError("--stream cannot be combined with --json or --output");
  }
  if (absl::Status status = CheckFormat(invocation); !status.ok()) {
    return status;
  }
  return CheckStreamOfOne();
}

absl::Status StreamLines(LineReader& reader, Translator& translator,
                         Writer& out) {
  for (int64_t number = 1;; ++number) {
    absl::StatusOr<std::optional<std::string>> line = reader.Next();
    if (!line.ok()) return line.status();
    if (!line->has_value()) return absl::OkStatus();
    absl::Status status = translator.Stream(**line, number, out);
    if (!status.ok()) return WithPrefix(status, absl::StrCat("line ", number));
  }
}

int ProgressFd() { return isatty(STDERR_FILENO) ? STDERR_FILENO : -1; }

absl::Status TranslateAsDocument(Invocation& invocation, DocumentFormat format,
                                 Translator& translator, int concurrency) {
  absl::StatusOr<std::unique_ptr<LineReader>> reader = OpenInput(invocation);
  if (!reader.ok()) return reader.status();
  const std::string output = absl::GetFlag(FLAGS_output);
  return TranslateDocument(
      {.format = format,
       .options = {.target_language = absl::GetFlag(FLAGS_to),
                   .retranslate = absl::GetFlag(FLAGS_retranslate),
                   .mark_for_review = absl::GetFlag(FLAGS_mark_for_review)},
       .input = absl::GetFlag(FLAGS_input),
       .output = output,
       .overwrite = absl::GetFlag(FLAGS_overwrite),
       .concurrency = concurrency,
       .progress_fd = output.empty() ? -1 : ProgressFd()},
      **reader, invocation.out,
      [&](const DocumentUnit& unit) { return translator.TranslateUnit(unit); });
}

// Translates the input of the command line: one text, or lines.
absl::Status TranslateAll(Invocation& invocation, Translator& translator,
                          int concurrency) {
  // Every line gives exactly one line, so that hypotheses are joined by tabs.
  const auto translate_line = [&](const std::string& text, int64_t number) {
    return translator.Translate(text, number, /*between=*/"\t");
  };
  const bool is_streaming = absl::GetFlag(FLAGS_stream);

  const bool is_one_text = !invocation.arguments.empty() ||
                           absl::GetFlag(FLAGS_line_breaks).has_value();
  if (is_one_text) {
    constexpr int64_t kNoLine = 0;
    absl::StatusOr<std::string> text = ReadText(invocation);
    if (!text.ok()) return text.status();
    if (is_streaming) return translator.Stream(*text, kNoLine, invocation.out);
    absl::StatusOr<std::string> translation =
        translator.Translate(*text, kNoLine, /*between=*/"\n");
    if (!translation.ok()) return translation.status();
    return invocation.out.Write(absl::StrCat(*translation, "\n"));
  }
  if (const std::string output = absl::GetFlag(FLAGS_output); !output.empty()) {
    return TranslateFile({.input = absl::GetFlag(FLAGS_input),
                          .output = output,
                          .overwrite = absl::GetFlag(FLAGS_overwrite),
                          .concurrency = concurrency,
                          .progress_fd = ProgressFd()},
                         translate_line);
  }
  absl::StatusOr<std::unique_ptr<LineReader>> reader = OpenInput(invocation);
  if (!reader.ok()) return reader.status();
  if (is_streaming) return StreamLines(**reader, translator, invocation.out);
  return MapLines(**reader, {.concurrency = concurrency}, translate_line,
                  [&](absl::string_view lines, int64_t) {
                    return invocation.out.Write(lines);
                  });
}

}  // namespace

absl::Status RunTranslate(Invocation& invocation) {
  if (absl::Status status = CheckUsage(invocation); !status.ok()) return status;
  const DocumentFormat format = FormatOf(invocation);
  absl::StatusOr<Translator> translator = Translator::FromFlags(format);
  if (!translator.ok()) return translator.status();
  absl::StatusOr<int> concurrency = ConcurrencyFromFlags();
  if (!concurrency.ok()) return concurrency.status();
  const bool is_document =
      format != DocumentFormat::kText && invocation.arguments.empty();
  const absl::Status status =
      is_document
          ? TranslateAsDocument(invocation, format, *translator, *concurrency)
          : TranslateAll(invocation, *translator, *concurrency);
  translator->TellOfCutAnswers();
  return status;
}

}  // namespace sheaf
