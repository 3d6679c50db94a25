#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace sheaf {

// The memory in addition to weights and KV cache: code and libraries,
// gRPC's buffers, tokenizer, requests, and activations up to some size.
// docs/OPERATIONS.md derives a container's limit with it.
inline constexpr int64_t kMemoryMarginBytes = int64_t{192} << 20;
inline constexpr int64_t kActivationsInMargin = int64_t{64} << 20;
// Of requests (--max_queued_bytes); as much again is for those being read.
inline constexpr int64_t kQueuedInMargin = int64_t{32} << 20;

// The memory that a server needs in addition to the margin.
struct MemoryNeeds {
  int64_t weight_bytes = 0;
  int64_t activation_bytes = 0;
  int64_t kv_cache_bytes = 0;
  int64_t max_queued_bytes = 0;  // 0: to be derived
};

// The same of address space and data segment (ulimit -v, -d), in addition to
// what is taken when the model is about to be loaded: the stacks of gRPC's
// threads are most of it.
inline constexpr int64_t kAddressMarginBytes = int64_t{640} << 20;

// Memory that the process cannot have more of.
struct MemoryLimit {
  std::string name;  // in messages: "the control group's memory limit"
  int64_t bytes;
  int64_t margin_bytes = kMemoryMarginBytes;
};

// The memory limit of this process' control group, the least of it and its
// parents (version 2, or version 1's memory controller). Nothing if there is
// none. `root` is what "/" stands for: tests have one of their own.
std::optional<int64_t> CgroupMemoryLimit(const std::string& root = "/");

// All limits that hold: the control group's, what the machine has available
// (swap included), and what limits of its own leave to the process.
std::vector<MemoryLimit> MemoryLimits(const std::string& root = "/");

// The memory of the machine.
int64_t PhysicalMemory();

// What --max_queued_bytes is if it is not given: kQueuedInMargin and a quarter
// of what the other needs leave of `limit_bytes`, but at most 1 GiB.
int64_t DerivedQueuedBytes(const MemoryNeeds& needs, int64_t limit_bytes);

// FAILED_PRECONDITION, with the figures and the most that --kv_cache_bytes may
// be, if weights, KV cache, the margin, and the activations and requests that
// it does not cover do not fit within one of the limits.
absl::Status CheckMemoryFits(const MemoryNeeds& needs,
                             absl::Span<const MemoryLimit> limits);

}  // namespace sheaf
