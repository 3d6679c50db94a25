#pragma once

#include <cstdint>
#include <memory>

namespace sheaf {

// Floats that begin on a cache line; not initialized. Running out of memory
// ends the program, as for any other container: it happens at start, where a
// StartGuard says so.
//
// Buffers lie one behind the other in chunks that ask for large pages: a step
// reads all weights once, and with pages of 4 KiB a processor spends a fifth of
// that looking pages up. A chunk is given back with its last buffer.
//
// Buffers may be made by several threads at once.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t num_floats);
  AlignedBuffer(AlignedBuffer&&) noexcept = default;
  AlignedBuffer& operator=(AlignedBuffer&&) noexcept = default;

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(float)); }

 private:
  int64_t size_ = 0;
  std::shared_ptr<float> data_;  // and its chunk
};

}  // namespace sheaf
