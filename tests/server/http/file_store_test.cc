// SPDX-License-Identifier: Apache-2.0

#include "server/http/file_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sheaf {
namespace {

TEST(FileStoreTest, KeepsAFileForItsLifetime) {
  FileStore store(/*max_bytes=*/100);
  const MonotonicTime now;
  const std::string name = store.Put("txt", "text", now);
  EXPECT_THAT(name, testing::MatchesRegex("[0-9a-f]{32}[.]txt"));
  const MonotonicTime end = now + FileStore::kLifetime;
  EXPECT_EQ(*store.Get(name, end + absl::Milliseconds(-1)), "text");
  EXPECT_EQ(store.Get(name, end), nullptr);
}

TEST(FileStoreTest, AFileThatIsTakenIsGone) {
  FileStore store(/*max_bytes=*/10);
  const MonotonicTime now;
  const std::string first = store.Put("txt", "12345", now);
  const std::string second = store.Put("txt", "12345", now);
  EXPECT_EQ(*store.Take(first, now), "12345");
  EXPECT_EQ(store.Take(first, now), nullptr);
  const std::string third = store.Put("txt", "12345", now);
  EXPECT_NE(store.Get(second, now), nullptr);
  EXPECT_NE(store.Get(third, now), nullptr);
}

TEST(FileStoreTest, NamesAreNeverTheSame) {
  FileStore store(/*max_bytes=*/100);
  const MonotonicTime now;
  EXPECT_NE(store.Put("txt", "a", now), store.Put("txt", "a", now));
  EXPECT_EQ(store.Get("", now), nullptr);
}

TEST(FileStoreTest, TheOldestFilesMakeRoom) {
  FileStore store(/*max_bytes=*/10);
  const MonotonicTime now;
  const std::string first = store.Put("txt", "12345", now);
  const std::string second = store.Put("txt", "12345", now);
  const std::string third = store.Put("txt", "1", now);
  EXPECT_EQ(store.Get(first, now), nullptr);
  EXPECT_NE(store.Get(second, now), nullptr);
  const std::string large = store.Put("txt", std::string(11, 'a'), now);
  EXPECT_EQ(store.Get(large, now), nullptr);
  EXPECT_EQ(store.Get(third, now), nullptr);
}

}  // namespace
}  // namespace sheaf
