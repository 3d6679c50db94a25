// SPDX-License-Identifier: Apache-2.0

#include "client/http_client.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/host_port.h"
#include "base/wait_count.h"
#include "client/http_stream.h"
#include "client/utf8.h"
#include "google/protobuf/util/json_util.h"

namespace sheaf {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

absl::StatusOr<std::vector<HttpTarget::Endpoint>> Resolve(
    asio::io_context& io, const HostPort& server) {
  std::vector<HttpTarget::Endpoint> endpoints;
  if (server.is_unix()) {
    endpoints.emplace_back(asio::local::stream_protocol::endpoint(server.path));
    return endpoints;
  }
  error_code error;
  asio::ip::tcp::resolver resolver(io);
  for (const auto& found :
       resolver.resolve(server.host, absl::StrCat(server.port), error)) {
    endpoints.emplace_back(found.endpoint());
  }
  if (!error) return endpoints;
  return absl::UnavailableError(
      absl::StrCat("server is \"", server.ToString(), "\": ", error.message()));
}

absl::Status MakeTls(const TlsOptions& options, const std::string& host,
                     HttpTarget& target) {
  if (options.cert_pem.empty() != options.key_pem.empty()) {
    return absl::InvalidArgumentError(
        "tls: a certificate and its key go together");
  }
  target.tls_name = options.server_name.empty() ? host : options.server_name;
  target.tls =
      std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  asio::ssl::context& tls = *target.tls;
  error_code error;
  if (options.ca_pem.empty()) {
    tls.set_default_verify_paths(error);
  } else {
    tls.add_certificate_authority(asio::buffer(options.ca_pem), error);
  }
  if (!error && !options.cert_pem.empty()) {
    tls.use_certificate_chain(asio::buffer(options.cert_pem), error);
    if (!error) {
      tls.use_private_key(asio::buffer(options.key_pem),
                          asio::ssl::context::pem, error);
    }
  }
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("tls: a file cannot be read: ", error.message()));
}

// Returns the header of a request except its length, its path and what it
// accepts.
std::string CommonFields(const HostPort& server, const std::string& token) {
  return absl::StrCat(
      "Host: ", server.is_unix() ? "localhost" : server.ToString(),
      "\r\nContent-Type: application/json\r\n",
      token.empty() ? ""
                    : absl::StrCat("Authorization: Bearer ", token, "\r\n"));
}

}  // namespace

// The thread, its connections, and what they share.
class HttpClient::Loop {
 public:
  ~Loop() {
    in_progress_.WaitUntilZero(absl::InfiniteDuration());
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Open(const ClientOptions& options) {
    const absl::StatusOr<HostPort> server = ParseHostPort(options.server);
    if (!server.ok() || (!server->is_unix() && server->port == 0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "server is \"", options.server,
          "\"; over HTTP it must be one HOST:PORT with a port in 1..65535, or "
          "unix:PATH"));
    }
    if (!std::all_of(options.token.begin(), options.token.end(),
                     absl::ascii_isgraph)) {
      return absl::InvalidArgumentError(
          "token has a byte that is not printable ASCII");
    }
    auto endpoints = Resolve(io_, *server);
    if (!endpoints.ok()) return endpoints.status();
    target_.endpoints = *std::move(endpoints);
    common_fields_ = CommonFields(*server, options.token);
    if (options.tls.has_value()) {
      const absl::Status made = MakeTls(*options.tls, server->host, target_);
      if (!made.ok()) return made;
    }
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  void Start(const std::string& body, Call call) {
    in_progress_.Add(1);
    HttpStream::Request request;
    request.bytes = absl::StrCat(
        "POST ", call.path, " HTTP/1.1\r\n", common_fields_,
        "Accept: ", call.is_streamed ? "text/event-stream" : "application/json",
        "\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
    request.is_streamed = call.is_streamed;
    request.timeout = call.options.timeout;
    request.on_output = std::move(call.on_output);
    request.on_done = [this, on_done = std::move(call.on_done)](
                          const absl::StatusOr<StreamEnd>& end) {
      on_done(end);
      in_progress_.Add(-1);
    };
    asio::post(io_, [this, request = std::move(request)]() mutable {
      TakeStream()->Start(std::move(request));
    });
  }

 private:
  // Prefers the connection that was used last.
  std::shared_ptr<HttpStream> TakeStream() {
    while (!idle_.empty()) {
      const std::shared_ptr<HttpStream> stream = std::move(idle_.back());
      idle_.pop_back();
      if (stream->is_usable()) return stream;
    }
    return std::make_shared<HttpStream>(
        io_, target_, [this](std::shared_ptr<HttpStream> stream) {
          idle_.push_back(std::move(stream));
        });
  }

  WaitCount in_progress_;
  asio::io_context io_{/*concurrency_hint=*/1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{
      io_.get_executor()};
  HttpTarget target_;
  std::string common_fields_;
  std::vector<std::shared_ptr<HttpStream>> idle_;
  std::thread thread_;
};

HttpClient::HttpClient(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
HttpClient::~HttpClient() = default;

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Open(
    const ClientOptions& options) {
  auto loop = std::make_unique<Loop>();
  if (absl::Status status = loop->Open(options); !status.ok()) return status;
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(loop)));
}

void HttpClient::Start(const google::protobuf::Message& request, Call call) {
  if (absl::Status status = CheckUtf8(request); !status.ok()) {
    call.on_done(status);
    return;
  }
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string body;
  const auto printed =
      google::protobuf::util::MessageToJsonString(request, &body, options);
  if (!printed.ok()) {
    call.on_done(absl::InternalError(std::string(printed.message())));
    return;
  }
  loop_->Start(body, std::move(call));
}

}  // namespace sheaf
