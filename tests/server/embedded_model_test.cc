// SPDX-License-Identifier: Apache-2.0

// What users of translation servers report as damaged, through a server with
// the embedded model. Only what must survive is compared, not the translation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "tests/server/model_server.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EmbeddedModelTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = ModelServer::Start(SHEAF_MODELS_DIR "/sheaf-small").release();
    ASSERT_NE(server_, nullptr);
  }
  static void TearDownTestSuite() { delete std::exchange(server_, nullptr); }

  static std::string Translate(const std::string& text,
                               v1::TextFormat format = v1::TEXT_FORMAT_PLAIN) {
    v1::TranslateRequest request;
    request.set_text(text);
    request.set_source_language("en");
    request.set_target_language("de");
    request.set_format(format);
    v1::TranslateResponse response;
    grpc::ClientContext context;
    const grpc::Status status =
        server_->text().Translate(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.text();
  }

  static inline ModelServer* server_ = nullptr;
};

TEST_F(EmbeddedModelTest, PlaceholdersAreKept) {
  const std::pair<const char*, std::vector<const char*>> kCases[] = {
      {"You have %d new messages.", {"%d"}},
      {"Hello %1$s, good to see you again!", {"%1$s"}},
      {"The file %s was not found in %s.", {"%s"}},
      {"Welcome back, {name}!", {"{name}"}},
      {"{{count}} users are online.", {"{{count}}"}},
      {"Your order ${order} is ready.", {"${order}"}},
      {"%(user)s has changed the password.", {"%(user)s"}},
      {"Press :key: to continue.", {":key:"}},
      {"See https://example.org/a?b=1&c=2 for help.",
       {"https://example.org/a?b=1&c=2"}},
      {"Write to max@example.org.", {"max@example.org"}},
      {"Run `make install` in /usr/local now.",
       {"`make install`", "/usr/local"}},
      {"Version v1.2.3-rc1 fixes it.", {"v1.2.3-rc1"}},
      {"Thanks to @anna for #release.", {"@anna", "#release"}},
      {"Hello! 😊 How are you?", {"😊"}},
  };
  for (const auto& [source, parts] : kCases) {
    const std::string target = Translate(source);
    for (const char* part : parts) {
      EXPECT_THAT(target, HasSubstr(part)) << source;
    }
  }
}

TEST_F(EmbeddedModelTest, CurrencySignsAndAmountsAreKept) {
  EXPECT_THAT(Translate("It costs 5 €."), HasSubstr("5 €"));
  EXPECT_THAT(Translate("The ticket is €12.50 today."), HasSubstr("€12.50"));
  EXPECT_THAT(Translate("Pay £20 now."), HasSubstr("£20"));
  EXPECT_THAT(Translate("Pay ¥900 now."), HasSubstr("¥900"));
}

TEST_F(EmbeddedModelTest, CapitalsAreTranslated) {
  const std::string target = Translate("THE FILE IS OPEN.");
  EXPECT_THAT(target, HasSubstr("DATEI"));
  EXPECT_EQ(target, absl::AsciiStrToUpper(target));
}

TEST_F(EmbeddedModelTest, MarksAndShortWordsAreNotLost) {
  EXPECT_THAT(Translate("- Open"), StartsWith("- "));
  EXPECT_EQ(Translate("-----"), "-----");
  EXPECT_NE(Translate("of"), "");
}

TEST_F(EmbeddedModelTest, TagsFollowTheirWords) {
  EXPECT_EQ(Translate("<p>Where is the <b>station</b>?</p><!-- x -->",
                      v1::TEXT_FORMAT_HTML),
            "<p>Wo ist der <b>Bahnhof</b>?</p><!-- x -->");
  const std::string target = Translate(
      "<d>Press the <g id=\"1\">red</g> button.</d>", v1::TEXT_FORMAT_XML);
  EXPECT_THAT(target, HasSubstr("<g id=\"1\">rote</g>"));
  EXPECT_THAT(target, Not(HasSubstr("Press")));
}

}  // namespace
}  // namespace sheaf
