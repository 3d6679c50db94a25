// SPDX-License-Identifier: Apache-2.0

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/usage_error.h"
#include "client/client.h"
#include "client/commands.h"
#include "client/cut_answers.h"
#include "client/flags.h"
#include "client/output.h"

namespace sheaf {
namespace {

absl::Status CheckUsage() {
  if (absl::GetFlag(FLAGS_stream) && absl::GetFlag(FLAGS_json)) {
    return UsageError("--stream cannot be combined with --json");
  }
  return CheckStreamOfOne();
}

// Prints a note to stderr if the only answer was cut.
void TellIfCut(v1::FinishReason reason) {
  CutAnswers cut;
  cut.Add(reason, /*line=*/0);
  cut.Tell();
}

// Returns the first error of a stream and of writing its text. Without an
// error, writes the newline at the end.
absl::Status FinishStream(const absl::StatusOr<StreamEnd>& end,
                          const absl::Status& written, Writer& out) {
  if (!end.ok()) return end.status();
  if (!written.ok()) return written;
  const absl::Status status = out.Write("\n");
  TellIfCut(end->finish_reason);
  return status;
}

// A JSON object contains `reason`. For a text, a note is printed if it was cut.
template <typename Response>
absl::Status WriteAnswer(const Response& response, v1::FinishReason reason,
                         Writer& out) {
  const bool is_json = absl::GetFlag(FLAGS_json);
  const absl::Status status = out.Write(
      absl::StrCat(is_json ? ToJson(response) : ToText(response), "\n"));
  if (!is_json) TellIfCut(reason);
  return status;
}

absl::Status StreamSummary(Client& client, const v1::SummarizeRequest& request,
                           const CallOptions& call, Writer& out) {
  absl::Status written;
  const absl::StatusOr<StreamEnd> end = client.SummarizeStream(
      request,
      [&](const v1::TextChunk& chunk) {
        written = out.Write(chunk.text());
        return written.ok();
      },
      call);
  return FinishStream(end, written, out);
}

// Writes the text while it arrives. Ids are written at the end, because a chunk
// without text may be half a character. Only the whole answer shows that it has
// no text.
absl::Status StreamGeneration(Client& client,
                              const v1::GenerateRequest& request,
                              const CallOptions& call, Writer& out) {
  absl::Status written;
  bool has_text = false;
  v1::TokenIds ids;
  const absl::StatusOr<StreamEnd> end = client.GenerateStream(
      request,
      [&](const v1::GenerateChunk& chunk) {
        has_text |= !chunk.text().empty();
        ids.MergeFrom(chunk.tokens());
        written = out.Write(chunk.text());
        return written.ok();
      },
      call);
  if (end.ok() && written.ok() && !has_text) written = out.Write(JoinIds(ids));
  return FinishStream(end, written, out);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LineReader>> OpenInput(
    const Invocation& invocation) {
  const std::string path = absl::GetFlag(FLAGS_input);
  if (!path.empty()) return LineReader::Open(path);
  return std::make_unique<LineReader>(invocation.input_fd, "stdin");
}

absl::StatusOr<std::string> ReadText(const Invocation& invocation) {
  if (!invocation.arguments.empty()) {
    if (!absl::GetFlag(FLAGS_input).empty()) {
      return UsageError(
          "there is a TEXT and an --input; give only one of them");
    }
    return absl::StrJoin(invocation.arguments, " ");
  }
  absl::StatusOr<std::unique_ptr<LineReader>> reader = OpenInput(invocation);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<std::string> text = (*reader)->Rest();
  if (!text.ok()) return text.status();
  absl::string_view trimmed = *text;
  absl::ConsumeSuffix(&trimmed, "\n");
  absl::ConsumeSuffix(&trimmed, "\r");
  return std::string(trimmed);
}

absl::Status RunSummarize(Invocation& invocation) {
  if (absl::Status status = CheckUsage(); !status.ok()) return status;
  absl::StatusOr<CallSetup> setup = CallSetupFromFlags();
  if (!setup.ok()) return setup.status();
  absl::StatusOr<std::string> text = ReadText(invocation);
  if (!text.ok()) return text.status();

  v1::SummarizeRequest request;
  request.set_model(absl::GetFlag(FLAGS_model));
  request.set_text(*std::move(text));
  *request.mutable_decoding() = std::move(setup->decoding);
  if (absl::GetFlag(FLAGS_stream)) {
    return StreamSummary(setup->client, request, setup->options,
                         invocation.out);
  }
  const absl::StatusOr<v1::SummarizeResponse> response =
      setup->client.Summarize(request, setup->options);
  if (!response.ok()) return response.status();
  return WriteAnswer(*response, response->finish_reason(), invocation.out);
}

absl::Status RunGenerate(Invocation& invocation) {
  if (absl::Status status = CheckUsage(); !status.ok()) return status;
  const std::optional<TokenIdList> ids = absl::GetFlag(FLAGS_ids);
  if (ids.has_value() &&
      (!invocation.arguments.empty() || !absl::GetFlag(FLAGS_input).empty())) {
    return UsageError("there are --ids and a text; give only one of them");
  }
  absl::StatusOr<CallSetup> setup = CallSetupFromFlags();
  if (!setup.ok()) return setup.status();

  v1::GenerateRequest request;
  request.set_model(absl::GetFlag(FLAGS_model));
  *request.mutable_decoding() = std::move(setup->decoding);
  if (ids.has_value()) {
    request.mutable_tokens()->mutable_ids()->Add(ids->ids.begin(),
                                                 ids->ids.end());
  } else {
    absl::StatusOr<std::string> text = ReadText(invocation);
    if (!text.ok()) return text.status();
    request.set_text(*std::move(text));
  }
  if (absl::GetFlag(FLAGS_stream)) {
    return StreamGeneration(setup->client, request, setup->options,
                            invocation.out);
  }
  const absl::StatusOr<v1::GenerateResponse> response =
      setup->client.Generate(request, setup->options);
  if (!response.ok()) return response.status();
  const v1::FinishReason reason = response->hypotheses_size() == 0
                                      ? v1::FINISH_REASON_UNSPECIFIED
                                      : response->hypotheses(0).finish_reason();
  return WriteAnswer(*response, reason, invocation.out);
}

absl::Status RunModels(Invocation& invocation) {
  absl::StatusOr<CallSetup> setup = CallSetupFromFlags();
  if (!setup.ok()) return setup.status();

  v1::ListModelsResponse models;
  for (const std::string& name : invocation.arguments) {
    v1::GetModelRequest request;
    request.set_name(name);
    absl::StatusOr<v1::Model> model =
        setup->client.GetModel(request, setup->options);
    if (!model.ok()) return model.status();
    *models.add_models() = *std::move(model);
  }
  if (invocation.arguments.empty()) {
    absl::StatusOr<v1::ListModelsResponse> all =
        setup->client.ListModels(setup->options);
    if (!all.ok()) return all.status();
    models = *std::move(all);
  }
  if (!absl::GetFlag(FLAGS_json)) {
    return invocation.out.Write(ModelTable(models));
  }
  std::string lines;
  for (const v1::Model& model : models.models()) {
    absl::StrAppend(&lines, ToJson(model), "\n");
  }
  return invocation.out.Write(lines);
}

}  // namespace sheaf
