// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sheaf {

// The limits of this process' control group: the smallest of the group's own
// and its parents', as far up as they are mounted. Both versions are read, and
// on a hybrid system the one that has the controller. A limit that is not set
// or cannot be read gives nullopt.
//
// /proc/self/cgroup names the group in each hierarchy, and /proc/self/mountinfo
// says where a hierarchy is mounted and from which group on. `root` replaces
// "/" in tests.

// The processors' worth of time that the CPU quota allows (1.5: one and a half
// processors). Version 2: cpu.max; version 1: cpu.cfs_quota_us.
std::optional<double> CgroupCpuQuota(const std::string& root = "/");

// Bytes. Version 2: memory.max; version 1: memory.limit_in_bytes.
std::optional<int64_t> CgroupMemoryLimit(const std::string& root = "/");

}  // namespace sheaf
