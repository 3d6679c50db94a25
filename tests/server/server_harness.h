#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "engine/kernels/kernels.h"
#include "engine/thread_team.h"
#include "server/server.h"
#include "sheaf/v1/model.grpc.pb.h"
#include "sheaf/v1/text.grpc.pb.h"
#include "tests/support/fake_model_runner.h"
#include "tests/support/http_peer.h"
#include "tests/support/metrics_text.h"

namespace sheaf {

// Lets the engine through, or holds it before its next decode step.
class Gate {
 public:
  // After `num_steps` more decode steps.
  void Close(int32_t num_steps = 0) {
    absl::MutexLock lock(&mu_);
    num_steps_ = num_steps;
    is_open_ = num_steps > 0;
  }
  void Open() { Close(std::numeric_limits<int32_t>::max()); }
  // Returns once the engine stands before the closed gate.
  void AwaitEngine() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&is_engine_here_));
  }
  // The engine thread's.
  void Pass() {
    absl::MutexLock lock(&mu_);
    is_engine_here_ = !is_open_;
    mu_.Await(absl::Condition(&is_open_));
    is_engine_here_ = false;
    is_open_ = --num_steps_ > 0;
  }

 private:
  absl::Mutex mu_;
  int32_t num_steps_ = std::numeric_limits<int32_t>::max();
  bool is_open_ = true;
  bool is_engine_here_ = false;
};

// The ids of sheaf-small's vocabulary that are the bytes of `text`. The model
// below answers with them. REQUIRES: ASCII from ' ' to '_'.
inline std::vector<int32_t> ByteTokens(const std::string& text) {
  std::vector<int32_t> ids;
  for (char c : text) ids.push_back(3 + c);
  return ids;
}

// A source that begins with this makes the model go on for ever.
inline constexpr int32_t kEndlessToken = 99;

// The rule of the test's model: says its source again, a printable character
// for each token.
inline int32_t SayAgain(const std::vector<int32_t>& source,
                        int32_t num_tokens) {
  constexpr int32_t kFirst = 3 + 'A', kNumLetters = 26;
  const size_t i = num_tokens - 1;
  if (source[0] == kEndlessToken) return kFirst + num_tokens % kNumLetters;
  if (i >= source.size()) return FakeModelRunner::kEos;
  const int32_t id = source[i];
  const bool is_printable = id >= 3 + ' ' && id <= 3 + '_';
  return id <= 1 || is_printable ? id : kFirst + id % kNumLetters;
}

// What a GET of /metrics answers.
inline std::string HttpGetMetrics(const HostPort& address) {
  HttpPeer peer(address.port);
  EXPECT_TRUE(peer.Send(
      "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
  return peer.ReadAll();
}

// A server in this process, on ports of its own choice, with the tokenizer and
// the tasks of sheaf-small and a model that follows SayAgain().
class ServerHarness {
 public:
  static constexpr int32_t kNumBlocks = 256;
  static constexpr int32_t kMaxSourceTokens = 96;
  static constexpr int32_t kMaxNewTokens = 200;
  static constexpr int64_t kMaxTextBytes = 100'000;

  Gate gate;

  explicit ServerHarness(int32_t max_sequences = 8, int32_t max_queue = 32,
                         absl::Duration stuck_after = absl::Seconds(30),
                         Log* log = nullptr) {
    runner_.runner_limits.max_sequences = max_sequences;
    runner_.before_decode = [this](int32_t) { gate.Pass(); };
    LoadModel();
    ServerOptions options;
    options.listen = {"127.0.0.1", 0};
    options.metrics_listen = {"127.0.0.1", 0};
    options.limits.max_new_tokens = kMaxNewTokens;
    options.limits.max_text_bytes = kMaxTextBytes;
    options.limits.max_beam_size = std::min(kMaxBeamSize, max_sequences);
    options.max_queue = max_queue;
    options.stuck_after = stuck_after;
    options.log = log;
    EngineParts parts;
    parts.kv_shape = {.num_blocks = kNumBlocks,
                      .block_bytes = 1024,
                      .self_block_tokens = 16,
                      .cross_block_tokens = 16};
    parts.runner = &runner_;
    parts.team = &team_;
    parts.kernels = &kernels::KernelsFor(kernels::Isa::kPortable);
    absl::StatusOr<std::unique_ptr<Server>> started =
        Server::Start(options, model_, parts);
    if (!started.ok()) ADD_FAILURE() << started.status();
    server = *std::move(started);
    channel = grpc::CreateChannel(server->listen().ToString(),
                                  grpc::InsecureChannelCredentials());
    text = v1::TextService::NewStub(channel);
    models = v1::ModelService::NewStub(channel);
  }

  ~ServerHarness() { gate.Open(); }

  std::string Scrape() const {
    return HttpGetMetrics(server->metrics_listen());
  }
  double Metric(const std::string& series) const {
    return MetricValue(Scrape(), series);
  }
  // Of a sheaf_ series that has no label but the model.
  double Gauge(const std::string& name) const {
    return Metric(absl::StrFormat("sheaf_%s{model=\"%s\"}", name, model_.name));
  }

  // What is wrong if a request does not get its answer, or if anything of it is
  // left. Each request is answered behind those before it, so that a few are
  // enough to see the end of one that was cancelled.
  std::string WhatIsLeft() {
    constexpr int kTries = 1000;
    for (int i = 0; i < kTries; ++i) {
      grpc::ClientContext context;
      v1::GenerateRequest request;
      v1::GenerateResponse response;
      for (int32_t id : ByteTokens("OK")) {
        request.mutable_tokens()->add_ids(id);
      }
      const grpc::Status status = text->Generate(&context, request, &response);
      if (!status.ok()) return status.error_message();
      if (response.hypotheses(0).text() != "OK") return "a wrong answer";
      if (Gauge("kv_cache_usage_ratio") == 0 &&
          Gauge("num_requests_running") == 0 &&
          Gauge("num_requests_waiting") == 0) {
        return "";
      }
    }
    return "KV blocks or requests are left";
  }

 private:
  void LoadModel() {
    const std::string dir = SHEAF_MODELS_DIR "/sheaf-small";
    absl::StatusOr<std::unique_ptr<const Tokenizer>> tokenizer =
        Tokenizer::Load(dir, /*vocab_size=*/8064);
    const absl::StatusOr<ConfigFiles> files = ReadConfigFiles(dir);
    if (!tokenizer.ok()) ADD_FAILURE() << tokenizer.status();
    if (!files.ok()) ADD_FAILURE() << files.status();
    tokenizer_ = *std::move(tokenizer);
    model_.tokenizer = tokenizer_.get();
    model_.text_family = FindTextFamily(*files).value();
    model_.tasks = ReadModelTasks(*files).value();
    model_.name = "fake";
    model_.max_source_tokens = kMaxSourceTokens;
    model_.vocab_size = FakeModelRunner::kVocabSize;
  }

  FakeModelRunner runner_{kNumBlocks, SayAgain};
  ThreadTeam team_{/*size=*/1};
  std::unique_ptr<const Tokenizer> tokenizer_;
  ServedModel model_;

 public:  // behind what they use
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::TextService::Stub> text;
  std::unique_ptr<v1::ModelService::Stub> models;
};

}  // namespace sheaf
