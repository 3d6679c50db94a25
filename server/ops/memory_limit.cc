#include "server/ops/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kKiB = 1024;  // /proc's "kB"

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

// As /proc/self/limits names what it limits, and /proc/self/status what of it
// is used.
struct ProcessLimit {
  const char* name;
  absl::string_view label, used_label;
};
constexpr ProcessLimit kProcessLimits[] = {
    {"the address space that its limit (ulimit -v) leaves", "Max address space",
     "VmSize:"},
    {"the data segment that its limit (ulimit -d) leaves", "Max data size",
     "VmData:"}};

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

// The number after `label`, which begins a line. Nothing if there is no such
// line or no number ("unlimited").
std::optional<int64_t> Figure(const fs::path& file, absl::string_view label) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, label)) continue;
    rest = absl::StripLeadingAsciiWhitespace(rest);
    int64_t figure = 0;
    if (absl::SimpleAtoi(rest.substr(0, rest.find(' ')), &figure)) {
      return figure;
    }
  }
  return std::nullopt;
}

// The memory in addition to weights and KV cache, with the margin of one of
// its limits.
int64_t RestBytes(const MemoryNeeds& needs, int64_t margin_bytes) {
  return margin_bytes +
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
  const int64_t left = limit_bytes - needs.weight_bytes -
                       RestBytes(needs, kMemoryMarginBytes) -
                       needs.kv_cache_bytes;
  return std::min(kMost, kQueuedInMargin + std::max<int64_t>(0, left) / 4);
}

std::vector<MemoryLimit> MemoryLimits(const std::string& root) {
  const fs::path proc = fs::path(root) / "proc";
  std::vector<MemoryLimit> limits;
  if (const auto bytes = CgroupMemoryLimit(root)) {
    limits.push_back({"the control group's memory limit", *bytes});
  }
  const auto available = Figure(proc / "meminfo", "MemAvailable:");
  if (available.has_value()) {
    const int64_t swap = Figure(proc / "meminfo", "SwapFree:").value_or(0);
    limits.push_back({"the memory that the machine has available",
                      (*available + swap) * kKiB});
  }
  for (const ProcessLimit& limit : kProcessLimits) {
    const auto bytes = Figure(proc / "self/limits", limit.label);
    const auto used = Figure(proc / "self/status", limit.used_label);
    if (!bytes.has_value() || !used.has_value()) continue;
    limits.push_back({limit.name, std::max<int64_t>(0, *bytes - *used * kKiB),
                      kAddressMarginBytes});
  }
  return limits;
}

absl::Status CheckMemoryFits(const MemoryNeeds& needs,
                             absl::Span<const MemoryLimit> limits) {
  for (const MemoryLimit& limit : limits) {
    const int64_t rest = RestBytes(needs, limit.margin_bytes);
    const int64_t room = limit.bytes - needs.weight_bytes - rest;
    if (needs.kv_cache_bytes <= room) continue;
    return absl::FailedPreconditionError(absl::StrFormat(
        "--kv_cache_bytes is %d; %s of %d less %d of weights and %d for the "
        "rest of the process leaves %d",
        needs.kv_cache_bytes, limit.name, limit.bytes, needs.weight_bytes, rest,
        std::max<int64_t>(room, 0)));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
