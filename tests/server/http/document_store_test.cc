// SPDX-License-Identifier: Apache-2.0

#include "server/http/document_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace sheaf {
namespace {

using ::testing::MatchesRegex;
using Handle = DocumentStore::Handle;
using Kind = DocumentStore::State::Kind;

class DocumentStoreTest : public testing::Test {
 protected:
  Handle Add(const std::string& caller = "ann") {
    const absl::StatusOr<Handle> handle =
        store_.Add(caller, /*num_characters=*/5, now_);
    EXPECT_TRUE(handle.ok()) << handle.status();
    return *handle;
  }
  bool Has(const Handle& handle) {
    return store_.Look("ann", handle, now_).has_value();
  }

  MonotonicTime now_;
  std::shared_ptr<FileStore> files_ =
      std::make_shared<FileStore>(/*max_bytes=*/100);
  DocumentStore store_{files_};
};

TEST_F(DocumentStoreTest, ADocumentIsTranslatedAndFetchedOnce) {
  const Handle handle = Add();
  EXPECT_THAT(handle.id, MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(handle.key, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(store_.Look("ann", handle, now_)->kind, Kind::kTranslating);
  EXPECT_TRUE(absl::IsUnavailable(store_.Take("ann", handle, now_).status()));
  store_.Finish(handle.id, "txt", std::string("text"), now_);
  EXPECT_EQ(store_.Look("ann", handle, now_)->kind, Kind::kDone);
  EXPECT_EQ(store_.Look("ann", handle, now_)->num_characters, 5);
  const auto result = store_.Take("ann", handle, now_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result->file, "text");
  EXPECT_THAT(result->name, MatchesRegex("[0-9a-f]{32}[.]txt"));
  EXPECT_FALSE(Has(handle));
  EXPECT_TRUE(absl::IsNotFound(store_.Take("ann", handle, now_).status()));
  EXPECT_EQ(files_->Get(result->name, now_), nullptr);
}

TEST_F(DocumentStoreTest, CallerIdAndKeyMustBeRight) {
  const Handle handle = Add(), other = Add();
  store_.Finish(handle.id, "txt", std::string("text"), now_);
  for (const Handle& wrong :
       {Handle{handle.id, other.key}, Handle{other.id, handle.key},
        Handle{handle.id, ""}, Handle{"", handle.key}}) {
    EXPECT_FALSE(Has(wrong));
    EXPECT_TRUE(absl::IsNotFound(store_.Take("ann", wrong, now_).status()));
  }
  EXPECT_FALSE(store_.Look("bob", handle, now_).has_value());
  EXPECT_TRUE(Has(handle));
}

TEST_F(DocumentStoreTest, DocumentsThatHaveEndedAreForgotten) {
  const Handle done = Add(), failed = Add(), running = Add();
  store_.Finish(done.id, "txt", std::string("text"), now_);
  store_.Finish(failed.id, "txt", absl::UnknownError("why"), now_);
  EXPECT_EQ(store_.Look("ann", failed, now_)->error, "why");
  EXPECT_TRUE(absl::IsUnavailable(store_.Take("ann", failed, now_).status()));
  now_ = now_ + FileStore::kLifetime;
  EXPECT_FALSE(Has(done));
  EXPECT_FALSE(Has(failed));
  EXPECT_TRUE(Has(running));
}

TEST_F(DocumentStoreTest, AFileThatMadeRoomIsGoneWithItsDocument) {
  const Handle first = Add(), second = Add();
  store_.Finish(first.id, "txt", std::string(60, 'a'), now_);
  store_.Finish(second.id, "txt", std::string(60, 'b'), now_);
  EXPECT_FALSE(Has(first));
  EXPECT_TRUE(Has(second));
}

TEST_F(DocumentStoreTest, ACallersDocumentsAreLimited) {
  const Handle first = Add();
  for (size_t i = 1; i < DocumentStore::kMaxDocumentsOfCaller; ++i) Add();
  EXPECT_TRUE(absl::IsResourceExhausted(store_.Add("ann", 5, now_).status()));
  Add("bob");
  store_.Finish(first.id, "txt", absl::UnknownError(""), now_);
  EXPECT_TRUE(absl::IsResourceExhausted(store_.Add("ann", 5, now_).status()));
  now_ = now_ + FileStore::kLifetime;
  Add();
}

}  // namespace
}  // namespace sheaf
