// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "engine/kernels/kernels.h"
#include "engine/thread_team.h"
#include "server/server.h"
#include "sheaf/v1/model.grpc.pb.h"
#include "sheaf/v1/text.grpc.pb.h"
#include "tests/server/fake_model.h"
#include "tests/support/gate.h"
#include "tests/support/http_peer.h"
#include "tests/support/metrics_text.h"

namespace sheaf {

// The answer to a GET of /metrics.
inline std::string HttpGetMetrics(const HostPort& address) {
  HttpPeer peer(address.port);
  EXPECT_TRUE(peer.Send(
      "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
  return peer.ReadAll();
}

// A server in this process, on free ports, that serves a FakeModel.
class ServerHarness {
 public:
  static constexpr int32_t kMaxNewTokens = 200;
  static constexpr int64_t kMaxTextBytes = 100'000;

  Gate gate;

  explicit ServerHarness(
      int32_t max_sequences = 8, int32_t max_queue = 32,
      absl::Duration stuck_after = absl::Seconds(30), Log* log = nullptr,
      const std::function<void(ServerOptions&)>& adjust = [](ServerOptions&) {
      }) {
    model_.runner.runner_limits.max_sequences = max_sequences;
    model_.runner.before_decode = [this](int32_t) { gate.Pass(); };
    ServerOptions options;
    options.listen = {"127.0.0.1", 0};
    options.metrics_listen = {"127.0.0.1", 0};
    options.limits.max_new_tokens = kMaxNewTokens;
    options.limits.max_text_bytes = kMaxTextBytes;
    options.limits.max_beam_size = std::min(kMaxBeamSize, max_sequences);
    options.max_queue = max_queue;
    options.stuck_after = stuck_after;
    options.log = log;
    adjust(options);
    EngineParts parts;
    parts.kv_shape = FakeModel::KvShape();
    parts.runner = &model_.runner;
    parts.team = &team_;
    parts.kernels = &kernels::KernelsFor(kernels::Isa::kPortable);
    absl::StatusOr<std::unique_ptr<Server>> started =
        Server::Start(options, model_.served, parts);
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
  // The value of a sheaf_ series that has no label except the model.
  double Gauge(const std::string& name) const {
    return Metric(
        absl::StrFormat("sheaf_%s{model=\"%s\"}", name, model_.served.name));
  }

  // Returns what is wrong if a request gets no answer, or if anything of
  // earlier requests is left; "" if all is well. A request is answered after
  // those before it, so a few are enough to see the end of one that was
  // cancelled.
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
  FakeModel model_;
  ThreadTeam team_{/*size=*/1};

 public:  // after the members that they use
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::TextService::Stub> text;
  std::unique_ptr<v1::ModelService::Stub> models;
};

}  // namespace sheaf
