// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/server/server_harness.h"

namespace sheaf {

inline v1::GenerateRequest GenerateOf(const std::vector<int32_t>& tokens) {
  v1::GenerateRequest request;
  request.mutable_tokens()->mutable_ids()->Assign(tokens.begin(), tokens.end());
  return request;
}

inline v1::TranslateRequest TranslateOf(const std::string& text) {
  v1::TranslateRequest request;
  request.set_text(text);
  request.set_source_language("en");
  request.set_target_language("de");
  return request;
}

inline v1::GenerateRequest Endless(int32_t max_new_tokens) {
  v1::GenerateRequest request = GenerateOf({kEndlessToken});
  request.mutable_decoding()->set_max_new_tokens(max_new_tokens);
  return request;
}

class ServerTest : public testing::Test {
 protected:
  grpc::Status Generate(const v1::GenerateRequest& request,
                        v1::GenerateResponse* response) {
    grpc::ClientContext context;
    return harness_.text->Generate(&context, request, response);
  }
  grpc::Status Generate(const v1::GenerateRequest& request) {
    v1::GenerateResponse response;
    return Generate(request, &response);
  }
  grpc::Status Translate(const v1::TranslateRequest& request,
                         v1::TranslateResponse* response) {
    grpc::ClientContext context;
    return harness_.text->Translate(&context, request, response);
  }
  grpc::Status Translate(const v1::TranslateRequest& request) {
    v1::TranslateResponse response;
    return Translate(request, &response);
  }

  ServerHarness harness_;
};

// Calls a method with raw bytes and returns raw bytes.
inline grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel,
                            const std::string& method, const std::string& bytes,
                            std::string* answer = nullptr) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  std::vector<grpc::Slice> slices;
  if (answer != nullptr && status.ok() && response.Dump(&slices).ok()) {
    answer->clear();
    for (const grpc::Slice& each : slices) {
      answer->append(reinterpret_cast<const char*>(each.begin()), each.size());
    }
  }
  return status;
}

}  // namespace sheaf
