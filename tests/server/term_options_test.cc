// SPDX-License-Identifier: Apache-2.0

#include "server/term_options.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/field_error.h"
#include "server/glossaries.h"
#include "tests/server/request_reader_fixture.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void AddTerm(v1::TranslateRequest& request, const std::string& source,
             const std::vector<std::string>& targets) {
  v1::GlossaryTerm* term = request.add_glossary_terms();
  term->set_source(source);
  for (const std::string& target : targets) term->add_targets(target);
}

class TermOptionsTest : public RequestReaderTest {
 protected:
  TermOptionsTest() {
    dir_.Write("it.en-de.tsv", "web server\tNetzserver\nfarm\tFarm\n");
    glossaries_ =
        Glossaries::Load(dir_.path(), [](const std::string&,
                                         const absl::Status&, int32_t) {
        }).value();
  }

  // The terms of the request's first segment: "source:form".
  std::vector<std::string> TermsOf(
      const v1::TranslateRequest& request,
      std::shared_ptr<const Glossary> glossary = nullptr) {
    const RequestReader reader(model_, Limits(), glossaries_.get());
    const auto prepared = reader.Read(request, IsWanted, std::move(glossary));
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    std::vector<std::string> terms;
    const auto& plan = prepared->plan.repairs;
    if (plan == nullptr || plan->segments[0] == nullptr) return terms;
    for (const SourceTerm& term : plan->segments[0]->terms) {
      terms.push_back(
          std::string(Slice(plan->TextOf(*plan->segments[0]), term.range)) +
          ":" + term.forms.front().text);
    }
    return terms;
  }
  void ExpectNoGlossary(const v1::TranslateRequest& request,
                        const std::string& message) {
    const RequestReader reader(model_, Limits(), glossaries_.get());
    const absl::Status status = reader.Read(request, IsWanted).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_EQ(FieldOf(status), "glossary");
  }

  TempDir dir_;
  std::unique_ptr<Glossaries> glossaries_;
};

TEST_F(TermOptionsTest, TermsOfTheRequestWinOverThoseOfTheGlossary) {
  v1::TranslateRequest request = TranslateOf("a web server farm");
  request.set_glossary("it");
  EXPECT_THAT(TermsOf(request),
              testing::ElementsAre("web server:Netzserver", "farm:Farm"));
  AddTerm(request, "server", {"Rechner"});
  EXPECT_THAT(TermsOf(request),
              testing::ElementsAre("server:Rechner", "farm:Farm"));
}

TEST_F(TermOptionsTest, AGivenGlossaryNeedsNoName) {
  auto glossary = std::make_shared<Glossary>(
      [](int32_t place) { return absl::StrCat("entry ", place); });
  ASSERT_TRUE(glossary->Add("server", {"Rechner"}, 0).ok());
  v1::TranslateRequest request = TranslateOf("a web server farm");
  EXPECT_THAT(TermsOf(request, glossary),
              testing::ElementsAre("server:Rechner"));
  EXPECT_THAT(TermsOf(request), testing::IsEmpty());
}

TEST_F(TermOptionsTest, ASegmentWithoutTermsIsNotHeld) {
  v1::TranslateRequest request = TranslateOf("a tree");
  request.set_glossary("it");
  const RequestReader reader(model_, Limits(), glossaries_.get());
  const auto prepared = reader.Read(request, IsWanted);
  ASSERT_TRUE(prepared.ok());
  EXPECT_EQ(prepared->plan.repairs, nullptr);
  EXPECT_FALSE(prepared->request.is_open);
}

TEST_F(TermOptionsTest, TermsWithinProtectedSpansAreNoTerms) {
  v1::TranslateRequest request = TranslateOf("see https://farm.de/farm now");
  request.set_glossary("it");
  EXPECT_THAT(TermsOf(request), testing::IsEmpty());
}

TEST_F(TermOptionsTest, NamesTheGlossariesThatThereAre) {
  v1::TranslateRequest request = TranslateOf("a tree");
  request.set_glossary("law");
  ExpectNoGlossary(request,
                   "glossary is \"law\"; for en-de this server has it");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument,
                "glossary is \"law\"; this server has no glossaries");
}

TEST_F(TermOptionsTest, RefusesBadTerms) {
  v1::TranslateRequest request = TranslateOf("a tree");
  AddTerm(request, "tree", {"Baum"});
  AddTerm(request, "", {"x"});
  ExpectRefused(request, absl::StatusCode::kInvalidArgument,
                "glossary_terms[1] cannot be used: the source is \"\"");
  request.mutable_glossary_terms(1)->set_source("Tree");
  const absl::Status status = reader_.Read(request, IsWanted).status();
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("glossary_terms[1]"), HasSubstr("in glossary_terms[0]")));
  EXPECT_EQ(FieldOf(status), "glossary_terms[1]");
}

TEST_F(TermOptionsTest, RefusesTooManyTermsAndBytes) {
  v1::TranslateRequest request = TranslateOf("a tree");
  for (int i = 0; i < 1001; ++i) {
    AddTerm(request, "t" + std::to_string(i), {"x"});
  }
  ExpectRefused(request, absl::StatusCode::kInvalidArgument,
                "glossary_terms has 1001 terms; this server allows 0..1000");
  request.clear_glossary_terms();
  for (int i = 0; i < 600; ++i) {
    AddTerm(request, "t" + std::to_string(i), {std::string(500, 'x')});
  }
  ExpectRefused(request, absl::StatusCode::kInvalidArgument,
                "glossary_terms has more than 262144 bytes");
}

}  // namespace
}  // namespace sheaf
