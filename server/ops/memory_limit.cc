// SPDX-License-Identifier: Apache-2.0

#include "server/ops/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/cgroup.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kKiB = 1024;  // /proc's "kB"

// A limit of the process: its label in /proc/self/limits, and the label of the
// used amount in /proc/self/status.
struct ProcessLimit {
  const char* name;
  absl::string_view label, used_label;
};
constexpr ProcessLimit kProcessLimits[] = {
    {"the address space that its limit (ulimit -v) leaves", "Max address space",
     "VmSize:"},
    {"the data segment that its limit (ulimit -d) leaves", "Max data size",
     "VmData:"}};

// Returns the number after `label` at the beginning of a line, or nullopt if
// there is no such line or no number ("unlimited").
std::optional<int64_t> ReadFigure(const fs::path& file,
                                  absl::string_view label) {
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

// The memory in addition to weights and KV cache, given the margin of a limit.
// What gRPC holds can take twice the memory of its bytes.
int64_t RestBytes(const MemoryNeeds& needs, int64_t margin_bytes) {
  return margin_bytes + needs.http_bytes +
         std::max<int64_t>(0, needs.activation_bytes - kActivationsInMargin) +
         2 * std::max<int64_t>(0, needs.max_queued_bytes - kQueuedInMargin) +
         2 * std::max<int64_t>(0, needs.transport_bytes - kTransportInMargin);
}

}  // namespace

int64_t PhysicalMemory() {
  return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
}

int64_t DerivedQueuedBytes(const MemoryNeeds& needs, int64_t limit_bytes) {
  constexpr int64_t kMaxBytes = int64_t{1} << 30;
  const int64_t left = limit_bytes - needs.weight_bytes -
                       RestBytes(needs, kMemoryMarginBytes) -
                       needs.kv_cache_bytes;
  return std::min(kMaxBytes, kQueuedInMargin + std::max<int64_t>(0, left) / 4);
}

std::vector<MemoryLimit> MemoryLimits(const std::string& root) {
  const fs::path proc = fs::path(root) / "proc";
  std::vector<MemoryLimit> limits;
  if (const auto bytes = CgroupMemoryLimit(root)) {
    limits.push_back({"the control group's memory limit", *bytes});
  }
  const auto available = ReadFigure(proc / "meminfo", "MemAvailable:");
  if (available.has_value()) {
    const int64_t swap = ReadFigure(proc / "meminfo", "SwapFree:").value_or(0);
    limits.push_back({"the memory that the machine has available",
                      (*available + swap) * kKiB});
  }
  for (const ProcessLimit& limit : kProcessLimits) {
    const auto bytes = ReadFigure(proc / "self/limits", limit.label);
    const auto used = ReadFigure(proc / "self/status", limit.used_label);
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
