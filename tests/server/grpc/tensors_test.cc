// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_literals;

TEST(TensorsTest, ElementsAreTheirLengthsAndTheirBytes) {
  const std::string raw = "\1\0\0\0a\0\0\0\0\2\0\0\0\0\xff"s;
  EXPECT_EQ(ToRaw({"a", "", "\0\xff"s}), raw);
  const auto elements = SplitRawBytes(raw, 3);
  ASSERT_TRUE(elements.ok()) << elements.status();
  EXPECT_THAT(*elements, ElementsAre("a", "", "\0\xff"s));
}

TEST(TensorsTest, FloatsAreLittleEndian) {
  EXPECT_EQ(ToRaw({1.0f, -2.0f}), "\0\0\x80\x3f\0\0\0\xc0"s);
}

TEST(TensorsTest, AnyLengthThatIsNotThatOfTheElementsIsRefused) {
  const auto message_of = [](const std::string& raw, size_t num_elements) {
    const auto elements = SplitRawBytes(raw, num_elements);
    EXPECT_EQ(elements.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(elements.status().message());
  };
  EXPECT_THAT(message_of("", 1), HasSubstr("end before element 0 of 1"));
  EXPECT_THAT(message_of("\1\0\0"s, 1), HasSubstr("end before element 0"));
  EXPECT_THAT(message_of("\2\0\0\0a"s, 1),
              HasSubstr("element 0 has the length 2, and 1 bytes follow"));
  EXPECT_THAT(message_of("\xff\xff\xff\xff"s, 1),
              HasSubstr("has the length 4294967295, and 0 bytes follow"));
  EXPECT_THAT(message_of("\1\0\0\0ab"s, 1), HasSubstr("1 are left after"));
  EXPECT_THAT(message_of("\1\0\0\0a"s, 2), HasSubstr("before element 1 of 2"));
}

// Every beginning of a tensor, and the tensor with each byte changed.
TEST(TensorsTest, WhateverTheBytesElementsStayWithinThem) {
  const std::string raw = ToRaw({"one", "", "three", "four"});
  for (size_t size = 0; size < raw.size(); ++size) {
    EXPECT_FALSE(SplitRawBytes(raw.substr(0, size), 4).ok()) << size;
  }
  for (size_t i = 0; i < raw.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = raw;
      changed[i] = static_cast<char>(byte);
      const auto elements = SplitRawBytes(changed, 4);
      if (!elements.ok()) continue;
      size_t bytes = 0;
      for (absl::string_view element : *elements) bytes += 4 + element.size();
      EXPECT_EQ(bytes, raw.size());
    }
  }
}

}  // namespace
}  // namespace sheaf
