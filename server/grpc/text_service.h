// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "server/access/trusted_proxies.h"
#include "server/exchange.h"
#include "sheaf/v1/text.grpc.pb.h"

namespace sheaf {

// sheaf.v1.TextService: parses the message and starts an Exchange.
//
// Its methods are raw: they receive and return bytes. Otherwise gRPC would
// report a message that does not parse as INTERNAL, although the client caused
// it. They run on gRPC's threads and wait for nothing.
class TextService final
    : public v1::TextService::WithRawCallbackMethod_Translate<
          v1::TextService::WithRawCallbackMethod_TranslateStream<
              v1::TextService::WithRawCallbackMethod_Summarize<
                  v1::TextService::WithRawCallbackMethod_SummarizeStream<
                      v1::TextService::WithRawCallbackMethod_Generate<
                          v1::TextService::WithRawCallbackMethod_GenerateStream<
                              v1::TextService::Service>>>>>> {
 public:
  // `proxies` is not owned.
  TextService(const Services& services, const TrustedProxies* proxies)
      : services_(services), proxies_(proxies) {}

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
  // Begins the exchange of a call. `method` is the name of the RPC, `out` what
  // its reactor needs in addition to `rpc`.
  template <typename Reactor, typename Request, typename... Out>
  Reactor* Handle(const char* method, grpc::CallbackServerContext* rpc,
                  const grpc::ByteBuffer& request, Out... out) const;

  const Services services_;
  const TrustedProxies* const proxies_;
};

}  // namespace sheaf
