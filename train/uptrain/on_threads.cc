// SPDX-License-Identifier: Apache-2.0

#include "train/uptrain/on_threads.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <vector>

#include "ATen/Parallel.h"

namespace sheaf {

void OnThreads(int n, const std::function<void(int)>& run) {
  const int threads = at::get_num_threads();
  const int share = std::max(1, threads / n);
  std::vector<std::future<void>> others;
  for (int i = 1; i < n; ++i) {
    others.push_back(std::async(std::launch::async, [&run, share, i] {
      at::set_num_threads(share);
      run(i);
    }));
  }
  at::set_num_threads(share);
  run(0);
  for (std::future<void>& other : others) other.get();
  at::set_num_threads(threads);
}

void TakeInTurn(int n, size_t count,
                const std::function<void(int, size_t)>& run) {
  std::atomic<size_t> next = 0;
  OnThreads(n, [&](int thread) {
    for (size_t task; (task = next++) < count;) run(thread, task);
  });
}

}  // namespace sheaf
