// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"

namespace sheaf {

// The bearer tokens that may call. Only their SHA-256 is known.
//
// The file has one token per line, "NAME SHA256 [weight=N]" with the SHA-256 in
// hexadecimal. Blank lines and lines that begin with '#' are ignored.
//     printf %s "$TOKEN" | sha256sum
// Busy callers share the server in proportion to their weights, 1..100, which
// are 1 if they are not given. Several lines may have the same name, so that a
// token can be replaced without a gap; they have the same weight. If the file
// becomes invalid, this is reported, and the tokens of the last valid file
// stay.
//
// Thread-safe.
class AuthTokens {
 public:
  // The holder of a token.
  struct Holder {
    std::string name;
    int32_t weight = 1;
  };

  // INVALID_ARGUMENT names file and line, NOT_FOUND a file that cannot be read.
  // `on_reload` is called for each change of the file, with OK or the error.
  // Only Look() reads the file again.
  static absl::StatusOr<std::unique_ptr<AuthTokens>> Load(
      const std::string& path,
      std::function<void(const absl::Status&)> on_reload);

  // Reads the file if it has changed or was invalid, or always if `is_asked`;
  // then `on_reload` is called even without a change.
  void Look(bool is_asked);

  // Nullopt if the file does not have the token. The time depends neither on
  // the token's place in the file nor on how much of the token is right.
  std::optional<Holder> HolderOf(absl::string_view token);

 private:
  struct Entry {
    Holder holder;
    std::array<uint8_t, 32> sha256;
  };
  using Entries = std::vector<Entry>;

  AuthTokens(std::string path, std::function<void(const absl::Status&)>);
  static absl::StatusOr<Entries> Read(const std::string& path);
  // The words of a line that is neither blank nor a comment.
  static absl::StatusOr<Entry> ReadEntry(
      absl::Span<const absl::string_view> words);
  std::shared_ptr<const Entries> Current();

  const std::string path_;
  const std::function<void(const absl::Status&)> on_reload_;
  // Held while the file is read; calls do not wait for it. Acquired before mu_.
  absl::Mutex look_mu_;
  std::string stamp_
      ABSL_GUARDED_BY(look_mu_);  // differs between states of the file
  absl::Status status_ ABSL_GUARDED_BY(look_mu_);  // of the last read
  absl::Mutex mu_;
  std::shared_ptr<const Entries> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
