#include "server/grpc/text_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/grpc/grpc_time.h"
#include "server/grpc/wire.h"

namespace sheaf {

namespace {

// The RPCs' names in the log.
constexpr char kTranslate[] = "sheaf.v1.TextService/Translate";
constexpr char kTranslateStream[] = "sheaf.v1.TextService/TranslateStream";
constexpr char kSummarize[] = "sheaf.v1.TextService/Summarize";
constexpr char kSummarizeStream[] = "sheaf.v1.TextService/SummarizeStream";
constexpr char kGenerate[] = "sheaf.v1.TextService/Generate";
constexpr char kGenerateStream[] = "sheaf.v1.TextService/GenerateStream";

// What is longer is left to the door thread; this much takes a few
// milliseconds.
constexpr size_t kShortRequestBytes = 8 << 10;

}  // namespace

template <typename Request>
absl::StatusOr<PreparedRequest> TextService::Read(Call& call,
                                                  MonotonicTime deadline,
                                                  std::string bytes) const {
  const auto is_in_time = [&] { return MonotonicTime::Now() < deadline; };
  const auto too_late = [] {
    return absl::DeadlineExceededError(
        "the deadline passed before the request was read");
  };
  const auto is_draining = [&] { return context_.intake->is_abandoned(); };
  const auto cut_off = [] {
    return absl::UnavailableError("the server is draining");
  };
  if (!is_in_time()) return too_late();
  if (is_draining()) return cut_off();
  if (call.is_gone()) return absl::CancelledError("the client has left");
  Request request;
  if (absl::Status status = ParseMessage(bytes, &request); !status.ok()) {
    return status;
  }
  std::string().swap(bytes);  // the request has them now
  absl::StatusOr<PreparedRequest> prepared =
      context_.request_reader->Read(request, [&] {
        context_.fair_executor->Yield();
        return !call.is_gone() && is_in_time() && !is_draining();
      });
  if (absl::IsCancelled(prepared.status())) {
    if (!is_in_time()) return too_late();
    if (is_draining()) return cut_off();
  }
  if (prepared.ok()) prepared->request.deadline = deadline;
  return prepared;
}

template <typename Request>
void TextService::Start(const std::shared_ptr<Call>& call,
                        const grpc::CallbackServerContext& rpc,
                        const grpc::ByteBuffer& request) const {
  call->HoldForRpc();
  const size_t num_bytes = request.Length();
  if (!call->Authorize(static_cast<int64_t>(num_bytes))) return;
  const MonotonicTime deadline = std::min(
      FromGrpc(rpc.raw_deadline()), MonotonicTime::Now() + default_deadline_);
  auto read = [this, call, deadline, bytes = TakeBytes(request)]() mutable {
    call->Start(Read<Request>(*call, deadline, std::move(bytes)));
  };
  if (num_bytes <= kShortRequestBytes) return read();
  if (!call->AwaitTurn(num_bytes, std::move(read))) {
    call->Start(absl::ResourceExhaustedError(
        "as many long texts wait already as this server queues"));
  }
}

// The reactors outlive the handlers: gRPC calls OnDone(), which may end them,
// only after these have returned.
template <typename Request>
grpc::ServerUnaryReactor* TextService::StartUnary(
    ReplyKind kind, const char* method, grpc::CallbackServerContext* rpc,
    const grpc::ByteBuffer& request, grpc::ByteBuffer* response) const {
  const auto call =
      std::make_shared<UnaryCall>(context_, kind, method, rpc, response);
  Start<Request>(call, *rpc, request);
  return call.get();
}

template <typename Request>
grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::StartStream(
    ReplyKind kind, const char* method, grpc::CallbackServerContext* rpc,
    const grpc::ByteBuffer& request) const {
  const auto call = std::make_shared<StreamCall>(context_, kind, method, rpc);
  Start<Request>(call, *rpc, request);
  return call.get();
}

grpc::ServerUnaryReactor* TextService::Translate(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return StartUnary<v1::TranslateRequest>(ReplyKind::kTranslate, kTranslate,
                                          rpc, *request, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::TranslateStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return StartStream<v1::TranslateRequest>(ReplyKind::kTranslate,
                                           kTranslateStream, rpc, *request);
}

grpc::ServerUnaryReactor* TextService::Summarize(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return StartUnary<v1::SummarizeRequest>(ReplyKind::kSummarize, kSummarize,
                                          rpc, *request, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::SummarizeStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return StartStream<v1::SummarizeRequest>(ReplyKind::kSummarize,
                                           kSummarizeStream, rpc, *request);
}

grpc::ServerUnaryReactor* TextService::Generate(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return StartUnary<v1::GenerateRequest>(ReplyKind::kGenerate, kGenerate, rpc,
                                         *request, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::GenerateStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return StartStream<v1::GenerateRequest>(ReplyKind::kGenerate, kGenerateStream,
                                          rpc, *request);
}

}  // namespace sheaf
