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

namespace sheaf {

// Who may call: bearer tokens, known by their SHA-256 alone.
//
// The file has a token a line, "NAME SHA256" in hexadecimal, with blank lines
// and lines that begin with '#' between:
//     printf %s "$TOKEN" | sha256sum
// Several lines may have one name, so that a token can be replaced without a
// gap. A file that has become wrong is reported, and the tokens stay as they
// were until it is right.
//
// Thread-safe.
class AuthTokens {
 public:
  // INVALID_ARGUMENT names file and line, NOT_FOUND a file that cannot be read.
  // `on_reload` hears of each change of the file: OK, or what is wrong with it.
  // Looks at nothing by itself.
  static absl::StatusOr<std::unique_ptr<AuthTokens>> Load(
      const std::string& path,
      std::function<void(const absl::Status&)> on_reload);

  // Reads the file if it has changed or was wrong, or always if `is_asked`;
  // then `on_reload` is called even without a change.
  void Look(bool is_asked);

  // The token's name; nothing if it is not in the file. Takes the same time
  // wherever in the file it is, and however much of it is right.
  std::optional<std::string> NameOf(absl::string_view token);

 private:
  struct Entry {
    std::string name;
    std::array<uint8_t, 32> sha256;
  };
  using Entries = std::vector<Entry>;

  AuthTokens(std::string path, std::function<void(const absl::Status&)>);
  static absl::StatusOr<Entries> Read(const std::string& path);
  std::shared_ptr<const Entries> Current();

  const std::string path_;
  const std::function<void(const absl::Status&)> on_reload_;
  // Held while the file is read, which calls do not wait for. Before mu_.
  absl::Mutex look_mu_;
  std::string stamp_ ABSL_GUARDED_BY(look_mu_);  // tells one state from another
  absl::Status status_ ABSL_GUARDED_BY(look_mu_);  // of the last read
  absl::Mutex mu_;
  std::shared_ptr<const Entries> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
