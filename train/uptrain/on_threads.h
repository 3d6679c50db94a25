#pragma once

#include <cstddef>
#include <functional>

namespace sheaf {

// Calls run(0) here and run(1) ... run(n - 1) on a thread each, and returns
// when all have returned; what one throws is thrown here. Each computes with
// its share of libtorch's threads. Threads that compute apart wait for one
// another once, those that share operations in each of them, and small ones
// take longer to share than to do.
void OnThreads(int n, const std::function<void(int)>& run);

// The same threads take tasks 0 ... count - 1 in turn, each as it gets free:
// run(thread, task).
void TakeInTurn(int n, size_t count,
                const std::function<void(int, size_t)>& run);

}  // namespace sheaf
