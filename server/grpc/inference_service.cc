// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/inference_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/version.h"
#include "inference/grpc_service.pb.h"
#include "server/batch_exchange.h"
#include "server/field_error.h"
#include "server/grpc/infer_request.h"
#include "server/grpc/infer_response.h"
#include "server/grpc/infer_stream.h"
#include "server/grpc/unary_call.h"
#include "server/grpc/wire.h"
#include "server/parse_message.h"

namespace sheaf {
namespace {

using inference::ModelInferRequest;

// The name of the server in its metadata.
constexpr char kServerName[] = "sheaf";

// A call of ModelInfer.
//
// Life: batch and call hold each other from Begin() to OnClosed().
class InferCall final : public RpcCall, public BatchResponder {
 public:
  InferCall(RpcHost& host, const RpcName& name,
            grpc::CallbackServerContext* rpc, const Services& services)
      : RpcCall(host, name, rpc), services_(services) {}

  void LimitReading(MonotonicTime deadline) override { LimitLife(deadline); }
  bool TakesParts() const override { return false; }
  bool IsReady() const override { return true; }
  void Send(const AnswerPart&) override { SHEAF_CHECK(false); }
  void Finish(std::vector<TextAnswer> answers) override {
    SendLast(SerializeMessage(MakeInferResponse(layout_, answers)));
  }
  void Fail(const absl::Status& status, std::optional<int> item) override {
    if (!item.has_value() || num_items_ == 1) return End(status);
    absl::Status about(status.code(), absl::StrFormat("element %d: %s", *item,
                                                      status.message()));
    const std::string field = FieldOf(status);
    End(field.empty() ? about : WithField(about, field));
  }

 private:
  void Begin() override {
    batch_ = BatchExchange::Open(
        services_, caller(),
        std::shared_ptr<BatchResponder>(shared_from_this(), this));
    AddRequestId(batch_->request_id(), &rpc());
    if (batch_->Authorize()) ReadMessage(host().max_message_bytes);
  }
  void OnMessage(std::string bytes) override {
    if (!batch_->TakeMessage(static_cast<int64_t>(bytes.size()))) return;
    batch_->Start(
        [this, self = shared_from_this(), bytes = std::move(bytes)]() mutable {
          return Parse(bytes);
        });
  }
  void OnNoMessage(const absl::Status& reason) override {
    // Not always gRPC's thread, so that the batch could be closed meanwhile.
    const std::shared_ptr<BatchExchange> held = batch_;
    held->OnNoMessage(reason);
  }
  void OnClientGone() override { batch_->OnClientGone(); }
  void OnUnread() override { batch_->OnUnread(); }
  void OnClosed() override {
    const std::shared_ptr<BatchExchange> batch = std::move(batch_);
    batch->OnClosed();
  }

  absl::StatusOr<std::vector<BatchItem>> Parse(std::string& bytes) {
    ModelInferRequest request;
    absl::Status status = ParseMessage(bytes, &request);
    if (!status.ok()) return status;
    std::string().swap(bytes);  // the message has them now
    absl::StatusOr<InferBatch> batch = ReadInferRequest(
        request, /*is_streamed=*/false, *services_.request_reader);
    if (!batch.ok()) return batch.status();
    layout_ = std::move(batch->layout);
    num_items_ = batch->items.size();
    return std::move(batch->items);
  }

  const Services& services_;
  std::shared_ptr<BatchExchange> batch_;  // null once closed
  // Set before the items run.
  InferLayout layout_;
  size_t num_items_ = 1;
};

absl::StatusOr<inference::ServerMetadataResponse> ServerMetadata(
    const inference::ServerMetadataRequest&) {
  inference::ServerMetadataResponse response;
  response.set_name(kServerName);
  response.set_version(Version());
  return response;
}

absl::StatusOr<inference::ModelMetadataResponse> ModelMetadata(
    const ServedModel& model, const inference::ModelMetadataRequest& request) {
  absl::Status status =
      CheckInferModel(model, /*field=*/"", request.name(), request.version());
  if (!status.ok()) return status;
  inference::ModelMetadataResponse response;
  response.set_name(model.name);
  response.add_versions(std::string(kModelVersion));
  response.set_platform(kServerName);
  const auto set = [](const char* name, const char* datatype, auto* tensor) {
    tensor->set_name(name);
    tensor->set_datatype(datatype);
    tensor->add_shape(-1);
  };
  for (const char* name :
       {kTextTensor, kSourceLanguageTensor, kTargetLanguageTensor}) {
    set(name, "BYTES", response.add_inputs());
  }
  set(kTextTensor, "BYTES", response.add_outputs());
  set(kFinishReasonTensor, "BYTES", response.add_outputs());
  set(kScoreTensor, "FP32", response.add_outputs());
  set(kDetectedLanguageTensor, "BYTES", response.add_outputs());
  return response;
}

// Adds a method whose answer to a Request is `answer` of it. `limiter` is null
// if anybody may call.
template <typename Request, typename Answer>
void AddMethod(const char* method, RpcHost& host, CallerLimiter* limiter,
               RpcRouter& router, Answer answer) {
  router.Add(ServiceOf<Request>(), method,
             limiter == nullptr ? RpcRouter::Token::kNotRequired
                                : RpcRouter::Token::kRequired,
             OpenUnary(host, limiter,
                       [answer](const std::string& bytes)
                           -> absl::StatusOr<grpc::ByteBuffer> {
                         Request request;
                         absl::Status status = ParseMessage(bytes, &request);
                         if (!status.ok()) return status;
                         auto response = answer(request);
                         if (!response.ok()) return response.status();
                         return SerializeMessage(*response);
                       }));
}

void AddReadiness(RpcHost& host, const ServedModel& model,
                  const HealthService& health, RpcRouter& router) {
  AddMethod<inference::ServerLiveRequest>(
      "ServerLive", host, /*limiter=*/nullptr, router,
      [&health](const inference::ServerLiveRequest&) {
        inference::ServerLiveResponse response;
        response.set_live(health.IsServing(kLivenessName));
        return absl::StatusOr<inference::ServerLiveResponse>(response);
      });
  AddMethod<inference::ServerReadyRequest>(
      "ServerReady", host, /*limiter=*/nullptr, router,
      [&health](const inference::ServerReadyRequest&) {
        inference::ServerReadyResponse response;
        response.set_ready(health.IsServing(""));
        return absl::StatusOr<inference::ServerReadyResponse>(response);
      });
  AddMethod<inference::ModelReadyRequest>(
      "ModelReady", host, /*limiter=*/nullptr, router,
      [&health, &model](const inference::ModelReadyRequest& request) {
        inference::ModelReadyResponse response;
        response.set_ready(
            health.IsServing("") &&
            CheckInferModel(model, "", request.name(), request.version()).ok());
        return absl::StatusOr<inference::ModelReadyResponse>(response);
      });
}

// Adds a method whose calls are of the type Call.
template <typename Call>
void AddCalls(const char* method, RpcHost& host, const Services& services,
              RpcRouter& router) {
  router.Add(ServiceOf<ModelInferRequest>(), method,
             RpcRouter::Token::kRequired,
             [&host, &services](const RpcName& name,
                                grpc::CallbackServerContext* rpc) {
               return std::make_shared<Call>(host, name, rpc, services);
             });
}

}  // namespace

void AddInferenceService(RpcHost& host, const Services& services,
                         const HealthService& health, RpcRouter& router) {
  const ServedModel& model = services.request_reader->model();
  AddReadiness(host, model, health, router);
  AddMethod<inference::ServerMetadataRequest>(
      "ServerMetadata", host, services.limiter, router, &ServerMetadata);
  AddMethod<inference::ModelMetadataRequest>(
      "ModelMetadata", host, services.limiter, router,
      [&model](const inference::ModelMetadataRequest& request) {
        return ModelMetadata(model, request);
      });
  AddCalls<InferCall>("ModelInfer", host, services, router);
  AddCalls<InferStream>("ModelStreamInfer", host, services, router);
}

}  // namespace sheaf
