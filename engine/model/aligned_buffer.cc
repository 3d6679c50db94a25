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

// AddressSanitizer sees the ends of buffers only if each is an allocation.
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

// Where the next buffer goes.
class Chunks {
 public:
  std::shared_ptr<float> Take(int64_t bytes) {
    absl::MutexLock lock(&mutex_);
    if (left_ < bytes) {
      left_ = RoundUp(std::max(bytes, kChunkBytes), kLargePage);
      chunk_ = Allocate(left_, kLargePage);
      next_ = chunk_.get();
      madvise(next_, left_, MADV_HUGEPAGE);  // As good as there are some.
    }
    std::shared_ptr<float> data(chunk_, reinterpret_cast<float*>(next_));
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

AlignedBuffer::AlignedBuffer(int64_t num_floats) : size_(num_floats) {
  const int64_t rounded = RoundUp(bytes(), kLine);
  if (rounded == 0) return;
  if (kHasChunks) {
    static Chunks& chunks = *new Chunks;  // Never destroyed: buffers may be.
    data_ = chunks.Take(rounded);
    return;
  }
  const std::shared_ptr<std::byte> data = Allocate(rounded, kLine);
  data_ = {data, reinterpret_cast<float*>(data.get())};
}

}  // namespace sheaf
