// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/client.h"
#include "google/protobuf/message.h"

namespace sheaf {

// Sends requests of sheaf.v1 to a server's HTTP front (POST, JSON) and reads
// the answers as far as a load generator must. Connections are kept and used
// again; a request that finds none idle opens one, so that there are as many
// as requests in progress at the same time. No request is sent twice.
//
// Threads: Start() may be called from any thread. One thread of this class
// sends, receives and calls the callbacks, which must not block.
class HttpClient {
 public:
  // Uses server, tls and token of the options. The server is one "HOST:PORT"
  // or "unix:PATH", whose name is resolved here. INVALID_ARGUMENT if an option
  // is wrong, UNAVAILABLE if the name is not known.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Open(
      const ClientOptions& options);
  // Waits for the requests in progress.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  struct Call {
    std::string path;          // "/v1/translate"
    bool is_streamed = false;  // the answer comes as server-sent events
    CallOptions options;
    // Called for each message that has text or tokens; a whole answer is one.
    std::function<void()> on_output;
    // Called once and last. The StreamEnd has only the usage.
    Client::OnDone on_done;
  };
  // Reads the request before it returns. INVALID_ARGUMENT, given to on_done on
  // this thread, if it has a string that is not UTF-8.
  void Start(const google::protobuf::Message& request, Call call);

 private:
  class Loop;
  explicit HttpClient(std::unique_ptr<Loop> loop);
  const std::unique_ptr<Loop> loop_;
};

}  // namespace sheaf
