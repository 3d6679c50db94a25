// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/kernels/kernels.h"
#include "server/server.h"
#include "server/server_model.h"
#include "sheaf/v1/model.grpc.pb.h"
#include "sheaf/v1/text.grpc.pb.h"

namespace sheaf {

// A server in this process, on free ports, that serves a model directory with
// the default options of the program.
class ModelServer {
 public:
  static ProgramOptions Options() {
    ProgramOptions options;
    options.weight_type = "f32";
    options.kv_type = "f32";
    options.isa = "auto";
    options.kv_cache_bytes = 64 << 20;
    options.max_sequences = 32;
    options.num_threads = 2;
    options.server.max_queue = 1024;
    options.server.listen = {"127.0.0.1", 0};
    options.server.metrics_listen = {"127.0.0.1", 0};
    return options;
  }

  // Null, and a failure of the test, if the directory cannot be served.
  static std::unique_ptr<ModelServer> Start(
      const std::string& directory, const ProgramOptions& options = Options()) {
    auto model = ServerModel::Load(directory, options, kernels::DetectIsa());
    if (!model.ok()) {
      ADD_FAILURE() << model.status();
      return nullptr;
    }
    ServerOptions server_options = options.server;
    server_options.max_queued_bytes = (*model)->max_queued_bytes();
    auto server =
        Server::Start(server_options, (*model)->served(), (*model)->parts());
    if (!server.ok()) {
      ADD_FAILURE() << server.status();
      return nullptr;
    }
    return std::unique_ptr<ModelServer>(
        new ModelServer(*std::move(model), *std::move(server)));
  }

  v1::TextService::Stub& text() { return *text_; }

  // The description of the model.
  v1::Model Describe() {
    grpc::ClientContext context;
    v1::Model model;
    EXPECT_TRUE(models_->GetModel(&context, {}, &model).ok());
    return model;
  }

 private:
  ModelServer(std::unique_ptr<ServerModel> model,
              std::unique_ptr<Server> server)
      : model_(std::move(model)),
        server_(std::move(server)),
        channel_(grpc::CreateChannel(server_->listen().ToString(),
                                     grpc::InsecureChannelCredentials())),
        text_(v1::TextService::NewStub(channel_)),
        models_(v1::ModelService::NewStub(channel_)) {}

  const std::unique_ptr<ServerModel> model_;
  const std::unique_ptr<Server> server_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::TextService::Stub> text_;
  const std::unique_ptr<v1::ModelService::Stub> models_;
};

}  // namespace sheaf
