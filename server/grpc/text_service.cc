// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/text_service.h"

#include <memory>

#include "server/grpc/exchange_call.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

// Adds a method whose calls are of the type Call.
template <typename Call>
void Add(const char* method, RpcHost& host, const Services& services,
         RpcRouter& router) {
  router.Add(ServiceOf<v1::TranslateRequest>(), method,
             RpcRouter::Token::kRequired,
             [&host, &services](const RpcName& name,
                                grpc::CallbackServerContext* rpc) {
               return std::make_shared<Call>(host, name, rpc, services);
             });
}

template <typename Request, typename Response, typename Chunk>
void AddBoth(const char* method, const char* stream_method, RpcHost& host,
             const Services& services, RpcRouter& router) {
  Add<WholeAnswerCall<Request, Response>>(method, host, services, router);
  Add<StreamedAnswerCall<Request, Chunk>>(stream_method, host, services,
                                          router);
}

}  // namespace

void AddTextService(RpcHost& host, const Services& services,
                    RpcRouter& router) {
  AddBoth<v1::TranslateRequest, v1::TranslateResponse, v1::TextChunk>(
      "Translate", "TranslateStream", host, services, router);
  AddBoth<v1::SummarizeRequest, v1::SummarizeResponse, v1::TextChunk>(
      "Summarize", "SummarizeStream", host, services, router);
  AddBoth<v1::GenerateRequest, v1::GenerateResponse, v1::GenerateChunk>(
      "Generate", "GenerateStream", host, services, router);
  Add<WholeAnswerCall<v1::DetectLanguageRequest, v1::DetectLanguageResponse>>(
      "DetectLanguage", host, services, router);
}

}  // namespace sheaf
