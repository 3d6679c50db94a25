// SPDX-License-Identifier: Apache-2.0

#include "bench/roofline.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/monotonic_time.h"
#include "bench/random_weights.h"
#include "bench/read_loops.h"
#include "engine/kernels/kernels.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/linear.h"

namespace sheaf {

extern const ReadLoop* const kPortableReadLoops;
#if defined(__x86_64__)
extern const ReadLoop* const kAvx2ReadLoops;
extern const ReadLoop* const kAvx512ReadLoops;
#endif

const ReadLoop* ReadLoopsFor(kernels::Isa isa) {
#if defined(__x86_64__)
  if (isa >= kernels::Isa::kAvx512) return kAvx512ReadLoops;
  if (isa == kernels::Isa::kAvx2) return kAvx2ReadLoops;
#endif
  (void)isa;
  return kPortableReadLoops;
}

namespace {

constexpr int64_t kFloatBytes = sizeof(float);

// Each measurement takes less than a millisecond, and the ways to read take
// turns, so that in some rounds all members run even if other processes keep
// cores busy.
constexpr int64_t kPieceBytes = 16 << 20;  // read at a time
constexpr int64_t kReadUnit = 4096;        // shares are multiples of it
constexpr int32_t kReadDepth = 768;
constexpr int kReadRounds = 100;
constexpr int kGemmRounds = 200;

// The seconds that all members take to run `fn`.
double SecondsOfRun(ThreadTeam& team,
                    absl::FunctionRef<void(const ThreadTeam::Member&)> fn) {
  const MonotonicTime begin = MonotonicTime::Now();
  team.Run(fn);
  return absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
}

// Memory in large pages where the system has them; each member writes its own
// share first.
class ReadBuffer {
 public:
  static absl::StatusOr<ReadBuffer> Create(int64_t bytes) {
    void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
      return absl::ResourceExhaustedError(absl::StrFormat(
          "the machine does not give %d bytes to measure its memory with",
          bytes));
    }
    madvise(data, bytes, MADV_HUGEPAGE);
    return ReadBuffer(static_cast<float*>(data), bytes);
  }

  float* data() const { return data_.get(); }
  int64_t bytes() const { return data_.get_deleter().bytes; }

 private:
  struct Unmap {
    int64_t bytes;
    void operator()(float* data) const { munmap(data, bytes); }
  };
  ReadBuffer(float* data, int64_t bytes) : data_(data, Unmap{bytes}) {}
  std::unique_ptr<float[], Unmap> data_;
};

// Much more than the last cache holds.
int64_t ReadBufferBytes() {
  const int64_t cache = std::max<int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
  return std::clamp<int64_t>(4 * cache, int64_t{256} << 20, int64_t{2} << 30);
}

absl::StatusOr<double> MeasureReads(ThreadTeam& team) {
  absl::StatusOr<ReadBuffer> buffer = ReadBuffer::Create(ReadBufferBytes());
  if (!buffer.ok()) return buffer.status();
  const kernels::Isa isa = kernels::DetectIsa();
  const kernels::Kernels& kernels = kernels::KernelsFor(isa);
  team.Run([&](const ThreadTeam::Member& member) {
    const auto [begin, end] = member.Share(buffer->bytes() / kFloatBytes);
    std::fill_n(buffer->data() + begin, end - begin, 0.5f);
  });

  double best = 0;
  int64_t piece = 0;
  // Every member reads its share of the next piece; `read` returns the number
  // of bytes that it has read.
  const auto time = [&](absl::FunctionRef<int64_t(
                            int32_t index, const float* data, int64_t bytes)>
                            read) {
    const int64_t num_pieces = buffer->bytes() / kPieceBytes;
    const float* data =
        buffer->data() + piece++ % num_pieces * (kPieceBytes / kFloatBytes);
    std::atomic<int64_t> bytes_read = 0;
    const double seconds =
        SecondsOfRun(team, [&](const ThreadTeam::Member& member) {
          const auto [begin, end] = member.Share(kPieceBytes / kReadUnit);
          bytes_read +=
              read(member.index(), data + begin * (kReadUnit / kFloatBytes),
                   (end - begin) * kReadUnit);
        });
    best = std::max(best, static_cast<double>(bytes_read) / seconds);
  };

  std::atomic<uint64_t> sum = 0;
  const std::vector<float> x(kReadDepth, 0.5f);
  std::vector<AlignedBuffer<float>> y;
  for (int32_t i = 0; i < team.size(); ++i) {
    y.emplace_back(kPieceBytes / kFloatBytes / kReadDepth);
  }
  for (int round = 0; round < kReadRounds; ++round) {
    for (int i = 0; i < kNumReadLoops; ++i) {
      const ReadLoop& loop = ReadLoopsFor(isa)[i];
      time([&](int32_t, const float* data, int64_t bytes) {
        sum += loop.read(data, bytes);
        return bytes;
      });
    }
    // The engine reads in this way: one row times panels.
    time([&](int32_t index, const float* data, int64_t bytes) {
      constexpr int64_t kPanelBytes =
          kReadDepth * kernels::kPanel * kFloatBytes;
      const int64_t num_columns = bytes / kPanelBytes * kernels::kPanel;
      kernels.gemm({.x = x.data(),
                    .ldx = kReadDepth,
                    .num_rows = 1,
                    .K = kReadDepth,
                    .w = data,
                    .num_columns = static_cast<int32_t>(num_columns),
                    .y = y[index].data(),
                    .ldy = num_columns,
                    .accumulate = false});
      return num_columns * kReadDepth * kFloatBytes;
    });
  }
  return best;
}

// The best rate of our kernels on products whose weights, 1/8 to 1/2 MB per
// thread, stay in the caches. oneDNN is not faster (see linear_bench).
absl::StatusOr<double> MeasureGemm(ThreadTeam& team, WeightType type,
                                   kernels::Isa isa) {
  struct Way {
    Linear linear;
    int32_t num_rows;
  };
  constexpr int32_t kRowCounts[] = {48, 126, 256};
  constexpr int64_t kMaxRows = 256;
  constexpr int64_t kDepths[] = {256, 512};
  constexpr int64_t kColumnsOfMember = 192;
  const int64_t columns = kColumnsOfMember * team.size();
  const kernels::Kernels& kernels = kernels::KernelsFor(isa);
  std::vector<Way> ways;
  for (const int64_t depth : kDepths) {
    RandomWeights weights;
    weights.Add("w", {columns, depth}, /*mean=*/0, /*standard_deviation=*/1);
    for (const int32_t num_rows : kRowCounts) {
      absl::StatusOr<Linear> linear = Linear::Load(
          weights, depth, {{"w", 0, columns}}, {&kernels, team.size(), type});
      if (!linear.ok()) return linear.status();
      ways.push_back({*std::move(linear), num_rows});
    }
  }
  const std::vector<float> x(kMaxRows * kDepths[1], 0.5f);
  AlignedBuffer<float> y(kMaxRows * columns);
  double best = 0;
  for (int round = 0; round < kGemmRounds; ++round) {
    for (const Way& way : ways) {
      const double seconds =
          SecondsOfRun(team, [&](const ThreadTeam::Member& member) {
            way.linear.Run(member, {x.data(), way.linear.K()}, way.num_rows,
                           y.data(), columns, /*accumulate=*/false);
          });
      best = std::max(best, 2.0 * way.num_rows *
                                static_cast<double>(way.linear.K() * columns) /
                                seconds);
    }
  }
  return best;
}

}  // namespace

absl::StatusOr<Roofline> MeasureRoofline(ThreadTeam& team, WeightType type,
                                         kernels::Isa isa) {
  Roofline roofline;
  const absl::StatusOr<double> reads = MeasureReads(team);
  if (!reads.ok()) return reads.status();
  roofline.read_bytes_per_second = *reads;
  const absl::StatusOr<double> gemm = MeasureGemm(team, type, isa);
  if (!gemm.ok()) return gemm.status();
  roofline.gemm_flops_per_second = *gemm;
  return roofline;
}

}  // namespace sheaf
