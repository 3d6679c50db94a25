// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/inflate.h"

#include <zlib.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/check.h"

namespace sheaf {
namespace {

constexpr size_t kChunkBytes = 16 << 10;

const char* NameOf(Compression compression) {
  return compression == Compression::kGzip ? "gzip" : "deflate";
}

// zlib's state of one message.
class Inflater {
 public:
  explicit Inflater(Compression compression) : compression_(compression) {
    constexpr int kLargestWindow = 15;
    constexpr int kWithGzipHeader = 16;
    const int bits = compression == Compression::kGzip
                         ? kLargestWindow + kWithGzipHeader
                         : kLargestWindow;
    SHEAF_CHECK(inflateInit2(&stream_, bits) == Z_OK);
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool has_ended() const { return has_ended_; }

  // Appends what `part` inflates to.
  absl::Status Append(absl::string_view part, int64_t max_bytes,
                      std::string& out) {
    // zlib does not change its input, although its type says so.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    stream_.avail_in = static_cast<uInt>(part.size());
    do {
      char chunk[kChunkBytes];
      // One byte more than is allowed tells that the result is too large.
      const int64_t room = max_bytes - static_cast<int64_t>(out.size()) + 1;
      const auto size = static_cast<size_t>(
          std::min(room, static_cast<int64_t>(kChunkBytes)));
      stream_.next_out = reinterpret_cast<Bytef*>(chunk);
      stream_.avail_out = static_cast<uInt>(size);
      const int result =
          has_ended_ ? Z_DATA_ERROR : inflate(&stream_, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        return Damaged(has_ended_ ? "is followed by other bytes"
                                  : "is damaged");
      }
      has_ended_ = result == Z_STREAM_END;
      out.append(chunk, size - stream_.avail_out);
      if (static_cast<int64_t>(out.size()) > max_bytes) {
        return absl::ResourceExhaustedError(absl::StrFormat(
            "the message (%s) inflates to more than %d bytes, the largest "
            "that this RPC receives",
            NameOf(compression_), max_bytes));
      }
      // A full chunk may have left a rest within zlib.
    } while (stream_.avail_in > 0 || (stream_.avail_out == 0 && !has_ended_));
    return absl::OkStatus();
  }

  absl::Status Damaged(absl::string_view how) const {
    return absl::InvalidArgumentError(
        absl::StrFormat("the message (%s) %s", NameOf(compression_), how));
  }

 private:
  const Compression compression_;
  z_stream stream_ = {};
  bool has_ended_ = false;
};

}  // namespace

absl::StatusOr<std::string> Inflate(Compression compression,
                                    absl::Span<const absl::string_view> parts,
                                    int64_t max_bytes) {
  Inflater inflater(compression);
  std::string out;
  for (absl::string_view part : parts) {
    if (part.empty()) continue;
    if (absl::Status status = inflater.Append(part, max_bytes, out);
        !status.ok()) {
      return status;
    }
  }
  if (!inflater.has_ended()) return inflater.Damaged("is incomplete");
  return out;
}

}  // namespace sheaf
