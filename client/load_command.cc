// SPDX-License-Identifier: Apache-2.0

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "base/usage_error.h"
#include "client/client.h"
#include "client/commands.h"
#include "client/flags.h"
#include "client/http_client.h"
#include "client/load.h"
#include "client/load_source.h"

namespace sheaf {
namespace {

constexpr double kMaxRequests = 1e7;
constexpr int32_t kMaxClients = 10'000;

absl::StatusOr<LoadOptions> OptionsFromFlags() {
  const std::optional<double> rate = absl::GetFlag(FLAGS_rate);
  const std::optional<int32_t> clients = absl::GetFlag(FLAGS_clients);
  const LoadOptions options{.rate = rate.value_or(1),
                            .num_clients = clients.value_or(0),
                            .seconds = absl::GetFlag(FLAGS_seconds),
                            .seed = absl::GetFlag(FLAGS_seed).value_or(0)};
  if (rate.has_value() && clients.has_value()) {
    return UsageError("there are --rate and --clients; give only one of them");
  }
  if (clients.has_value() && (*clients < 1 || *clients > kMaxClients)) {
    return UsageError(absl::StrCat("--clients is ", *clients,
                                   "; it must be 1..", kMaxClients));
  }
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

// The requests of one task and the ways to send them.
template <typename Request, typename Chunk, typename Response>
struct Task {
  const char* path;  // over HTTP
  Request (LoadSource::*make)(int64_t index) const;
  void (Client::*stream)(const Request&, std::function<bool(const Chunk&)>,
                         Client::OnDone, const CallOptions&);
  void (Client::*whole)(const Request&, Client::OnResponse<Response>,
                        const CallOptions&);
};

constexpr Task<v1::TranslateRequest, v1::TextChunk, v1::TranslateResponse>
    kTranslate = {"/v1/translate", &LoadSource::Translate,
                  &Client::TranslateStreamAsync, &Client::TranslateAsync};
constexpr Task<v1::SummarizeRequest, v1::TextChunk, v1::SummarizeResponse>
    kSummarize = {"/v1/summarize", &LoadSource::Summarize,
                  &Client::SummarizeStreamAsync, &Client::SummarizeAsync};
constexpr Task<v1::GenerateRequest, v1::GenerateChunk, v1::GenerateResponse>
    kGenerate = {"/v1/generate", &LoadSource::Generate,
                 &Client::GenerateStreamAsync, &Client::GenerateAsync};

bool HasOutput(const v1::TextChunk& chunk) { return !chunk.text().empty(); }
bool HasOutput(const v1::GenerateChunk& chunk) {
  return !chunk.text().empty() || chunk.tokens().ids_size() > 0;
}

// The receiver of the requests, and how they are sent.
struct Sender {
  std::optional<Client> grpc;  // one of these two is set
  std::unique_ptr<HttpClient> http;
  CallOptions options;
  bool is_whole = false;
};

template <typename Request, typename Chunk, typename Response>
StartRequest StartOf(const Task<Request, Chunk, Response>& task,
                     const LoadSource& source, Sender& sender) {
  if (sender.http != nullptr) {
    return [&](int64_t index, std::function<void()> on_output,
               Client::OnDone on_done) {
      sender.http->Start((source.*task.make)(index),
                         {.path = task.path,
                          .is_streamed = !sender.is_whole,
                          .options = sender.options,
                          .on_output = std::move(on_output),
                          .on_done = std::move(on_done)});
    };
  }
  if (sender.is_whole) {
    return [&](int64_t index, const std::function<void()>& on_output,
               const Client::OnDone& on_done) {
      ((*sender.grpc).*task.whole)(
          (source.*task.make)(index),
          [on_output, on_done](const absl::StatusOr<Response>& response) {
            if (!response.ok()) return on_done(response.status());
            on_output();
            StreamEnd end;
            end.usage = response->usage();
            on_done(end);
          },
          sender.options);
    };
  }
  return [&](int64_t index, std::function<void()> on_output,
             Client::OnDone on_done) {
    ((*sender.grpc).*task.stream)(
        (source.*task.make)(index),
        [on_output = std::move(on_output)](const Chunk& chunk) {
          if (HasOutput(chunk)) on_output();
          return true;
        },
        std::move(on_done), sender.options);
  };
}

// `source` and `sender` must outlive the run.
absl::StatusOr<StartRequest> StartFromFlags(const LoadSource& source,
                                            Sender& sender) {
  const std::string task = absl::GetFlag(FLAGS_task);
  if (task == "translate") return StartOf(kTranslate, source, sender);
  if (task == "summarize") return StartOf(kSummarize, source, sender);
  if (task == "generate") return StartOf(kGenerate, source, sender);
  return UsageError(absl::StrCat(
      "--task is \"", task, "\"; it must be translate, summarize or generate"));
}

absl::StatusOr<Sender> SenderFromFlags() {
  // A refused request is a result of the measurement, unless the user asks for
  // retries.
  const int attempts = absl::GetFlag(FLAGS_max_attempts).value_or(1);
  absl::SetFlag(&FLAGS_max_attempts, attempts);
  const absl::StatusOr<ClientOptions> server = ServerFromFlags();
  if (!server.ok()) return server.status();
  const absl::StatusOr<CallOptions> options = CallOptionsFromFlags();
  if (!options.ok()) return options.status();
  Sender sender;
  sender.options = *options;
  sender.is_whole = absl::GetFlag(FLAGS_whole);
  if (!absl::GetFlag(FLAGS_http)) {
    absl::StatusOr<Client> client = Client::Connect(*server);
    if (!client.ok()) return UsageError(client.status().message());
    sender.grpc = *std::move(client);
    return sender;
  }
  if (attempts != 1) {
    return UsageError(absl::StrCat("--max_attempts is ", attempts,
                                   "; --http sends each request once"));
  }
  absl::StatusOr<std::unique_ptr<HttpClient>> client =
      HttpClient::Open(*server);
  if (absl::IsInvalidArgument(client.status())) {
    return UsageError(client.status().message());
  }
  if (!client.ok()) return client.status();
  sender.http = *std::move(client);
  return sender;
}

}  // namespace

absl::Status RunLoadCommand(Invocation& invocation) {
  if (!invocation.arguments.empty()) {
    return UsageError(absl::StrCat("unexpected argument \"",
                                   invocation.arguments[0],
                                   "\"; load takes its text from --text"));
  }
  const absl::StatusOr<LoadOptions> options = OptionsFromFlags();
  if (!options.ok()) return options.status();
  const absl::StatusOr<LoadSource> source = LoadSource::FromFlags();
  if (!source.ok()) return source.status();
  absl::StatusOr<Sender> sender = SenderFromFlags();
  if (!sender.ok()) return sender.status();
  const absl::StatusOr<StartRequest> start = StartFromFlags(*source, *sender);
  if (!start.ok()) return start.status();

  const LoadReport report = RunLoad(*options, *start);
  absl::Status written = invocation.out.Write(absl::StrCat(report.json, "\n"));
  if (!written.ok()) return written;
  if (report.num_ok == 0) return report.first_error;
  return absl::OkStatus();
}

}  // namespace sheaf
