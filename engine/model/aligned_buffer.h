#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "engine/check.h"

namespace sheaf {

// Floats that begin on a cache line, and on a page if there are many; not
// initialized. Running out of memory ends the program: it happens at start.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t num_floats) : size_(num_floats) {
    constexpr int64_t kPage = 4096;
    const int64_t unit = bytes() >= kPage ? kPage : 64;
    const int64_t rounded = (bytes() + unit - 1) / unit * unit;
    if (rounded == 0) return;
    data_.reset(static_cast<float*>(std::aligned_alloc(unit, rounded)));
    SHEAF_CHECK(data_ != nullptr);
  }

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(float)); }

 private:
  struct Free {
    void operator()(float* data) const { std::free(data); }
  };
  int64_t size_ = 0;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace sheaf
