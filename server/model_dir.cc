// SPDX-License-Identifier: Apache-2.0

#include "server/model_dir.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

// Hugging Face's cache: models--ORGANIZATION--NAME/snapshots/HASH.
constexpr absl::string_view kRepositoryPrefix = "models--";
constexpr char kSeparator[] = "--";
constexpr char kSnapshots[] = "snapshots";

bool HasConfig(const fs::path& dir) {
  std::error_code error;
  return fs::is_regular_file(dir / "config.json", error);
}

// The sub-directories that are models.
std::vector<std::string> ModelsIn(const fs::path& dir) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end;
       it.increment(error)) {
    if (HasConfig(it->path())) found.push_back(it->path().string());
  }
  return found;
}

}  // namespace

std::vector<std::string> EmbeddedModelDirs() {
  std::vector<std::string> dirs = {"models"};
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return dirs;
  const fs::path bin = program.parent_path();
  // build/PRESET/bin/sheaf-server, and PREFIX/bin/sheaf-server.
  for (const char* relative : {"../../../models", "../share/sheaf/models"}) {
    dirs.push_back((bin / relative).lexically_normal().string());
  }
  return dirs;
}

absl::StatusOr<std::string> ResolveModelDir(absl::string_view path) {
  const fs::path dir{std::string(path)};
  std::error_code error;
  if (!fs::is_directory(dir, error)) {
    return absl::NotFoundError(
        absl::StrFormat("model directory \"%s\" does not exist", path));
  }
  if (HasConfig(dir)) return dir.string();
  std::vector<std::string> found = ModelsIn(dir);
  if (found.empty()) found = ModelsIn(dir / kSnapshots);
  if (found.size() == 1) return found.front();
  return absl::NotFoundError(absl::StrFormat(
      "model directory \"%s\" has no config.json, and %s of its "
      "sub-directories has one",
      path, found.empty() ? "none" : "more than one"));
}

absl::StatusOr<std::string> FindModelDir(absl::string_view flag) {
  if (!flag.empty()) return ResolveModelDir(flag);
  const std::vector<std::string> dirs = EmbeddedModelDirs();
  for (const std::string& dir : dirs) {
    if (absl::StatusOr<std::string> found = ResolveModelDir(dir); found.ok()) {
      return found;
    }
  }
  return absl::NotFoundError(
      absl::StrFormat("--model is not set, and no model is in any of %s",
                      absl::StrJoin(dirs, ", ")));
}

std::string ModelName(absl::string_view dir) {
  const fs::path given{std::string(dir)};
  std::error_code error;
  // Taken as written, so that a link keeps its name. However, ".." after a link
  // leads out of the directory to which the link points.
  const bool leads_up =
      std::find(given.begin(), given.end(), "..") != given.end();
  fs::path path = leads_up ? fs::weakly_canonical(given, error)
                           : fs::absolute(given, error).lexically_normal();
  if (error) path = given.lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  const fs::path snapshots = path.parent_path();
  const std::string repository = snapshots.parent_path().filename().string();
  if (snapshots.filename() == kSnapshots &&
      absl::StartsWith(repository, kRepositoryPrefix)) {
    return repository.substr(repository.rfind(kSeparator) +
                             std::strlen(kSeparator));
  }
  return path.filename().string();
}

absl::Status CheckModelName(absl::string_view what, absl::string_view name) {
  constexpr size_t kMaxBytes = 255;
  const auto is_control = [](char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
  };
  bool is_right =
      !name.empty() && name.size() <= kMaxBytes && IsValidUtf8(name);
  for (size_t i = 0; is_right && i < name.size(); ++i) {
    const unsigned char byte = name[i];
    // C1 controls are 0xc2 followed by 0x80 to 0x9f.
    const bool is_c1 = byte == 0xc2 && i + 1 < name.size() &&
                       is_control(static_cast<unsigned char>(name[i + 1]));
    is_right = !is_c1 && (byte >= 0x80 || !is_control(byte));
  }
  if (is_right) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s is \"%s\"; allowed is a name of 1 to %d bytes of UTF-8 without "
      "control characters",
      what, absl::CHexEscape(name.substr(0, 80)), kMaxBytes));
}

}  // namespace sheaf
