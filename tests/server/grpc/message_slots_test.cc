// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/message_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MessageSlotsTest : public testing::Test {
 protected:
  // Enters a call from a connection such as "a:1".
  uint64_t Enter(const std::string& peer, const std::string& name) {
    Caller caller;
    caller.address = peer.substr(0, 1);
    caller.peer = peer;
    const uint64_t call = slots_.NewNumber();
    slots_.Enter(
        call, caller, now_, [this, name] { begun_.push_back(name); },
        [this, name] { given_up_.push_back(name); });
    return call;
  }
  void Pass(absl::Duration time) { now_ += time; }

  MonotonicTime now_;
  std::vector<std::string> begun_, given_up_;
  MessageSlots slots_{/*num_slots=*/3};
};

TEST_F(MessageSlotsTest, CallsBeginWhileSlotsAreFreeAndThenWait) {
  const uint64_t one = Enter("a:1", "one");
  Enter("a:1", "two");
  Enter("a:1", "three");
  Enter("a:1", "four");
  EXPECT_THAT(begun_, ElementsAre("one", "two", "three"));
  slots_.Leave(one, now_);
  EXPECT_THAT(begun_, ElementsAre("one", "two", "three", "four"));
  slots_.Leave(one, now_);  // changes nothing
  EXPECT_THAT(given_up_, IsEmpty());
}

TEST_F(MessageSlotsTest, ACallThatLeavesWhileItWaitsNeverBegins) {
  const uint64_t one = Enter("a:1", "one");
  Enter("a:1", "two");
  Enter("a:1", "three");
  const uint64_t four = Enter("a:1", "four");
  slots_.Leave(four, now_);
  slots_.Leave(one, now_);
  EXPECT_THAT(begun_, ElementsAre("one", "two", "three"));
}

TEST_F(MessageSlotsTest, TheAddressThenTheConnectionWithTheFewestSlotsIsNext) {
  const uint64_t one = Enter("a:1", "a1");
  const uint64_t two = Enter("a:1", "a1 too");
  const uint64_t b = Enter("b:1", "b1");
  Enter("a:1", "a1 waits");
  Enter("a:2", "a2 waits");
  Enter("b:1", "b1 waits");
  begun_.clear();
  slots_.Leave(b, now_);    // b has no slot, a has two
  slots_.Leave(one, now_);  // both have one, but a:2 has none
  slots_.Leave(two, now_);
  EXPECT_THAT(begun_, ElementsAre("b1 waits", "a2 waits", "a1 waits"));
}

TEST_F(MessageSlotsTest, AnAddressWithMoreSlotsGivesOneUpAfterAWhile) {
  for (const char* name : {"first", "second", "third"}) Enter("a:1", name);
  Enter("b:1", "other");
  Pass(MessageSlots::kMinHold - absl::Nanoseconds(1));
  slots_.Balance(now_);
  EXPECT_THAT(given_up_, IsEmpty());
  Pass(absl::Nanoseconds(1));
  slots_.Balance(now_);
  EXPECT_THAT(given_up_, ElementsAre("first"));
  EXPECT_THAT(begun_, ElementsAre("first", "second", "third", "other"));
}

TEST_F(MessageSlotsTest, AConnectionWithMoreSlotsGivesOneUpToAnother) {
  Enter("a:1", "first");
  Enter("a:1", "second");
  Enter("b:1", "b");
  Pass(MessageSlots::kMinHold);
  Enter("a:2", "other");
  EXPECT_THAT(given_up_, ElementsAre("first"));
  EXPECT_THAT(begun_, ElementsAre("first", "second", "b", "other"));
}

TEST_F(MessageSlotsTest, CallsOfOneConnectionGiveWayAfterALongTime) {
  for (const char* name : {"first", "second", "third"}) Enter("a:1", name);
  Enter("a:1", "fourth");
  Pass(MessageSlots::kMaxHold - absl::Nanoseconds(1));
  slots_.Balance(now_);
  EXPECT_THAT(given_up_, IsEmpty());
  Pass(absl::Nanoseconds(1));
  slots_.Balance(now_);
  EXPECT_THAT(given_up_, ElementsAre("first"));
  EXPECT_THAT(begun_, ElementsAre("first", "second", "third", "fourth"));
}

TEST_F(MessageSlotsTest, SlotsThatNobodyWaitsForAreKept) {
  for (const char* name : {"first", "second", "third"}) Enter("a:1", name);
  Pass(absl::Hours(1));
  slots_.Balance(now_);
  EXPECT_THAT(given_up_, IsEmpty());
}

// Every call begins, is given up or leaves; never more than 3 hold a slot.
TEST_F(MessageSlotsTest, NoSlotIsLostAndNoneIsGivenTwice) {
  std::mt19937 random(5);
  std::map<std::string, uint64_t> calls;  // that have neither left nor given up
  for (int i = 0; i < 5000; ++i) {
    if (random() % 2 == 0 && !calls.empty()) {
      const auto it = std::next(calls.begin(), random() % calls.size());
      slots_.Leave(it->second, now_);
      calls.erase(it);
    } else {
      const std::string peer =
          absl::StrCat(std::string(1, static_cast<char>('a' + random() % 3)),
                       ":", random() % 2);
      const std::string name = absl::StrCat(peer, " ", i);
      calls[name] = Enter(peer, name);
    }
    Pass(absl::Milliseconds(random() % 100));
    slots_.Balance(now_);
    for (const std::string& name : given_up_) {
      ASSERT_EQ(calls.erase(name), 1u) << name;
    }
    given_up_.clear();
    size_t num_held = 0;
    for (const std::string& name : begun_) num_held += calls.count(name);
    ASSERT_EQ(num_held, std::min<size_t>(3, calls.size()));
  }
}

}  // namespace
}  // namespace sheaf
