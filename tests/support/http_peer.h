// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/string_view.h"

namespace sheaf {

// A connection to a port of this machine, byte for byte.
class HttpPeer {
 public:
  // `from` is an address of this machine in the form of an in_addr_t.
  explicit HttpPeer(int32_t port, uint32_t from = INADDR_ANY)
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in own = {};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(from);
    bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof(own));
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ =
        connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
  }
  ~HttpPeer() {
    if (fd_ >= 0) close(fd_);
  }
  HttpPeer(const HttpPeer&) = delete;
  HttpPeer& operator=(const HttpPeer&) = delete;

  bool is_connected() const { return is_connected_; }

  // Returns false if the other side has closed.
  bool Send(absl::string_view bytes) {
    return is_connected_ &&
           Uninterrupted([&] {
             return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
           }) == static_cast<ssize_t>(bytes.size());
  }

  // Sends nothing more, and still receives.
  void EndSending() { shutdown(fd_, SHUT_WR); }

  // Returns what comes until `end` is there, until the other side closes, or
  // until `timeout_ms` pass without a byte.
  std::string ReadUntil(const std::string& end, int timeout_ms = 10'000) {
    size_t at = received_.find(end);
    while (at == std::string::npos) {
      const size_t old_size = received_.size();
      if (!ReadSome(timeout_ms)) break;
      at = received_.find(end, old_size - std::min(old_size, end.size()));
    }
    const size_t size =
        at == std::string::npos ? received_.size() : at + end.size();
    const std::string taken = received_.substr(0, size);
    received_.erase(0, size);
    return taken;
  }
  // Returns `size` bytes, or fewer if the other side closes or sends none for
  // 10 s.
  std::string ReadExactly(size_t size) {
    while (received_.size() < size && ReadSome(10'000)) {
    }
    const std::string taken = received_.substr(0, size);
    received_.erase(0, size);
    return taken;
  }
  std::string ReadAll() {
    while (ReadSome(10'000)) {
    }
    return std::exchange(received_, "");
  }
  // Whether the other side closes within `timeout_ms`.
  bool IsClosed(int timeout_ms) {
    if (!HasNews(timeout_ms)) return false;
    char byte;
    return Receive(&byte, 1, MSG_PEEK) <= 0;
  }

 private:
  // Signals end system calls: libFuzzer's clock sends one every 51 s.
  template <typename Call>
  static std::invoke_result_t<Call> Uninterrupted(Call call) {
    std::invoke_result_t<Call> result;
    do {
      result = call();
    } while (result < 0 && errno == EINTR);
    return result;
  }

  bool HasNews(int timeout_ms) {
    pollfd polled = {fd_, POLLIN, 0};
    return Uninterrupted([&] { return poll(&polled, 1, timeout_ms); }) == 1;
  }
  ssize_t Receive(char* bytes, size_t size, int flags) {
    return Uninterrupted([&] { return recv(fd_, bytes, size, flags); });
  }

  bool ReadSome(int timeout_ms) {
    if (!HasNews(timeout_ms)) return false;
    char buffer[4096];
    const ssize_t n = Receive(buffer, sizeof(buffer), 0);
    if (n <= 0) return false;
    received_.append(buffer, n);
    return true;
  }

  const int fd_;
  bool is_connected_;
  std::string received_;
};

}  // namespace sheaf
