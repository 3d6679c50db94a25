// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/grpc/reflection_service.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct V1 {
  using Service = grpc::reflection::v1::ServerReflection;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};
struct V1Alpha {
  using Service = grpc::reflection::v1alpha::ServerReflection;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

// Both versions do all of this.
template <typename Version>
class ReflectionTest : public testing::Test {
 protected:
  using Request = typename Version::Request;
  using Response = typename Version::Response;
  using Stream = grpc::ClientReaderWriter<Request, Response>;

  ReflectionTest() {
    AddReflectionServices(host_, {"sheaf.v1.Text"}, router_);
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&router_);
    server_ = builder.BuildAndStart();
    stub_ = Version::Service::NewStub(server_->InProcessChannel({}));
  }

  // The answers to the requests, which are sent on one stream.
  std::vector<Response> Ask(const std::vector<Request>& requests) {
    grpc::ClientContext context;
    const std::unique_ptr<Stream> stream =
        stub_->ServerReflectionInfo(&context);
    std::vector<Response> responses(requests.size());
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_TRUE(stream->Write(requests[i]));
      EXPECT_TRUE(stream->Read(&responses[i]));
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    return responses;
  }
  static std::vector<std::string> FileNames(const Response& response) {
    std::vector<std::string> names;
    for (const std::string& bytes :
         response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }

  Metrics metrics_{"fake", /*kv_capacity_bytes=*/1};
  Timers timers_;
  const TrustedProxies proxies_;
  RpcHost host_{.metrics = &metrics_, .proxies = &proxies_, .timers = &timers_};
  RpcRouter router_{host_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<typename Version::Service::Stub> stub_;
};

using Versions = testing::Types<V1, V1Alpha>;
TYPED_TEST_SUITE(ReflectionTest, Versions);

TYPED_TEST(ReflectionTest, ListsTheServicesAndItself) {
  typename TypeParam::Request request;
  request.set_host("here");
  request.set_list_services("*");
  const auto response = this->Ask({request})[0];
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, ElementsAre("grpc.reflection.v1.ServerReflection",
                                 "grpc.reflection.v1alpha.ServerReflection",
                                 "sheaf.v1.Text"));
  EXPECT_EQ(response.valid_host(), "here");
  EXPECT_EQ(response.original_request().SerializeAsString(),
            request.SerializeAsString());
}

TYPED_TEST(ReflectionTest, ASymbolsFileComesWithWhatItImports) {
  typename TypeParam::Request service, method, file, unknown;
  service.set_file_containing_symbol("grpc.reflection.v1.ServerReflection");
  method.set_file_containing_symbol(
      "grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo");
  // descriptor.proto has no imports; its program's pool has it.
  file.set_file_by_filename("google/protobuf/descriptor.proto");
  unknown.set_file_containing_symbol("no.Such");
  const auto answers = this->Ask({service, method, file, unknown});
  EXPECT_THAT(this->FileNames(answers[0]),
              ElementsAre("grpc/reflection/v1/reflection.proto"));
  EXPECT_THAT(this->FileNames(answers[1]),
              ElementsAre("grpc/reflection/v1alpha/reflection.proto"));
  EXPECT_THAT(this->FileNames(answers[2]),
              ElementsAre("google/protobuf/descriptor.proto"));
  EXPECT_EQ(answers[3].error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(answers[3].error_response().error_message(),
              HasSubstr("\"no.Such\""));
}

TYPED_TEST(ReflectionTest, WhatCannotBeAnsweredIsAnErrorWithinTheStream) {
  typename TypeParam::Request empty, extension, numbers;
  extension.mutable_file_containing_extension()->set_containing_type(
      "google.protobuf.FileOptions");
  extension.mutable_file_containing_extension()->set_extension_number(12345);
  numbers.set_all_extension_numbers_of_type("no.Such");
  const auto answers = this->Ask({empty, extension, numbers});
  EXPECT_EQ(answers[0].error_response().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  for (int i : {1, 2}) {
    EXPECT_EQ(answers[i].error_response().error_code(),
              grpc::StatusCode::NOT_FOUND);
  }
}

TYPED_TEST(ReflectionTest, IdleStreamsTakeNoThread) {
  const auto num_threads = [] {
    using Directory = std::filesystem::directory_iterator;
    return std::distance(Directory("/proc/self/task"), Directory());
  };
  constexpr int kNumStreams = 64;
  std::vector<grpc::ClientContext> contexts(kNumStreams);
  std::vector<std::unique_ptr<typename TestFixture::Stream>> streams;
  typename TypeParam::Request request;
  typename TypeParam::Response response;
  request.set_list_services("");
  for (grpc::ClientContext& context : contexts) {
    streams.push_back(this->stub_->ServerReflectionInfo(&context));
    ASSERT_TRUE(streams.back()->Write(request));
    ASSERT_TRUE(streams.back()->Read(&response));
  }
  EXPECT_LT(num_threads(), kNumStreams);
  for (grpc::ClientContext& context : contexts) context.TryCancel();
  for (const auto& stream : streams) {
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

}  // namespace
}  // namespace sheaf
