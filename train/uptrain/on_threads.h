// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <functional>

namespace sheaf {

// Calls run(0) on this thread and run(1) ... run(n - 1) on one thread each, and
// returns when all have returned. An exception of one is thrown here. Each call
// computes with its share of libtorch's threads. This is faster than sharing
// each operation between all threads, because they wait for each other only
// once.
void OnThreads(int n, const std::function<void(int)>& run);

// The same threads take the tasks 0 ... count - 1 in turn, each when it is
// free: run(thread, task).
void TakeInTurn(int n, size_t count,
                const std::function<void(int, size_t)>& run);

}  // namespace sheaf
