// SPDX-License-Identifier: Apache-2.0

#include "tests/support/emulated_tiles.h"

#if defined(__x86_64__)
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace sheaf {
namespace {

constexpr int kNumTiles = 8, kMaxRows = 16, kMaxRowBytes = 64;

struct Tile {
  int rows = 0, row_bytes = 0;
  uint8_t data[kMaxRows][kMaxRowBytes] = {};
};

// The state that a processor has per thread.
struct TileUnit {
  bool is_configured = false;
  Tile tiles[kNumTiles];
};
thread_local TileUnit unit;

[[noreturn]] void Fail(const char* message) {
  constexpr char kPrefix[] = "emulated tiles: ";
  (void)!write(STDERR_FILENO, kPrefix, sizeof(kPrefix) - 1);
  (void)!write(STDERR_FILENO, message, strlen(message));
  (void)!write(STDERR_FILENO, "\n", 1);
  abort();
}

Tile& Configured(int index) {
  if (!unit.is_configured) Fail("a tile is used before ldtilecfg");
  if (index >= kNumTiles) Fail("there is no such tile");
  return unit.tiles[index];
}

// The operand of ldtilecfg: palette, first row, 14 bytes of zeros, the bytes of
// a row of each tile (16 of 16 bits) and the rows (16 of 8 bits).
void LoadConfig(const uint8_t* config) {
  if (config[0] != 1) Fail("ldtilecfg knows palette 1 only");
  for (int i = 1; i < 16; ++i) {
    if (config[i] != 0) Fail("a reserved byte of ldtilecfg is set");
  }
  unit = {};
  unit.is_configured = true;
  for (int i = 0; i < 16; ++i) {
    uint16_t row_bytes;
    memcpy(&row_bytes, config + 16 + 2 * i, sizeof(row_bytes));
    const int rows = config[48 + i];
    if ((rows == 0) != (row_bytes == 0) || rows > kMaxRows ||
        row_bytes > kMaxRowBytes || (i >= kNumTiles && rows != 0)) {
      Fail("ldtilecfg gives a tile a size that it cannot have");
    }
    if (i < kNumTiles) {
      unit.tiles[i].rows = rows;
      unit.tiles[i].row_bytes = row_bytes;
    }
  }
}

void LoadTile(Tile& tile, const uint8_t* from, int64_t stride) {
  memset(tile.data, 0, sizeof(tile.data));
  for (int row = 0; row < tile.rows; ++row) {
    memcpy(tile.data[row], from + row * stride, tile.row_bytes);
  }
}

void StoreTile(const Tile& tile, uint8_t* to, int64_t stride) {
  for (int row = 0; row < tile.rows; ++row) {
    memcpy(to + row * stride, tile.data[row], tile.row_bytes);
  }
}

// Calls add(a, b, sum) for each 4 bytes of a row of A, the 4 bytes of B that
// they meet, and the sum of C, k ascending.
template <typename Sum, typename Add>
void ForEachWord(Tile& c, const Tile& a, const Tile& b, const Add& add) {
  if (c.rows != a.rows || c.row_bytes != b.row_bytes ||
      a.row_bytes != 4 * b.rows) {
    Fail("tiles of these sizes cannot be multiplied");
  }
  for (int m = 0; m < c.rows; ++m) {
    for (int n = 0; n < c.row_bytes / 4; ++n) {
      Sum sum;
      sum.Load(c.data[m] + 4 * n);
      for (int k = 0; k < b.rows; ++k) {
        add(a.data[m] + 4 * k, b.data[k] + 4 * n, sum);
      }
      sum.Store(c.data[m] + 4 * n);
    }
  }
}

struct IntSum {
  uint32_t value;
  void Load(const uint8_t* from) { memcpy(&value, from, sizeof(value)); }
  void Store(uint8_t* to) const { memcpy(to, &value, sizeof(value)); }
};

void MultiplyInt8(Tile& c, const Tile& a, const Tile& b) {
  ForEachWord<IntSum>(
      c, a, b, [](const uint8_t* x, const uint8_t* w, IntSum& sum) {
        for (int i = 0; i < 4; ++i) {
          const int32_t product = x[i] * static_cast<int8_t>(w[i]);
          sum.value += static_cast<uint32_t>(product);
        }
      });
}

float FromBits(uint32_t bits) {
  if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u;  // denormals
  float x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}

float Flushed(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return FromBits(bits);
}

float Bf16At(const uint8_t* from) {
  uint16_t half;
  memcpy(&half, from, sizeof(half));
  return FromBits(uint32_t{half} << 16);
}

struct Bf16Sum {
  float before = 0, even = 0, odd = 0;
  void Load(const uint8_t* from) { memcpy(&before, from, sizeof(before)); }
  void Store(uint8_t* to) const {
    const float sum = Flushed(Flushed(before) + Flushed(even + odd));
    memcpy(to, &sum, sizeof(sum));
  }
};

void MultiplyBf16(Tile& c, const Tile& a, const Tile& b) {
  ForEachWord<Bf16Sum>(
      c, a, b, [](const uint8_t* x, const uint8_t* w, Bf16Sum& sum) {
        sum.even = Flushed(std::fma(Bf16At(x), Bf16At(w), sum.even));
        sum.odd = Flushed(std::fma(Bf16At(x + 2), Bf16At(w + 2), sum.odd));
      });
}

// An instruction of AMX: the prefix C4 and two bytes, opcode, ModRM, and an
// operand in memory or in registers.
struct Instruction {
  int opcode;
  int prefix;      // 0 for none, 1 for 66, 2 for F3, 3 for F2
  int reg;         // of ModRM
  int source;      // in the prefix
  bool is_memory;  // else `rm` is a tile
  int rm;
  uint8_t* address;
  int64_t stride;
  int length;
};

// The registers in the order of their numbers in instructions.
constexpr int kRegisters[] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// Decodes the operand in memory, whose ModRM is at code[4].
void DecodeMemory(const uint8_t* code, const greg_t* registers,
                  Instruction& out) {
  const int mode = code[4] >> 6;
  const int base_bit = (code[1] & 0x20) == 0 ? 8 : 0;
  const int index_bit = (code[1] & 0x40) == 0 ? 8 : 0;
  out.length = 5;
  int64_t address = 0;
  int displacement_bytes = mode == 1 ? 1 : mode == 2 ? 4 : 0;
  if (out.rm == 4) {
    const int sib = code[out.length++];
    const int index = (sib >> 3 & 7) | index_bit;
    if (index != 4) out.stride = registers[kRegisters[index]] << (sib >> 6);
    if ((sib & 7) == 5 && mode == 0) {
      displacement_bytes = 4;
    } else {
      address = registers[kRegisters[(sib & 7) | base_bit]];
    }
  } else if (out.rm == 5 && mode == 0) {
    displacement_bytes = 4;
    address = registers[REG_RIP] + 9;
  } else {
    address = registers[kRegisters[out.rm | base_bit]];
  }
  int32_t displacement = 0;
  if (displacement_bytes == 1) {
    displacement = static_cast<int8_t>(code[out.length]);
  } else if (displacement_bytes == 4) {
    memcpy(&displacement, code + out.length, sizeof(displacement));
  }
  out.length += displacement_bytes;
  out.address = reinterpret_cast<uint8_t*>(address + displacement);
}

// Returns false for any other instruction.
bool Decode(const greg_t* registers, Instruction& out) {
  const auto* code = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  if (code[0] != 0xc4 || (code[1] & 0x1f) != 2) return false;
  out = {.opcode = code[3],
         .prefix = code[2] & 3,
         .reg = (code[4] >> 3 & 7) | ((code[1] & 0x80) == 0 ? 8 : 0),
         .source = ~code[2] >> 3 & 15,
         .is_memory = code[4] >> 6 != 3,
         .rm = code[4] & 7,
         .address = nullptr,
         .stride = 0,
         .length = 5};
  if (out.is_memory) DecodeMemory(code, registers, out);
  return true;
}

// Returns false for any instruction but those that the kernels use.
bool Execute(const Instruction& i) {
  if (i.opcode == 0x49 && i.is_memory && i.prefix == 0) {
    LoadConfig(i.address);
  } else if (i.opcode == 0x49 && i.prefix == 0) {
    unit = {};  // tilerelease
  } else if (i.opcode == 0x49 && !i.is_memory && i.prefix == 3) {
    Tile& tile = Configured(i.reg);
    memset(tile.data, 0, sizeof(tile.data));
  } else if (i.opcode == 0x4b && i.is_memory && i.prefix == 3) {
    LoadTile(Configured(i.reg), i.address, i.stride);
  } else if (i.opcode == 0x4b && i.is_memory && i.prefix == 2) {
    StoreTile(Configured(i.reg), i.address, i.stride);
  } else if (i.opcode == 0x5e && !i.is_memory && i.prefix == 1) {
    MultiplyInt8(Configured(i.reg), Configured(i.rm), Configured(i.source));
  } else if (i.opcode == 0x5c && !i.is_memory && i.prefix == 2) {
    MultiplyBf16(Configured(i.reg), Configured(i.rm), Configured(i.source));
  } else {
    return false;
  }
  return true;
}

void OnIllegalInstruction(int, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  Instruction instruction;
  if (!Decode(registers, instruction) || !Execute(instruction)) {
    Fail("an illegal instruction that is none of AMX");
  }
  registers[REG_RIP] += instruction.length;
}

bool EmulateTiles() {
  if (!__builtin_cpu_supports("avx512bf16") ||
      kernels::DetectIsa() != kernels::Isa::kAvx512) {
    return false;
  }
  struct sigaction action = {};
  action.sa_sigaction = OnIllegalInstruction;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  return sigaction(SIGILL, &action, nullptr) == 0;
}

}  // namespace

bool CanRun(kernels::Isa isa) {
  if (isa <= kernels::DetectIsa()) return true;
  if (isa != kernels::Isa::kAmx) return false;
  static const bool is_emulated = EmulateTiles();
  return is_emulated;
}

}  // namespace sheaf

#else

namespace sheaf {

bool CanRun(kernels::Isa isa) { return isa <= kernels::DetectIsa(); }

}  // namespace sheaf
#endif
