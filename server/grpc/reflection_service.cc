// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "server/grpc/wire.h"
#include "server/parse_message.h"

namespace sheaf {
namespace {

namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

using Names = std::shared_ptr<const std::vector<std::string>>;

const DescriptorPool& Pool() { return *DescriptorPool::generated_pool(); }

// Returns null if there is no such extension.
const FieldDescriptor* FindExtension(const std::string& type, int number) {
  const Descriptor* message = Pool().FindMessageTypeByName(type);
  return message == nullptr ? nullptr
                            : Pool().FindExtensionByNumber(message, number);
}

// The file and all its imports, each once, the file first.
std::vector<const FileDescriptor*> WithImports(const FileDescriptor* file) {
  std::vector<const FileDescriptor*> files = {file};
  absl::flat_hash_set<const FileDescriptor*> seen = {file};
  for (size_t i = 0; i < files.size(); ++i) {
    const FileDescriptor* importer = files[i];
    for (int k = 0; k < importer->dependency_count(); ++k) {
      const FileDescriptor* import = importer->dependency(k);
      if (seen.insert(import).second) files.push_back(import);
    }
  }
  return files;
}

template <typename Response>
void SetError(grpc::StatusCode code, const std::string& message,
              Response* response) {
  response->mutable_error_response()->set_error_code(code);
  response->mutable_error_response()->set_error_message(message);
}

// Answers a request for `what`. `file` is null if there is none.
template <typename Response>
void SetFile(const FileDescriptor* file, const std::string& what,
             Response* response) {
  if (file == nullptr) {
    SetError(grpc::StatusCode::NOT_FOUND,
             absl::StrFormat("\"%s\" is not known here", what), response);
    return;
  }
  auto* out = response->mutable_file_descriptor_response();
  for (const FileDescriptor* each : WithImports(file)) {
    google::protobuf::FileDescriptorProto proto;
    each->CopyTo(&proto);
    out->add_file_descriptor_proto(proto.SerializeAsString());
  }
}

template <typename Response>
void SetExtensions(const std::string& type, Response* response) {
  const Descriptor* message = Pool().FindMessageTypeByName(type);
  if (message == nullptr) {
    SetError(grpc::StatusCode::NOT_FOUND,
             absl::StrFormat("\"%s\" is not known here", type), response);
    return;
  }
  std::vector<const FieldDescriptor*> extensions;
  Pool().FindAllExtensions(message, &extensions);
  auto* out = response->mutable_all_extension_numbers_response();
  out->set_base_type_name(type);
  for (const FieldDescriptor* extension : extensions) {
    out->add_extension_number(extension->number());
  }
}

template <typename Response, typename Request>
Response Answer(const Request& request, const Names& services) {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      SetFile(Pool().FindFileByName(request.file_by_filename()),
              request.file_by_filename(), &response);
      break;
    case Request::kFileContainingSymbol:
      SetFile(Pool().FindFileContainingSymbol(request.file_containing_symbol()),
              request.file_containing_symbol(), &response);
      break;
    case Request::kFileContainingExtension: {
      const auto& asked = request.file_containing_extension();
      const FieldDescriptor* extension =
          FindExtension(asked.containing_type(), asked.extension_number());
      SetFile(extension == nullptr ? nullptr : extension->file(),
              asked.containing_type(), &response);
      break;
    }
    case Request::kAllExtensionNumbersOfType:
      SetExtensions(request.all_extension_numbers_of_type(), &response);
      break;
    case Request::kListServices:
      for (const std::string& name : *services) {
        response.mutable_list_services_response()->add_service()->set_name(
            name);
      }
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      SetError(grpc::StatusCode::INVALID_ARGUMENT, "message_request is not set",
               &response);
      break;
  }
  return response;
}

// Answers the requests of a stream one after another.
template <typename Version>
class ReflectionCall final : public RpcCall {
 public:
  ReflectionCall(RpcHost& host, const RpcName& name,
                 grpc::CallbackServerContext* rpc, Names services)
      : RpcCall(host, name, rpc), services_(std::move(services)) {}

 private:
  void Begin() override { ReadMessage(kMaxOpenMessageBytes); }
  void OnMessage(std::string bytes) override {
    typename Version::Request request;
    if (absl::Status status = ParseMessage(bytes, &request); !status.ok()) {
      return End(status);
    }
    Send(SerializeMessage(
        Answer<typename Version::Response>(request, services_)));
  }
  void OnHalfClose() override { End(absl::OkStatus()); }
  void OnSent(bool is_sent) override {
    if (is_sent) ReadMessage(kMaxOpenMessageBytes);
  }

  const Names services_;
};

struct V1 {
  using Request = v1::ServerReflectionRequest;
  using Response = v1::ServerReflectionResponse;
};
struct V1Alpha {
  using Request = v1alpha::ServerReflectionRequest;
  using Response = v1alpha::ServerReflectionResponse;
};

template <typename Version>
void Add(RpcHost& host, const Names& names, RpcRouter& router) {
  router.Add(
      ServiceOf<typename Version::Request>(), "ServerReflectionInfo",
      RpcRouter::Token::kNotRequired,
      [&host, names](const RpcName& name, grpc::CallbackServerContext* rpc) {
        return std::make_shared<ReflectionCall<Version>>(host, name, rpc,
                                                         names);
      });
}

}  // namespace

std::vector<std::string> ReflectionServiceNames() {
  return {ServiceOf<V1::Request>().full_name(),
          ServiceOf<V1Alpha::Request>().full_name()};
}

void AddReflectionServices(RpcHost& host, std::vector<std::string> services,
                           RpcRouter& router) {
  for (std::string& name : ReflectionServiceNames()) {
    services.push_back(std::move(name));
  }
  std::sort(services.begin(), services.end());
  const Names names =
      std::make_shared<const std::vector<std::string>>(std::move(services));
  Add<V1>(host, names, router);
  Add<V1Alpha>(host, names, router);
}

}  // namespace sheaf
