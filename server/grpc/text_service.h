#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "server/grpc/call.h"
#include "server/request_reader.h"
#include "sheaf/v1/text.grpc.pb.h"

namespace sheaf {

// sheaf.v1.TextService: parses, reads the request, and starts a Call.
//
// Its methods are raw, bytes in and out, so that a message which does not parse
// is the client's error and not ours. They run on gRPC's threads, wait for
// nothing, and leave long texts to the door thread.
class TextService final
    : public v1::TextService::WithRawCallbackMethod_Translate<
          v1::TextService::WithRawCallbackMethod_TranslateStream<
              v1::TextService::WithRawCallbackMethod_Summarize<
                  v1::TextService::WithRawCallbackMethod_SummarizeStream<
                      v1::TextService::WithRawCallbackMethod_Generate<
                          v1::TextService::WithRawCallbackMethod_GenerateStream<
                              v1::TextService::Service>>>>>> {
 public:
  // A call that sets no deadline, or a later one, has `default_deadline`.
  TextService(const CallContext& context, absl::Duration default_deadline)
      : context_(context), default_deadline_(default_deadline) {}

  grpc::ServerUnaryReactor* Translate(grpc::CallbackServerContext* rpc,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* TranslateStream(
      grpc::CallbackServerContext* rpc,
      const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* Summarize(grpc::CallbackServerContext* rpc,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* SummarizeStream(
      grpc::CallbackServerContext* rpc,
      const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* rpc,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* GenerateStream(
      grpc::CallbackServerContext* rpc,
      const grpc::ByteBuffer* request) override;

 private:
  // Reads the request and starts the call, here or, if it is long, on the door
  // thread.
  template <typename Request>
  void Start(const std::shared_ptr<Call>& call,
             const grpc::CallbackServerContext& rpc,
             const grpc::ByteBuffer& request) const;
  template <typename Request>
  absl::StatusOr<PreparedRequest> Read(Call& call, MonotonicTime deadline,
                                       std::string bytes) const;
  template <typename Request>
  grpc::ServerUnaryReactor* StartUnary(ReplyKind kind, const char* method,
                                       grpc::CallbackServerContext* rpc,
                                       const grpc::ByteBuffer& request,
                                       grpc::ByteBuffer* response) const;
  template <typename Request>
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StartStream(
      ReplyKind kind, const char* method, grpc::CallbackServerContext* rpc,
      const grpc::ByteBuffer& request) const;

  const CallContext context_;
  const absl::Duration default_deadline_;
};

}  // namespace sheaf
