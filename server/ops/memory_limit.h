// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace sheaf {

// The memory in addition to weights and KV cache: code and libraries, gRPC's
// buffers, tokenizer, requests and activations. docs/OPERATIONS.md derives a
// container's limit from it.
inline constexpr int64_t kMemoryMarginBytes = int64_t{192} << 20;
// The margin includes activations up to this size,
inline constexpr int64_t kActivationsInMargin = int64_t{64} << 20;
// waiting requests up to this size (--max_queued_bytes; the same size is
// reserved a second time for requests that are being read),
inline constexpr int64_t kQueuedInMargin = int64_t{32} << 20;
// and what gRPC holds of clients that may not be known yet, up to this size
// (--transport_bytes): connections, headers, and messages that have not arrived
// whole.
inline constexpr int64_t kTransportInMargin = int64_t{64} << 20;

// The memory that a server needs in addition to the margin.
struct MemoryNeeds {
  int64_t weight_bytes = 0;
  int64_t activation_bytes = 0;
  int64_t kv_cache_bytes = 0;
  int64_t max_queued_bytes = 0;  // 0: not decided yet
  int64_t transport_bytes = 0;
  int64_t http_bytes = 0;
};

// The margin for limits of address space and data segment (ulimit -v, -d), in
// addition to what the process uses before it loads the model. The stacks of
// gRPC's threads are the largest part.
inline constexpr int64_t kAddressMarginBytes = int64_t{640} << 20;

// An upper bound on the memory that the process can still get.
struct MemoryLimit {
  std::string name;  // in messages: "the control group's memory limit"
  int64_t bytes;
  int64_t margin_bytes = kMemoryMarginBytes;
};

// All limits that apply: the control group's, the memory that the machine has
// available (including swap), and the rest of the process' own limits. `root`
// replaces "/" in tests.
std::vector<MemoryLimit> MemoryLimits(const std::string& root = "/");

// The memory of the machine.
int64_t PhysicalMemory();

// The default of --max_queued_bytes: kQueuedInMargin plus a quarter of the part
// of `limit_bytes` that the other needs leave, but at most 1 GiB.
int64_t DerivedQueuedBytes(const MemoryNeeds& needs, int64_t limit_bytes);

// Returns FAILED_PRECONDITION if one of the limits is too small for weights, KV
// cache, HTTP, the margin, and the activations, requests and transport that
// exceed the margin.
// The message has the figures and the largest --kv_cache_bytes that fits.
absl::Status CheckMemoryFits(const MemoryNeeds& needs,
                             absl::Span<const MemoryLimit> limits);

}  // namespace sheaf
