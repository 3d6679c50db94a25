// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/open_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OpenCallsTest : public testing::Test {
 protected:
  // Opens a call, of which `ended_` gets the name if its place is taken.
  CallPlace Open(const std::string& address, const std::string& port,
                 const std::string& name) {
    Caller caller;
    caller.address = address;
    caller.peer = absl::StrCat(address, ":", port);
    return calls_.Take(caller, [this, name] { ended_.push_back(name); });
  }

  std::vector<std::string> ended_;
  OpenCalls calls_{/*max_calls=*/4};
};

TEST_F(OpenCallsTest, PlacesThatAreFreeAgainAreTakenAgain) {
  for (int i = 0; i < 10; ++i) {
    const CallPlace one = Open("a", "1", "one"), two = Open("a", "1", "two"),
                    three = Open("b", "1", "three"),
                    four = Open("c", "1", "four");
  }
  EXPECT_THAT(ended_, IsEmpty());
}

TEST_F(OpenCallsTest, TheOldestOfTheAddressWithTheMostCallsGivesWay) {
  const CallPlace b1 = Open("b", "1", "b1"), a1 = Open("a", "1", "a1"),
                  a2 = Open("a", "1", "a2"), a3 = Open("a", "1", "a3");
  const CallPlace c1 = Open("c", "1", "c1");
  EXPECT_THAT(ended_, ElementsAre("a1"));
  const CallPlace a4 = Open("a", "1", "a4");
  EXPECT_THAT(ended_, ElementsAre("a1", "a2"));
}

TEST_F(OpenCallsTest, WithinAnAddressTheConnectionWithTheMostCallsGivesWay) {
  const CallPlace one = Open("a", "1", "one"), two = Open("a", "2", "two"),
                  three = Open("a", "2", "three"), b = Open("b", "9", "b");
  const CallPlace four = Open("a", "3", "four");
  EXPECT_THAT(ended_, ElementsAre("two"));
}

TEST_F(OpenCallsTest, ACallThatGaveWayFreesNoPlaceWhenItEnds) {
  std::optional<CallPlace> first = Open("a", "1", "first");
  const CallPlace two = Open("a", "1", "two"), three = Open("a", "1", "three"),
                  four = Open("a", "1", "four"), five = Open("a", "1", "five");
  EXPECT_THAT(ended_, ElementsAre("first"));
  first.reset();
  const CallPlace six = Open("a", "1", "six");
  EXPECT_THAT(ended_, ElementsAre("first", "two"));
}

// Compares random calls with the definition, by counting.
TEST_F(OpenCallsTest, OnlyAnAddressWithTheMostCallsGivesWay) {
  std::mt19937 random(3);
  std::map<std::string, CallPlace> places;  // by name: its address and a number
  std::map<char, size_t> num_calls;         // by address
  size_t num_open = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto is_closed = random() % 3 == 0 && !places.empty();
    if (is_closed) {
      const auto it = std::next(places.begin(), random() % places.size());
      --num_calls[it->first[0]];
      --num_open;
      places.erase(it);
      continue;
    }
    const std::string address(1, static_cast<char>('a' + random() % 3));
    const std::string name = absl::StrCat(address, i);
    places.emplace(name, Open(address, "1", name));
    if (num_open == 4) {
      ASSERT_EQ(ended_.size(), 1u);
      const char victim = ended_[0][0];
      for (const auto& [other, num] : num_calls) {
        ASSERT_GE(num_calls[victim], num) << victim << " " << other;
      }
      --num_calls[victim];
      --num_open;
      places.erase(ended_[0]);
      ended_.clear();
    }
    ASSERT_THAT(ended_, IsEmpty());
    ++num_calls[address[0]];
    ++num_open;
  }
}

}  // namespace
}  // namespace sheaf
