// SPDX-License-Identifier: Apache-2.0

#include "train/evaluate/server_run.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/usage_error.h"

namespace sheaf {
namespace {

struct Answer {
  std::string text;
  v1::Usage usage;
};

absl::StatusOr<Answer> Ask(Client& client, const std::string& source,
                           const ServerRunOptions& options) {
  const auto fill = [&](auto& request) {
    request.set_model(options.model);
    request.set_text(source);
    *request.mutable_decoding() = options.decoding;
  };
  if (options.summarizes) {
    v1::SummarizeRequest request;
    fill(request);
    const auto response = client.Summarize(request, options.call);
    if (!response.ok()) return response.status();
    return Answer{response->text(), response->usage()};
  }
  v1::TranslateRequest request;
  fill(request);
  request.set_source_language(options.source_language);
  request.set_target_language(options.target_language);
  const auto response = client.Translate(request, options.call);
  if (!response.ok()) return response.status();
  return Answer{response->text(), response->usage()};
}

}  // namespace

absl::StatusOr<ServerRun> RunOnServer(Client& client,
                                      const std::vector<std::string>& sources,
                                      const ServerRunOptions& options) {
  v1::GetModelRequest get_model;
  get_model.set_name(options.model);
  const absl::StatusOr<v1::Model> model =
      client.GetModel(get_model, options.call);
  if (!model.ok()) return model.status();
  ServerRun run;
  run.model = *model;
  run.outputs.resize(sources.size());

  std::atomic<size_t> next = 0;
  std::mutex mutex;
  absl::Status first_error;  // guarded by mutex, like the sums in run
  const auto work = [&] {
    for (size_t i; (i = next++) < sources.size();) {
      absl::StatusOr<Answer> answer = Ask(client, sources[i], options);
      const std::lock_guard<std::mutex> lock(mutex);
      if (!answer.ok()) {
        if (first_error.ok()) {
          first_error =
              WithPrefix(answer.status(), absl::StrCat("source ", i + 1));
        }
        next = sources.size();
        return;
      }
      run.outputs[i] = std::move(answer->text);
      run.input_tokens += answer->usage.input_tokens();
      run.output_tokens += answer->usage.output_tokens();
    }
  };
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < options.concurrency; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  run.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  if (!first_error.ok()) return first_error;
  return run;
}

}  // namespace sheaf
