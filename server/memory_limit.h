#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace sheaf {

// What the process takes beside weights and KV cache: code and libraries,
// gRPC's buffers, tokenizer, requests, and activations up to some size.
// docs/OPERATIONS.md derives a container's limit with it.
inline constexpr int64_t kMemoryMarginBytes = int64_t{192} << 20;
inline constexpr int64_t kActivationsInMargin = int64_t{64} << 20;

// The memory limit of this process' control group, the least of it and its
// parents (version 2, or version 1's memory controller). Nothing if there is
// none. `root` is what "/" stands for: tests have one of their own.
std::optional<int64_t> CgroupMemoryLimit(const std::string& root = "/");

// FAILED_PRECONDITION, with the most that --kv_cache_bytes may be, if weights,
// KV cache, the margin and the activations that it does not cover do not fit
// within `limit_bytes`.
absl::Status CheckMemoryFits(int64_t weight_bytes, int64_t activation_bytes,
                             int64_t kv_cache_bytes,
                             std::optional<int64_t> limit_bytes);

}  // namespace sheaf
