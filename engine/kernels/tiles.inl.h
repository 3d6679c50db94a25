// SPDX-License-Identifier: Apache-2.0

#pragma once

// The eight tile registers of AMX as functions. A tile has up to 16 rows of 64
// bytes.
//
// In assembly, because GCC 12's intrinsics paste the number of a tile as text,
// which a template argument is not, and its tile loads do not say that they
// read memory.

#include <cstdint>

namespace sheaf::kernels {
namespace {

constexpr int32_t kTileRows = 16;
constexpr int64_t kTileRowBytes = 64;
constexpr int64_t kTileBytes = kTileRows * kTileRowBytes;

// Tiles 0 and 2 hold sums of a first group of rows, and tiles 1 and 3 those of
// a second group. Tiles 4 and 5 hold inputs of these rows. Tiles 6 and 7 hold
// weights, and have 16 rows.
//
// Live tiles make each switch of threads and each signal slower by 0.3 us.
// Hence the tiles are released at the end of each kernel, which takes 145 ns
// together with their configuration.
class Tiles {
 public:
  Tiles() = default;
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() { asm volatile("tilerelease" : : : "memory"); }

  // Gives the tiles of the first and second group so many rows, and clears all
  // tiles unless they have these rows already. The second group may be empty.
  void Configure(int32_t first_rows, int32_t second_rows) {
    if (first_rows == first_rows_ && second_rows == second_rows_) return;
    first_rows_ = first_rows;
    second_rows_ = second_rows;
    const auto first = static_cast<uint8_t>(first_rows);
    // A tile without rows is not allowed; it is not used.
    const auto second = static_cast<uint8_t>(second_rows > 0 ? second_rows : 1);
    constexpr uint16_t kRow = kTileRowBytes;
    const Config config = {
        .palette = 1,
        .row_bytes = {kRow, kRow, kRow, kRow, kRow, kRow, kRow, kRow},
        .rows = {first, second, first, second, first, second, 16, 16}};
    asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }

 private:
  // The operand of ldtilecfg.
  struct alignas(64) Config {
    uint8_t palette;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16];
    uint8_t rows[16];
  };

  int32_t first_rows_ = 0, second_rows_ = 0;
};

template <int T>
inline void ClearTmm() {
  asm volatile("tilezero %%tmm%c0" : : "i"(T));
}

// Loads the rows of a tile, which are `stride` bytes apart. REQUIRES: they were
// written before the last Tiles::Configure().
template <int T>
inline void LoadConstTmm(const void* p, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(T));
}

template <int T>
inline void LoadTmm(const void* p, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2"
               :
               : "r"(p), "r"(stride), "i"(T)
               : "memory");
}

template <int T>
inline void StoreTmm(void* p, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)"
               :
               : "r"(p), "r"(stride), "i"(T)
               : "memory");
}

// C += A * B modulo 2^32.
//   C  [rows, 16] integers of 32 bits
//   A  [rows, 64] unsigned bytes
//   B  [16][16][4] signed bytes: 4 k of a column side by side
template <int C, int A, int B>
inline void MultiplyTmmInt8() {
  asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0"
               :
               : "i"(C), "i"(A), "i"(B));
}

// C += A * B. The products of even k and those of odd k are summed apart, from
// 0, with fused multiply-adds and k ascending. Then the sum of both is added to
// C. Denormal inputs and results count as 0.
//   C  [rows, 16] f32
//   A  [rows, 32] bfloat16
//   B  [16][16][2] bfloat16: 2 k of a column side by side
template <int C, int A, int B>
inline void MultiplyTmmBf16() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0"
               :
               : "i"(C), "i"(A), "i"(B));
}

}  // namespace
}  // namespace sheaf::kernels
