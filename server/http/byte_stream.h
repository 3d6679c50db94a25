// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// A connected socket, with or without TLS, that never blocks. An idle stream
// holds no buffer: Asio's streams of TLS keep two of 17 KiB each.
//
// Not thread-safe: used on the thread of its io_context.
class ByteStream {
 public:
  enum class Result {
    kDone,
    kAwaitReadable,  // try again when AwaitReadable() has called
    kAwaitWritable,
    kClosed,  // by the other side, or broken
  };
  struct Moved {
    Result result;
    size_t num_bytes = 0;  // above 0 with kDone
  };

  // Takes ownership of the non-blocking socket. `tls` may be null.
  ByteStream(boost::asio::io_context& io, int fd,
             const std::shared_ptr<SSL_CTX>& tls);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // The server's part of the TLS handshake; kDone at once without TLS.
  Result Handshake();
  Moved Read(char* bytes, size_t max_bytes);
  Moved Write(absl::string_view bytes);
  // Tells the other side that nothing more is sent.
  void ShutDownSending();
  // Calls that wait are not called any more.
  void Close();

  // Each calls `then` once, unless the stream is closed before.
  void AwaitReadable(std::function<void()> then);
  void AwaitWritable(std::function<void()> then);

  // "ipv4:192.0.2.1:1234", "ipv6:%5B2001:db8::1%5D:1234" or "unix".
  const std::string& peer() const { return peer_; }
  // The subject of the client's verified certificate as RFC 4514 writes it;
  // empty if it has none. REQUIRES: Handshake() returned kDone.
  std::string CertificateSubject() const;

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Result ResultOf(int returned);

  boost::asio::posix::stream_descriptor socket_;
  const std::string peer_;
  const std::shared_ptr<SSL_CTX> context_;  // null: no TLS
  std::unique_ptr<SSL, FreeSsl> ssl_;       // likewise
};

}  // namespace sheaf
