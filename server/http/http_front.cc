// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_front.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "server/http/http_connection.h"
#include "server/http/tls_contexts.h"

namespace sheaf {
namespace {

// One parses and encrypts while the other does.
constexpr size_t kNumThreads = 2;

}  // namespace

class HttpFront::Parts {
 public:
  Parts(Options options, const HttpRouter* router, Metrics* metrics)
      : options_(std::move(options)),
        bodies_(options_.max_body_bytes, [](int64_t) {}),
        host_{.router = router,
              .metrics = metrics,
              .proxies = &options_.connections.trusted_proxies,
              .bodies = &bodies_,
              .limits = options_.limits,
              .cors_origins = options_.cors_origins} {
    if (options_.identity != nullptr) tls_.emplace(options_.identity);
  }

  ~Parts() {
    Stop();
    for (Served& served : served_) {
      served.work.reset();
      if (served.thread.joinable()) served.thread.join();
    }
  }

  absl::Status Listen() {
    absl::StatusOr<std::unique_ptr<ConnectionListener>> listener =
        ConnectionListener::Listen(options_.address, options_.connections);
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    return absl::OkStatus();
  }

  int32_t port() const { return listener_->port(); }

  void Start() {
    for (Served& served : served_) {
      served.thread = std::thread([&served] { served.loop.io.run(); });
      pthread_setname_np(served.thread.native_handle(), "sheaf-http");
    }
    ConnectionListener::Events events;
    events.on_connection = [this](int fd) { Serve(fd); };
    events.on_refused = options_.on_refused;
    events.on_num_open = [this](int32_t num_open) {
      host_.metrics->SetHttpConnections(num_open);
    };
    listener_->Start(std::move(events));
  }

  void BeginDrain() {
    host_.is_draining = true;
    ForEachConnection([](HttpConnection& each) { each.OnDrain(); });
  }

  void Stop() {
    if (listener_ != nullptr) listener_->Stop();
    ForEachConnection([](HttpConnection& each) { each.Drop(); });
  }

 private:
  struct Served {
    HttpLoop loop;
    std::optional<boost::asio::executor_work_guard<
        boost::asio::io_context::executor_type>>
        work{loop.io.get_executor()};
    std::thread thread;
  };

  // On the listener's thread.
  void Serve(int fd) {
    std::shared_ptr<SSL_CTX> tls;
    if (tls_.has_value()) {
      tls = tls_->Current();
      if (tls == nullptr) {
        close(fd);
        return;
      }
    }
    HttpLoop& loop = served_[next_++ % kNumThreads].loop;
    boost::asio::post(loop.io, [this, &loop, fd, tls = std::move(tls)] {
      const auto connection =
          std::make_shared<HttpConnection>(host_, loop, fd, tls);
      loop.connections.insert(connection);
      connection->Start();
    });
  }

  void ForEachConnection(void (*act)(HttpConnection&)) {
    for (Served& served : served_) {
      boost::asio::post(served.loop.io, [&loop = served.loop, act] {
        const auto connections = loop.connections;  // act() may change it
        for (const auto& each : connections) act(*each);
      });
    }
  }

  const Options options_;
  Intake bodies_;
  HttpHost host_;
  std::optional<TlsContexts> tls_;  // none without encryption
  std::array<Served, kNumThreads> served_;
  size_t next_ = 0;                               // the listener's thread's own
  std::unique_ptr<ConnectionListener> listener_;  // last: it calls Serve()
};

HttpFront::HttpFront(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<HttpFront>> HttpFront::Listen(
    Options options, const HttpRouter* router, Metrics* metrics) {
  auto parts = std::make_unique<Parts>(std::move(options), router, metrics);
  if (absl::Status status = parts->Listen(); !status.ok()) return status;
  for (const HttpRouter::Route& route : router->routes()) {
    metrics->AddHttpRoute({route.method, route.pattern});
  }
  return std::unique_ptr<HttpFront>(new HttpFront(std::move(parts)));
}

HttpFront::~HttpFront() = default;

int32_t HttpFront::port() const { return parts_->port(); }
void HttpFront::Start() { parts_->Start(); }
void HttpFront::BeginDrain() { parts_->BeginDrain(); }
void HttpFront::Stop() { parts_->Stop(); }

}  // namespace sheaf
