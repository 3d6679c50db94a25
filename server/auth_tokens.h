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
#include "engine/monotonic_time.h"

namespace sheaf {

// Who may call: bearer tokens, known by their SHA-256 alone.
//
// The file has a token a line, "NAME SHA256" in hexadecimal, with blank lines
// and lines that begin with '#' between:
//     printf %s "$TOKEN" | sha256sum
// Several lines may have one name, so that a token can be replaced without a
// gap. The file is looked at once a second while calls come; one that has
// become wrong is reported, and the tokens stay as they were.
//
// Thread-safe.
class AuthTokens {
 public:
  // INVALID_ARGUMENT names file and line, NOT_FOUND a file that cannot be read.
  // `on_reload` hears of each change of the file: OK, or what is wrong with it.
  static absl::StatusOr<std::unique_ptr<AuthTokens>> Load(
      const std::string& path,
      std::function<void(const absl::Status&)> on_reload,
      std::function<MonotonicTime()> now = MonotonicTime::Now);

  // The token's name; nothing if it is not in the file. Takes the same time
  // wherever in the file it is, and however much of it is right.
  std::optional<std::string> NameOf(absl::string_view token);

 private:
  struct Entry {
    std::string name;
    std::array<uint8_t, 32> sha256;
  };
  using Entries = std::vector<Entry>;

  AuthTokens(std::string path, std::function<void(const absl::Status&)>,
             std::function<MonotonicTime()> now);
  static absl::StatusOr<Entries> Read(const std::string& path);
  std::shared_ptr<const Entries> Current();

  const std::string path_;
  const std::function<void(const absl::Status&)> on_reload_;
  const std::function<MonotonicTime()> now_;
  absl::Mutex mu_;
  MonotonicTime next_look_ ABSL_GUARDED_BY(mu_);
  std::string stamp_ ABSL_GUARDED_BY(mu_);  // tells one state from another
  std::shared_ptr<const Entries> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
