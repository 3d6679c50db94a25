#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/host_port.h"
#include "server/listening_sockets.h"

namespace sheaf {

// Serves one page over HTTP/1.1: to GET and HEAD, compressed for a peer that
// accepts gzip. The only unit that knows Boost.
//
// One thread serves all connections and never waits for one of them, so that
// peers that send or read slowly delay nobody. Every connection is accepted.
// When there are more than `max_connections`, the one whose last request is
// longest ago is closed.
class HttpListener {
 public:
  static constexpr int32_t kMaxConnections = 64;
  static constexpr int32_t kMaxHeaderBytes = 8192;  // of a request

  struct Limits {
    int32_t max_connections = kMaxConnections;
    // From the first byte (for the first request: from the connection's begin)
    // until the end of its header.
    absl::Duration header_timeout = absl::Seconds(5);
    absl::Duration answer_timeout = absl::Seconds(10);  // to read an answer
    absl::Duration idle_timeout = absl::Minutes(2);     // between two requests
  };
  struct Page {
    std::string path;          // "/metrics"
    std::string content_type;  // "text/plain; version=0.0.4"
    // Returns the page as it is now. The listener's thread calls it.
    std::function<std::string()> render;
  };

  // Serves until destroyed. Errors as of ListeningSockets::ListenOn().
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
