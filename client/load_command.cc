// SPDX-License-Identifier: Apache-2.0

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "base/usage_error.h"
#include "client/client.h"
#include "client/commands.h"
#include "client/flags.h"
#include "client/load.h"
#include "client/output.h"

namespace sheaf {
namespace {

constexpr char kDefaultText[] =
    "The house is quiet, and the garden lies in the evening sun.";
constexpr double kMaxRequests = 1e7;
constexpr int32_t kMaxSourceTokens = 1 << 20;
// T5's ids before this one are padding, end and unknown.
constexpr int32_t kFirstTextId = 3;
constexpr int32_t kEndId = 1;

// The input of all requests of the run.
struct LoadSource {
  v1::DecodingOptions decoding;
  std::vector<std::string> texts;  // used in turn; not empty
  int32_t num_source_tokens = 0;   // > 0: random ids instead of a text
  int32_t vocab_size = 0;
  uint64_t seed = 0;

  const std::string& text(int64_t index) const {
    return texts[index % texts.size()];
  }
};

absl::StatusOr<LoadOptions> OptionsFromFlags() {
  LoadOptions options{.rate = absl::GetFlag(FLAGS_rate),
                      .seconds = absl::GetFlag(FLAGS_seconds),
                      .seed = absl::GetFlag(FLAGS_seed).value_or(0)};
  if (!(options.rate > 0) || !std::isfinite(options.rate)) {
    return UsageError(
        absl::StrCat("--rate is ", options.rate, "; it must be more than 0"));
  }
  if (!(options.seconds > 0) || !std::isfinite(options.seconds)) {
    return UsageError(absl::StrCat("--seconds is ", options.seconds,
                                   "; it must be more than 0"));
  }
  if (options.rate * options.seconds > kMaxRequests) {
    return UsageError(absl::StrCat(
        "--rate times --seconds is ", options.rate * options.seconds,
        " requests; allowed are at most ", kMaxRequests));
  }
  return options;
}

absl::Status CheckSourceTokens(int32_t num_source_tokens, int32_t vocab_size) {
  if (num_source_tokens < 0 || num_source_tokens > kMaxSourceTokens) {
    return UsageError(absl::StrCat("--source_tokens is ", num_source_tokens,
                                   "; it must be 1..", kMaxSourceTokens));
  }
  if (num_source_tokens > 0 && absl::GetFlag(FLAGS_task) != "generate") {
    return UsageError("--source_tokens needs --task=generate");
  }
  if (vocab_size <= kFirstTextId) {
    return UsageError(absl::StrCat("--source_vocab_size is ", vocab_size,
                                   "; it must be more than ", kFirstTextId));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> TextsFromFlags() {
  const std::string text = absl::GetFlag(FLAGS_text);
  const std::string path = absl::GetFlag(FLAGS_input);
  if (!text.empty() && !path.empty()) {
    return UsageError("there are --text and --input; give only one of them");
  }
  if (path.empty()) {
    return std::vector<std::string>{text.empty() ? kDefaultText : text};
  }
  absl::StatusOr<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return reader.status();
  std::vector<std::string> texts;
  for (;;) {
    absl::StatusOr<std::optional<std::string>> line = (*reader)->Next();
    if (!line.ok()) return line.status();
    if (!line->has_value()) break;
    if (!IsBlank(**line)) texts.push_back(**std::move(line));
  }
  if (texts.empty()) {
    return UsageError(absl::StrCat("--input=", path, " has no text"));
  }
  return texts;
}

absl::StatusOr<LoadSource> SourceFromFlags(v1::DecodingOptions decoding) {
  LoadSource source;
  source.decoding = std::move(decoding);
  source.num_source_tokens = absl::GetFlag(FLAGS_source_tokens);
  source.vocab_size = absl::GetFlag(FLAGS_source_vocab_size);
  absl::Status checked =
      CheckSourceTokens(source.num_source_tokens, source.vocab_size);
  if (!checked.ok()) return checked;
  absl::StatusOr<std::vector<std::string>> texts = TextsFromFlags();
  if (!texts.ok()) return texts.status();
  source.texts = *std::move(texts);
  source.seed = absl::GetFlag(FLAGS_seed).value_or(0);
  return source;
}

v1::TranslateRequest MakeTranslate(const LoadSource& source, int64_t index) {
  v1::TranslateRequest request;
  request.set_model(absl::GetFlag(FLAGS_model));
  request.set_text(source.text(index));
  const std::string from = absl::GetFlag(FLAGS_from);
  const std::string to = absl::GetFlag(FLAGS_to);
  request.set_source_language(from.empty() && to.empty() ? "en" : from);
  request.set_target_language(to.empty() ? "de" : to);
  *request.mutable_decoding() = source.decoding;
  return request;
}

v1::SummarizeRequest MakeSummarize(const LoadSource& source, int64_t index) {
  v1::SummarizeRequest request;
  request.set_model(absl::GetFlag(FLAGS_model));
  request.set_text(source.text(index));
  *request.mutable_decoding() = source.decoding;
  return request;
}

v1::GenerateRequest MakeGenerate(const LoadSource& source, int64_t index) {
  v1::GenerateRequest request;
  request.set_model(absl::GetFlag(FLAGS_model));
  *request.mutable_decoding() = source.decoding;
  if (source.num_source_tokens == 0) {
    request.set_text(source.text(index));
    return request;
  }
  std::mt19937_64 random(source.seed + static_cast<uint64_t>(index));
  std::uniform_int_distribution<int32_t> id(kFirstTextId,
                                            source.vocab_size - 1);
  auto& ids = *request.mutable_tokens()->mutable_ids();
  for (int32_t i = 0; i + 1 < source.num_source_tokens; ++i) {
    ids.Add(id(random));
  }
  ids.Add(kEndId);
  return request;
}

// `client` and `source` must outlive the run.
absl::StatusOr<StartRequest> MakeStart(Client& client, const LoadSource& source,
                                       const CallOptions& call) {
  const auto text_chunk = [](std::function<void()> on_output) {
    return [on_output = std::move(on_output)](const v1::TextChunk& chunk) {
      if (!chunk.text().empty()) on_output();
      return true;
    };
  };
  const std::string task = absl::GetFlag(FLAGS_task);
  if (task == "translate") {
    return [=, &client, &source](int64_t index, std::function<void()> on_output,
                                 Client::OnDone on_done) {
      client.TranslateStreamAsync(MakeTranslate(source, index),
                                  text_chunk(std::move(on_output)),
                                  std::move(on_done), call);
    };
  }
  if (task == "summarize") {
    return [=, &client, &source](int64_t index, std::function<void()> on_output,
                                 Client::OnDone on_done) {
      client.SummarizeStreamAsync(MakeSummarize(source, index),
                                  text_chunk(std::move(on_output)),
                                  std::move(on_done), call);
    };
  }
  if (task == "generate") {
    return [=, &client, &source](int64_t index, std::function<void()> on_output,
                                 Client::OnDone on_done) {
      client.GenerateStreamAsync(
          MakeGenerate(source, index),
          [on_output = std::move(on_output)](const v1::GenerateChunk& chunk) {
            if (!chunk.text().empty() || chunk.tokens().ids_size() > 0) {
              on_output();
            }
            return true;
          },
          std::move(on_done), call);
    };
  }
  return UsageError(absl::StrCat(
      "--task is \"", task, "\"; it must be translate, summarize or generate"));
}

}  // namespace

absl::Status RunLoadCommand(Invocation& invocation) {
  if (!invocation.arguments.empty()) {
    return UsageError(absl::StrCat("unexpected argument \"",
                                   invocation.arguments[0],
                                   "\"; load takes its text from --text"));
  }
  // A refused request is a result of the measurement, unless the user asks for
  // retries.
  if (!absl::GetFlag(FLAGS_max_attempts).has_value()) {
    absl::SetFlag(&FLAGS_max_attempts, 1);
  }
  absl::StatusOr<CallSetup> setup = CallSetupFromFlags();
  if (!setup.ok()) return setup.status();
  absl::StatusOr<LoadOptions> options = OptionsFromFlags();
  if (!options.ok()) return options.status();
  absl::StatusOr<LoadSource> source =
      SourceFromFlags(std::move(setup->decoding));
  if (!source.ok()) return source.status();
  absl::StatusOr<StartRequest> start =
      MakeStart(setup->client, *source, setup->options);
  if (!start.ok()) return start.status();

  const LoadReport report = RunLoad(*options, *start);
  absl::Status written = invocation.out.Write(absl::StrCat(report.json, "\n"));
  if (!written.ok()) return written;
  if (report.num_ok == 0) return report.first_error;
  return absl::OkStatus();
}

}  // namespace sheaf
