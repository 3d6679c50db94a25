// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

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

// Answers the requests of a stream one after another. Deletes itself at the
// end.
template <typename Request, typename Response>
class Stream : public grpc::ServerBidiReactor<Request, Response> {
 public:
  explicit Stream(Names services) : services_(std::move(services)) {
    this->StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {  // the client has finished or left
      this->Finish(grpc::Status::OK);
      return;
    }
    response_ = Answer<Response>(request_, services_);
    this->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      this->StartRead(&request_);
    } else {
      this->Finish(grpc::Status::OK);
    }
  }
  void OnDone() override { delete this; }

 private:
  const Names services_;
  Request request_;
  Response response_;
};

template <typename Version, typename Request, typename Response>
class Service : public Version::CallbackService {
 public:
  explicit Service(Names services) : services_(std::move(services)) {}

  grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(
      grpc::CallbackServerContext*) override {
    return new Stream<Request, Response>(services_);
  }

 private:
  const Names services_;
};

using ServiceV1 = Service<v1::ServerReflection, v1::ServerReflectionRequest,
                          v1::ServerReflectionResponse>;
using ServiceV1Alpha =
    Service<v1alpha::ServerReflection, v1alpha::ServerReflectionRequest,
            v1alpha::ServerReflectionResponse>;

}  // namespace

std::vector<std::string> ReflectionServiceNames() {
  return {v1::ServerReflection::service_full_name(),
          v1alpha::ServerReflection::service_full_name()};
}

std::vector<std::unique_ptr<grpc::Service>> MakeReflectionServices(
    std::vector<std::string> services) {
  for (std::string& name : ReflectionServiceNames()) {
    services.push_back(std::move(name));
  }
  std::sort(services.begin(), services.end());
  const Names names =
      std::make_shared<const std::vector<std::string>>(std::move(services));
  std::vector<std::unique_ptr<grpc::Service>> out;
  out.push_back(std::make_unique<ServiceV1>(names));
  out.push_back(std::make_unique<ServiceV1Alpha>(names));
  return out;
}

}  // namespace sheaf
