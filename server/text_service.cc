#include "server/text_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "server/wire.h"

namespace sheaf {

template <typename Request>
absl::StatusOr<AdmittedRequest> TextService::Admit(
    const grpc::CallbackServerContext& rpc,
    const grpc::ByteBuffer& bytes) const {
  const absl::Time now = absl::Now();
  const absl::Time deadline =
      std::min(absl::FromChrono(rpc.deadline()), now + default_deadline_);
  if (deadline <= now) {
    return absl::DeadlineExceededError(
        "the deadline had passed when the request arrived");
  }
  Request request;
  if (absl::Status status = ParseMessage(bytes, &request); !status.ok()) {
    return status;
  }
  absl::StatusOr<AdmittedRequest> admitted = door_->Admit(request);
  if (admitted.ok()) admitted->request.deadline = deadline;
  return admitted;
}

// The reactors outlive the handlers: gRPC calls OnDone(), which may end them,
// only after these have returned.
template <typename Request>
grpc::ServerUnaryReactor* TextService::StartUnary(
    ReplyKind kind, grpc::CallbackServerContext* rpc,
    const grpc::ByteBuffer& request, grpc::ByteBuffer* response) const {
  const auto call = std::make_shared<UnaryCall>(context_, kind, rpc, response);
  call->Start(Admit<Request>(*rpc, request));
  return call.get();
}

template <typename Request>
grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::StartStream(
    ReplyKind kind, grpc::CallbackServerContext* rpc,
    const grpc::ByteBuffer& request) const {
  const auto call = std::make_shared<StreamCall>(context_, kind, rpc);
  call->Start(Admit<Request>(*rpc, request));
  return call.get();
}

grpc::ServerUnaryReactor* TextService::Translate(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return StartUnary<v1::TranslateRequest>(ReplyKind::kTranslate, rpc, *request,
                                          response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::TranslateStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return StartStream<v1::TranslateRequest>(ReplyKind::kTranslate, rpc,
                                           *request);
}

grpc::ServerUnaryReactor* TextService::Summarize(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return StartUnary<v1::SummarizeRequest>(ReplyKind::kSummarize, rpc, *request,
                                          response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::SummarizeStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return StartStream<v1::SummarizeRequest>(ReplyKind::kSummarize, rpc,
                                           *request);
}

grpc::ServerUnaryReactor* TextService::Generate(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return StartUnary<v1::GenerateRequest>(ReplyKind::kGenerate, rpc, *request,
                                         response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::GenerateStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return StartStream<v1::GenerateRequest>(ReplyKind::kGenerate, rpc, *request);
}

}  // namespace sheaf
