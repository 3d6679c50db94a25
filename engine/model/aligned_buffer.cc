// SPDX-License-Identifier: Apache-2.0

#include "engine/model/aligned_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <new>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/round_up.h"

namespace sheaf {
namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kLargePage = int64_t{2} << 20;
constexpr int64_t kChunkBytes = int64_t{32} << 20;

// AddressSanitizer sees the ends of buffers only if each buffer is an
// allocation of its own.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kHasChunks = false;
#else
constexpr bool kHasChunks = true;
#endif

std::shared_ptr<std::byte> Allocate(int64_t bytes, int64_t alignment) {
  const std::align_val_t align{static_cast<size_t>(alignment)};
  auto* data = static_cast<std::byte*>(
      ::operator new(static_cast<size_t>(RoundUp(bytes, alignment)), align));
  return {data, [align](std::byte* data) { ::operator delete(data, align); }};
}

// The memory that the next buffers are cut from.
class Chunks {
 public:
  std::shared_ptr<std::byte> Take(int64_t bytes) {
    absl::MutexLock lock(&mutex_);
    if (left_ < bytes) {
      left_ = RoundUp(std::max(bytes, kChunkBytes), kLargePage);
      chunk_ = Allocate(left_, kLargePage);
      next_ = chunk_.get();
      madvise(next_, left_, MADV_HUGEPAGE);  // A wish: it may fail.
    }
    std::shared_ptr<std::byte> data(chunk_, next_);
    next_ += bytes;
    left_ -= bytes;
    if (left_ == 0) chunk_ = nullptr;
    return data;
  }

 private:
  absl::Mutex mutex_;
  std::shared_ptr<std::byte> chunk_ ABSL_GUARDED_BY(mutex_);
  std::byte* next_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int64_t left_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::shared_ptr<std::byte> AllocateAligned(int64_t num_bytes) {
  const int64_t rounded = RoundUp(num_bytes, kLine);
  if (rounded == 0) return nullptr;
  if (!kHasChunks) return Allocate(rounded, kLine);
  static Chunks& chunks = *new Chunks;  // Never destroyed: buffers may be.
  return chunks.Take(rounded);
}

}  // namespace sheaf
