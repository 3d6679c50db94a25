// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/text_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/grpc/reactors.h"
#include "server/grpc/wire.h"
#include "server/parse_message.h"

namespace sheaf {

// The reactor outlives the handler, because gRPC calls OnDone(), which may end
// it, only after the handler has returned.
template <typename Reactor, typename Request, typename... Out>
Reactor* TextService::Handle(const char* method,
                             grpc::CallbackServerContext* rpc,
                             const grpc::ByteBuffer& request,
                             Out... out) const {
  const auto reactor = std::make_shared<Reactor>(rpc, out...);
  const std::shared_ptr<Exchange> exchange = reactor->Open(
      services_,
      CallerOf(*rpc,
               absl::StrCat(v1::TextService::service_full_name(), "/", method),
               *proxies_));
  if (!exchange->Authorize(static_cast<int64_t>(request.Length()))) {
    return reactor.get();
  }
  exchange->Start(
      [reader = services_.request_reader,
       bytes = TakeBytes(request)](RequestReader::IsWanted is_wanted) mutable
      -> absl::StatusOr<PreparedRequest> {
        Request message;
        if (absl::Status status = ParseMessage(bytes, &message); !status.ok()) {
          return status;
        }
        std::string().swap(bytes);  // the message has them now
        return reader->Read(message, is_wanted);
      });
  return reactor.get();
}

grpc::ServerUnaryReactor* TextService::Translate(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return Handle<UnaryReactor<v1::TranslateResponse>, v1::TranslateRequest>(
      "Translate", rpc, *request, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::TranslateStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return Handle<StreamReactor<v1::TextChunk>, v1::TranslateRequest>(
      "TranslateStream", rpc, *request);
}

grpc::ServerUnaryReactor* TextService::Summarize(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return Handle<UnaryReactor<v1::SummarizeResponse>, v1::SummarizeRequest>(
      "Summarize", rpc, *request, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::SummarizeStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return Handle<StreamReactor<v1::TextChunk>, v1::SummarizeRequest>(
      "SummarizeStream", rpc, *request);
}

grpc::ServerUnaryReactor* TextService::Generate(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return Handle<UnaryReactor<v1::GenerateResponse>, v1::GenerateRequest>(
      "Generate", rpc, *request, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* TextService::GenerateStream(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request) {
  return Handle<StreamReactor<v1::GenerateChunk>, v1::GenerateRequest>(
      "GenerateStream", rpc, *request);
}

}  // namespace sheaf
