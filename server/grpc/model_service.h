// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "server/access/caller_limiter.h"
#include "server/access/trusted_proxies.h"
#include "server/served_model.h"
#include "sheaf/v1/model.grpc.pb.h"

namespace sheaf {

// sheaf.v1.ModelService: describes the served model. Its methods are raw, for
// the reason given in text_service.h.
class ModelService final
    : public v1::ModelService::WithRawCallbackMethod_ListModels<
          v1::ModelService::WithRawCallbackMethod_GetModel<
              v1::ModelService::Service>> {
 public:
  // `limiter` and `proxies` are not owned.
  ModelService(const ServedModel& model, int64_t kv_capacity_bytes,
               CallerLimiter* limiter, const TrustedProxies* proxies);

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* rpc,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* rpc,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;

 private:
  // Parses the request if the caller may call.
  absl::Status Open(const grpc::CallbackServerContext& rpc,
                    const grpc::ByteBuffer& bytes,
                    google::protobuf::MessageLite* request);

  v1::Model model_;
  CallerLimiter* const limiter_;
  const TrustedProxies* const proxies_;
};

}  // namespace sheaf
