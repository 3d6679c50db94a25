// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sheaf {

// Uninitialized memory of `num_bytes` bytes that begins on a cache line; null
// for none. Running out of memory ends the program, as for any other container.
// It happens at start, where a StartGuard reports it.
//
// Buffers lie one behind the other in chunks that ask for large pages. A step
// reads all weights once, and with pages of 4 KiB a processor spends a fifth of
// that time on looking up pages. A chunk is freed with its last buffer.
//
// Buffers may be made by several threads at once.
std::shared_ptr<std::byte> AllocateAligned(int64_t num_bytes);

// An array of numbers that begins on a cache line; not initialized.
template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t size)
      : size_(size),
        memory_(AllocateAligned(size * static_cast<int64_t>(sizeof(T)))) {}
  AlignedBuffer(AlignedBuffer&&) noexcept = default;
  AlignedBuffer& operator=(AlignedBuffer&&) noexcept = default;

  T* data() { return reinterpret_cast<T*>(memory_.get()); }
  const T* data() const { return reinterpret_cast<const T*>(memory_.get()); }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(T)); }

 private:
  int64_t size_ = 0;
  std::shared_ptr<std::byte> memory_;  // and its chunk
};

}  // namespace sheaf
