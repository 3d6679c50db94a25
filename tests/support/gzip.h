// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace sheaf {

// What zlib makes of a text. `window_bits` chooses the format, as in zlib.h.
inline std::string Compressed(const std::string& text, int window_bits) {
  constexpr int kMemory = 8;  // zlib's default
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits,
                         kMemory, Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string Gzip(const std::string& text) {
  return Compressed(text, 15 + 16);
}
inline std::string Deflate(const std::string& text) {
  return Compressed(text, 15);
}

}  // namespace sheaf
