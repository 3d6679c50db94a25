// SPDX-License-Identifier: Apache-2.0

#include "base/cgroup.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

// A file of version 1 has no word for "no limit". It contains the largest
// multiple of a page, which is far above this.
constexpr int64_t kNoLimitBytes = int64_t{1} << 60;

// Folders of groups, by the version that names the files in them.
struct GroupFolders {
  std::vector<fs::path> v1, v2;
};

// A mount of a hierarchy. `group` is the group at the mount point: "/", or in a
// container often the container's own.
struct Mount {
  std::string group;
  fs::path point;
};

bool Contains(absl::string_view list, absl::string_view word) {
  for (absl::string_view element : absl::StrSplit(list, ',')) {
    if (element == word) return true;
  }
  return false;
}

// mountinfo writes blanks, line ends and backslashes of a path as "\040".
std::string Unescaped(absl::string_view path) {
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 3 < path.size()) {
      out.push_back(static_cast<char>((path[i + 1] - '0') * 64 +
                                      (path[i + 2] - '0') * 8 +
                                      (path[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(path[i]);
    }
  }
  return out;
}

// The mounts of version 2, or of version 1's hierarchy with `controller`.
std::vector<Mount> ReadMounts(const fs::path& root, bool is_v2,
                              absl::string_view controller) {
  std::vector<Mount> mounts;
  std::ifstream in(root / "proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    // "35 31 0:32 /docker/1 /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup
    // rw,cpu,cpuacct": the group, the mount point, and after the dash the type,
    // the source and the options, among them version 1's controllers.
    const std::vector<absl::string_view> halves =
        absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() != 2) continue;
    const std::vector<absl::string_view> place =
        absl::StrSplit(halves[0], absl::MaxSplits(' ', 5));
    const std::vector<absl::string_view> system =
        absl::StrSplit(halves[1], absl::MaxSplits(' ', 2));
    if (place.size() < 5 || system.size() != 3) continue;
    if (is_v2 ? system[0] != "cgroup2"
              : system[0] != "cgroup" || !Contains(system[2], controller)) {
      continue;
    }
    const fs::path point = Unescaped(place[4]);
    mounts.push_back({Unescaped(place[3]), root / point.relative_path()});
  }
  return mounts;
}

// `group` relative to the group `base`: "" if they are equal, nullopt if
// `group` lies elsewhere.
std::optional<std::string> Relative(absl::string_view group,
                                    absl::string_view base) {
  if (base == "/") base = "";
  if (group == "/") group = "";
  if (!absl::ConsumePrefix(&group, base)) return std::nullopt;
  if (!group.empty() && group[0] != '/') return std::nullopt;
  // A process outside its namespace's root has a group such as "/../sibling".
  if (group.substr(0, 3) == "/..") return std::nullopt;
  return std::string(group);
}

// Appends the folders of `group` and its parents. If no mount shows the group,
// only the mount points are known, and they are as close as one can get.
void AppendFolders(absl::string_view group, const std::vector<Mount>& mounts,
                   std::vector<fs::path>& out) {
  const size_t num_before = out.size();
  for (const Mount& mount : mounts) {
    std::optional<std::string> path = Relative(group, mount.group);
    if (!path.has_value()) continue;
    for (; !path->empty(); path->resize(path->rfind('/'))) {
      out.push_back(mount.point / path->substr(1));
    }
    out.push_back(mount.point);
  }
  if (out.size() > num_before) return;
  for (const Mount& mount : mounts) out.push_back(mount.point);
}

GroupFolders FindFolders(const fs::path& root, absl::string_view controller) {
  GroupFolders folders;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // "0::/system.slice/sheaf-server.service", "4:cpu,cpuacct:/docker/0123"
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const bool is_v2 = fields[1].empty();
    if (!is_v2 && !Contains(fields[1], controller)) continue;
    AppendFolders(fields[2], ReadMounts(root, is_v2, controller),
                  is_v2 ? folders.v2 : folders.v1);
  }
  return folders;
}

// The number that a file begins with. Nothing for "max".
std::optional<int64_t> ReadNumber(const fs::path& file) {
  std::ifstream in(file);
  std::string word;
  int64_t number = 0;
  if (!(in >> word) || !absl::SimpleAtoi(word, &number)) return std::nullopt;
  return number;
}

template <typename T>
void TakeSmaller(T value, std::optional<T>& smallest) {
  smallest = std::min(smallest.value_or(value), value);
}

void TakeQuota(std::optional<int64_t> quota, std::optional<int64_t> period,
               std::optional<double>& smallest) {
  // Version 1 says -1 for no quota.
  if (quota.value_or(0) <= 0 || period.value_or(0) <= 0) return;
  TakeSmaller(static_cast<double>(*quota) / static_cast<double>(*period),
              smallest);
}

}  // namespace

std::optional<double> CgroupCpuQuota(const std::string& root) {
  const GroupFolders folders = FindFolders(root, "cpu");
  std::optional<double> smallest;
  for (const fs::path& folder : folders.v2) {
    // "50000 100000" or "max 100000"
    std::ifstream in(folder / "cpu.max");
    std::string quota_word;
    int64_t quota = 0, period = 0;
    if (in >> quota_word >> period && absl::SimpleAtoi(quota_word, &quota)) {
      TakeQuota(quota, period, smallest);
    }
  }
  for (const fs::path& folder : folders.v1) {
    TakeQuota(ReadNumber(folder / "cpu.cfs_quota_us"),
              ReadNumber(folder / "cpu.cfs_period_us"), smallest);
  }
  return smallest;
}

std::optional<int64_t> CgroupMemoryLimit(const std::string& root) {
  const GroupFolders folders = FindFolders(root, "memory");
  std::optional<int64_t> smallest;
  const auto take = [&](const fs::path& file) {
    const std::optional<int64_t> bytes = ReadNumber(file);
    if (bytes.has_value() && *bytes < kNoLimitBytes) {
      TakeSmaller(*bytes, smallest);
    }
  };
  for (const fs::path& folder : folders.v2) take(folder / "memory.max");
  for (const fs::path& folder : folders.v1) {
    take(folder / "memory.limit_in_bytes");
  }
  return smallest;
}

}  // namespace sheaf
