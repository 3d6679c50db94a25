// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/host_port.h"
#include "server/ops/listening_sockets.h"

namespace sheaf {

// Serves one page over HTTP/1.1 to GET and HEAD, compressed if the peer accepts
// gzip. For the metrics; server/http is the front for clients.
//
// One thread serves all connections and never waits for one of them, so that
// slow peers do not delay others. Every connection is accepted. If there are
// more than `max_connections`, the one whose last request was longest ago is
// closed.
class HttpListener {
 public:
  static constexpr int32_t kMaxConnections = 64;
  static constexpr int32_t kMaxHeaderBytes = 8192;  // of a request

  struct Limits {
    int32_t max_connections = kMaxConnections;
    // From the first byte of a request (for the first one, from the beginning
    // of the connection) to the end of its header.
    absl::Duration header_timeout = absl::Seconds(5);
    absl::Duration answer_timeout = absl::Seconds(10);  // to read an answer
    absl::Duration idle_timeout = absl::Minutes(2);     // between two requests
  };
  struct Page {
    std::string path;          // "/metrics"
    std::string content_type;  // "text/plain; version=0.0.4"
    // Returns the current page. Called by the listener's thread.
    std::function<std::string()> render;
  };

  // Serves until destroyed. Errors are those of ListeningSockets::ListenOn().
  static absl::StatusOr<std::unique_ptr<HttpListener>> Start(
      const HostPort& address, Page page, const Limits& limits);
  ~HttpListener();  // Closes all connections at once.
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  int32_t port() const { return port_; }

 private:
  class Loop;
  HttpListener(ListeningSockets sockets, Page page, const Limits& limits);
  const int32_t port_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace sheaf
