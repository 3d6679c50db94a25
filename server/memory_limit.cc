#include "server/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

// Version 1 has no word for "no limit": it says the most that pages can count.
constexpr int64_t kNoLimitBytes = int64_t{1} << 60;

void TakeLesser(const fs::path& file, std::optional<int64_t>& limit) {
  std::ifstream in(file);
  std::string word;
  int64_t bytes = 0;
  if (!(in >> word) || !absl::SimpleAtoi(word, &bytes)) return;  // "max"
  if (bytes >= kNoLimitBytes) return;
  limit = std::min(limit.value_or(bytes), bytes);
}

// The least limit of the group `path` and its parents. Within a container the
// group's own folder is often what is mounted, and its path says nothing: the
// mount's root is looked at too.
void TakeLeast(const fs::path& mount, std::string path, const char* file,
               std::optional<int64_t>& limit) {
  TakeLesser(mount / file, limit);
  while (path.size() > 1) {
    TakeLesser(mount / path.substr(1) / file, limit);
    path.resize(path.rfind('/'));
  }
}

// What the process takes beside weights and KV cache.
int64_t RestBytes(const MemoryNeeds& needs) {
  return kMemoryMarginBytes +
         std::max<int64_t>(0, needs.activation_bytes - kActivationsInMargin) +
         2 * std::max<int64_t>(0, needs.max_queued_bytes - kQueuedInMargin);
}

}  // namespace

std::optional<int64_t> CgroupMemoryLimit(const std::string& root) {
  const fs::path base(root);
  const fs::path mount = base / "sys/fs/cgroup";
  std::ifstream groups(base / "proc/self/cgroup");
  std::optional<int64_t> limit;
  for (std::string line; std::getline(groups, line);) {
    // "0::/system.slice/sheaf-server.service", "4:memory:/docker/0123"
    const std::vector<std::string> fields =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    if (fields[1].empty()) {
      TakeLeast(mount, fields[2], "memory.max", limit);
    } else if (std::find(controllers.begin(), controllers.end(), "memory") !=
               controllers.end()) {
      TakeLeast(mount / "memory", fields[2], "memory.limit_in_bytes", limit);
    }
  }
  return limit;
}

int64_t PhysicalMemory() {
  return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
}

int64_t DerivedQueuedBytes(const MemoryNeeds& needs, int64_t limit_bytes) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const int64_t left = limit_bytes - needs.weight_bytes - RestBytes(needs) -
                       needs.kv_cache_bytes;
  return std::min(kMost, kQueuedInMargin + std::max<int64_t>(0, left) / 4);
}

absl::Status CheckMemoryFits(const MemoryNeeds& needs,
                             std::optional<int64_t> limit_bytes) {
  if (!limit_bytes.has_value()) return absl::OkStatus();
  const int64_t rest = RestBytes(needs);
  const int64_t room = *limit_bytes - needs.weight_bytes - rest;
  if (needs.kv_cache_bytes <= room) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "--kv_cache_bytes is %d; the control group's memory limit of %d less %d "
      "of weights and %d for the rest of the process leaves %d",
      needs.kv_cache_bytes, *limit_bytes, needs.weight_bytes, rest,
      std::max<int64_t>(room, 0)));
}

}  // namespace sheaf
