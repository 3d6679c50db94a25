// SPDX-License-Identifier: Apache-2.0

#include "server/http/byte_stream.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "server/access/ip_address.h"

namespace sheaf {
namespace {

using boost::system::error_code;

std::string PeerOf(int fd) {
  sockaddr_storage from = {};
  socklen_t size = sizeof(from);
  getpeername(fd, reinterpret_cast<sockaddr*>(&from), &size);
  const std::optional<IpAddress> address = IpAddress::Of(from);
  if (!address.has_value()) return "unix";
  const in_port_t port =
      from.ss_family == AF_INET6
          ? reinterpret_cast<const sockaddr_in6&>(from).sin6_port
          : reinterpret_cast<const sockaddr_in&>(from).sin_port;
  return absl::StrCat(address->ToPeer(), ":", ntohs(port));
}

}  // namespace

ByteStream::ByteStream(boost::asio::io_context& io, int fd,
                       const std::shared_ptr<SSL_CTX>& tls)
    : socket_(io, fd), peer_(PeerOf(fd)), context_(tls) {
  if (context_ == nullptr) return;
  ssl_.reset(SSL_new(context_.get()));
  SHEAF_CHECK(ssl_ != nullptr && SSL_set_fd(ssl_.get(), fd) == 1);
  SSL_set_accept_state(ssl_.get());
}

ByteStream::~ByteStream() { Close(); }

ByteStream::Result ByteStream::ResultOf(int returned) {
  const int error = SSL_get_error(ssl_.get(), returned);
  ERR_clear_error();
  switch (error) {
    case SSL_ERROR_WANT_READ:
      return Result::kAwaitReadable;
    case SSL_ERROR_WANT_WRITE:
      return Result::kAwaitWritable;
    default:
      return Result::kClosed;
  }
}

ByteStream::Result ByteStream::Handshake() {
  if (ssl_ == nullptr) return Result::kDone;
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_.get());
  return returned == 1 ? Result::kDone : ResultOf(returned);
}

ByteStream::Moved ByteStream::Read(char* bytes, size_t max_bytes) {
  if (!socket_.is_open()) return {Result::kClosed};
  if (ssl_ != nullptr) {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), bytes, static_cast<int>(max_bytes));
    return n > 0 ? Moved{Result::kDone, static_cast<size_t>(n)}
                 : Moved{ResultOf(n)};
  }
  ssize_t n = 0;
  do {
    n = recv(socket_.native_handle(), bytes, max_bytes, 0);
  } while (n < 0 && errno == EINTR);
  if (n > 0) return {Result::kDone, static_cast<size_t>(n)};
  const bool would_block = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  return {would_block ? Result::kAwaitReadable : Result::kClosed};
}

ByteStream::Moved ByteStream::Write(absl::string_view bytes) {
  if (!socket_.is_open()) return {Result::kClosed};
  if (ssl_ != nullptr) {
    constexpr size_t kMost = std::numeric_limits<int>::max();
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), bytes.data(),
                            static_cast<int>(std::min(bytes.size(), kMost)));
    return n > 0 ? Moved{Result::kDone, static_cast<size_t>(n)}
                 : Moved{ResultOf(n)};
  }
  ssize_t n = 0;
  do {
    n = send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n > 0) return {Result::kDone, static_cast<size_t>(n)};
  const bool would_block = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  return {would_block ? Result::kAwaitWritable : Result::kClosed};
}

void ByteStream::ShutDownSending() {
  if (!socket_.is_open()) return;
  if (ssl_ != nullptr) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  shutdown(socket_.native_handle(), SHUT_WR);
}

void ByteStream::Close() {
  error_code ignored;
  socket_.close(ignored);
}

void ByteStream::AwaitReadable(std::function<void()> then) {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [then = std::move(then)](error_code error) {
                       if (error != boost::asio::error::operation_aborted) {
                         then();
                       }
                     });
}

void ByteStream::AwaitWritable(std::function<void()> then) {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                     [then = std::move(then)](error_code error) {
                       if (error != boost::asio::error::operation_aborted) {
                         then();
                       }
                     });
}

std::string ByteStream::CertificateSubject() const {
  if (ssl_ == nullptr) return "";
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(ssl_.get()), X509_free);
  if (certificate == nullptr ||
      SSL_get_verify_result(ssl_.get()) != X509_V_OK) {
    return "";
  }
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()),
                                                       BIO_free);
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate.get()), 0,
                     XN_FLAG_RFC2253);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return std::string(bytes, static_cast<size_t>(size));
}

}  // namespace sheaf
