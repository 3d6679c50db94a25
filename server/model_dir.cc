#include "server/model_dir.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

bool HasConfig(const fs::path& dir) {
  std::error_code error;
  return fs::is_regular_file(dir / "config.json", error);
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
  std::vector<std::string> found;
  for (fs::directory_iterator it(dir, error), end; !error && it != end;
       it.increment(error)) {
    if (HasConfig(it->path())) found.push_back(it->path().string());
  }
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
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::path(std::string(dir)), error);
  if (error) path = fs::path(std::string(dir)).lexically_normal();
  return path.filename().empty() ? path.parent_path().filename().string()
                                 : path.filename().string();
}

}  // namespace sheaf
