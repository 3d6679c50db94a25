// SPDX-License-Identifier: Apache-2.0

#include "engine/kernels/isa.h"

#include <cstdint>

#if defined(__x86_64__) && !defined(SHEAF_PORTABLE_KERNELS)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace sheaf::kernels {
namespace {

#if defined(__x86_64__) && !defined(SHEAF_PORTABLE_KERNELS)
// The processor's bits of AMX, and the operating system's: it saves both the
// configuration and the data of tiles.
bool HasAmx() {
  constexpr unsigned kBf16 = 1u << 22, kTiles = 1u << 24, kInt8 = 1u << 25;
  constexpr unsigned kAmx = kBf16 | kTiles | kInt8;
  constexpr unsigned kOsSavesState = 1u << 27;
  constexpr uint32_t kTileState = 3u << 17;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kAmx) != kAmx) {
    return false;
  }
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsSavesState) == 0) {
    return false;
  }
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState;
}

// Linux gives the data of tiles only to a process that asks for them.
bool RequestTiles() {
  constexpr long kGetPermission = 0x1022, kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  if (syscall(SYS_arch_prctl, kRequestPermission, kTileData) != 0) return false;
  uint64_t granted = 0;
  return syscall(SYS_arch_prctl, kGetPermission, &granted) == 0 &&
         (granted >> kTileData & 1) != 0;
}

Processor DetectProcessor() {
  const bool has_bf16 = __builtin_cpu_supports("avx512bf16") != 0;
  return {.has_avx2 = __builtin_cpu_supports("avx2") &&
                      __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("f16c"),
          .has_avx512 = __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512vnni"),
          .has_avx512_bf16 = has_bf16,
          .has_fast_avx512_bf16 = has_bf16 && !__builtin_cpu_is("intel"),
          .has_amx = HasAmx()};
}
#else
bool RequestTiles() { return false; }

Processor DetectProcessor() { return {}; }
#endif

}  // namespace

const Processor& ThisProcessor() {
  static const Processor processor = DetectProcessor();
  return processor;
}

DetectedIsa DetectIsa(const Processor& processor, bool (*request_tiles)()) {
  if (!processor.has_avx2) return {Isa::kPortable, false};
  if (!processor.has_avx512) return {Isa::kAvx2, false};
  if (!processor.has_avx512_bf16 || !processor.has_amx) {
    return {Isa::kAvx512, false};
  }
  const bool may_use_tiles = request_tiles();
  return {may_use_tiles ? Isa::kAmx : Isa::kAvx512, !may_use_tiles};
}

const DetectedIsa& DetectThisIsa() {
  static const DetectedIsa detected = DetectIsa(ThisProcessor(), RequestTiles);
  return detected;
}

absl::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return "portable";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAmx:
      return "amx";
  }
  return "";
}

std::optional<Isa> ParseIsa(absl::string_view name) {
  for (Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    if (name == IsaName(isa)) return isa;
  }
  return std::nullopt;
}

}  // namespace sheaf::kernels
