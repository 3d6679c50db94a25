// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sheaf {
namespace {

using ::testing::ElementsAre;

class HttpRouterTest : public testing::Test {
 protected:
  HttpRouterTest() {
    for (const auto& [method, pattern] :
         {std::pair("GET", "/"), std::pair("GET", "/languages"),
          std::pair("POST", "/translate"), std::pair("GET", "/files/{}"),
          std::pair("DELETE", "/files/{}"), std::pair("GET", "/v2/{}/all")}) {
      router_.Add({method, pattern, nullptr});
    }
  }

  // The pattern of the route, or "-" and the methods that are allowed.
  std::string Find(const std::string& method, const std::string& path) {
    const HttpRouter::Found found = router_.Find(method, path);
    return found.route == nullptr ? "-" + found.allowed : found.route->pattern;
  }

  HttpRouter router_;
};

TEST_F(HttpRouterTest, FindsMethodAndPath) {
  EXPECT_EQ(Find("GET", "/"), "/");
  EXPECT_EQ(Find("GET", "/languages"), "/languages");
  EXPECT_EQ(Find("HEAD", "/languages"), "/languages");
  EXPECT_EQ(Find("POST", "/translate"), "/translate");
}

TEST_F(HttpRouterTest, TellsTheMethodsOfAPath) {
  EXPECT_EQ(Find("GET", "/translate"), "-POST, OPTIONS");
  EXPECT_EQ(Find("POST", "/files/a"), "-GET, HEAD, DELETE, OPTIONS");
  EXPECT_EQ(Find("get", "/languages"), "-GET, HEAD, OPTIONS");
  EXPECT_EQ(Find("GET", "/other"), "-");
}

TEST_F(HttpRouterTest, GivesTheOpenParts) {
  EXPECT_THAT(router_.Find("GET", "/files/a-1_b.txt").values,
              ElementsAre("a-1_b.txt"));
  EXPECT_THAT(router_.Find("GET", "/v2/x/all").values, ElementsAre("x"));
}

TEST_F(HttpRouterTest, ComparesPathsByteByByte) {
  for (const char* path :
       {"/languages/", "//languages", "/Languages", "/languages%2f",
        "/%6canguages", "/./languages", "/files/../languages", "/files/..",
        "/files/.", "/files/", "/files", "/files/a/b", "/files/a%2fb",
        "/files/%2e%2e", "/files/a\\b", "/v2//all", "/v2/x/all/", ""}) {
    EXPECT_EQ(Find("GET", path), "-") << path;
  }
  EXPECT_EQ(Find("GET", "/files/" + std::string(129, 'a')), "-");
}

}  // namespace
}  // namespace sheaf
