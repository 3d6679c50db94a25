// SPDX-License-Identifier: Apache-2.0

// How RequestReader reads formats, and what must survive a translation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/request_reader_fixture.h"

namespace sheaf {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class KeptTest : public RequestReaderTest {
 protected:
  PreparedRequest Read(const v1::TranslateRequest& request) {
    absl::StatusOr<PreparedRequest> prepared = reader_.Read(request, IsWanted);
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    return prepared.ok() ? *std::move(prepared) : PreparedRequest();
  }

  static v1::TranslateRequest Html(const std::string& text) {
    v1::TranslateRequest request = TranslateOf(text);
    request.set_format(v1::TEXT_FORMAT_HTML);
    return request;
  }

  static std::vector<std::string> GapsOf(const PreparedRequest& prepared) {
    std::vector<std::string> gaps;
    for (size_t i = 0; i < prepared.plan.gaps.size(); ++i) {
      gaps.emplace_back(prepared.plan.gaps[i]);
    }
    return gaps;
  }

  // The protected spans of a segment with a plan.
  static std::vector<std::string> SpansOf(const PreparedRequest& prepared,
                                          int32_t index) {
    const RepairPlan& plan = *prepared.plan.repairs;
    const SegmentPlan& segment = *plan.segments[index];
    std::vector<std::string> spans;
    for (const TextRange& span : segment.spans) {
      spans.emplace_back(Slice(plan.TextOf(segment), span));
    }
    return spans;
  }
};

TEST_F(KeptTest, ATextWithNothingToKeepIsOnlyChecked) {
  const PreparedRequest prepared =
      Read(TranslateOf("Good morning, my friend. How are you?"));
  const RepairPlan& plan = *prepared.plan.repairs;
  EXPECT_THAT(plan.segments, ::testing::Each(::testing::IsNull()));
  ASSERT_THAT(plan.sources, SizeIs(2));
  EXPECT_EQ(Slice(plan.text, plan.sources[1]), "How are you?");
  EXPECT_FALSE(prepared.request.is_open);
  EXPECT_FALSE(prepared.request.wants_alignment);
}

TEST_F(KeptTest, OnlySegmentsWithSomethingToKeepHavePlans) {
  const PreparedRequest prepared =
      Read(TranslateOf("Good morning. Open {name} now. Good night."));
  ASSERT_NE(prepared.plan.repairs, nullptr);
  EXPECT_EQ(prepared.plan.repairs->segments[0], nullptr);
  EXPECT_THAT(SpansOf(prepared, 1), ElementsAre("{name}"));
  EXPECT_EQ(prepared.plan.repairs->segments[2], nullptr);
  EXPECT_TRUE(prepared.request.is_open);
  EXPECT_TRUE(prepared.request.wants_alignment);
}

TEST_F(KeptTest, NumbersNeedNoAlignment) {
  const PreparedRequest prepared = Read(TranslateOf("Come at 19:30, please."));
  EXPECT_TRUE(prepared.request.is_open);
  EXPECT_FALSE(prepared.request.wants_alignment);
}

TEST_F(KeptTest, SpansAreProtectedUnlessTheRequestSaysNo) {
  v1::TranslateRequest request = TranslateOf("Open {name} in Blue Fox now.");
  request.set_protect_spans(false);
  EXPECT_EQ(Read(request).plan.repairs->segments[0], nullptr);
  request.add_do_not_translate("Blue Fox");
  EXPECT_THAT(SpansOf(Read(request), 0), ElementsAre("Blue Fox"));
}

TEST_F(KeptTest, WithoutRepairTheRequestIsNotOpen) {
  v1::TranslateRequest request = TranslateOf("Open {name} now.");
  request.set_repair(false);
  const PreparedRequest prepared = Read(request);
  EXPECT_FALSE(prepared.request.is_open);
  EXPECT_FALSE(prepared.plan.repairs->may_repair);
}

TEST_F(KeptTest, ATextOfSpansOnlyIsCopied) {
  const PreparedRequest prepared =
      Read(TranslateOf("https://example.org/a\n{name}: %s"));
  EXPECT_TRUE(prepared.request.segments.empty());
  EXPECT_THAT(GapsOf(prepared),
              ElementsAre("https://example.org/a\n{name}: %s"));
}

TEST_F(KeptTest, NoSentenceEndsWithinASpan) {
  v1::TranslateRequest request =
      TranslateOf("We met Who? Me! And Co. at noon. They left.");
  EXPECT_GT(Read(request).request.segments.size(), 2);
  request.add_do_not_translate("Who? Me! And Co.");
  const PreparedRequest prepared = Read(request);
  ASSERT_EQ(prepared.request.segments.size(), 2);
  EXPECT_THAT(SpansOf(prepared, 0), ElementsAre("Who? Me! And Co."));
}

TEST_F(KeptTest, ASpanThatIsTooLongForASegmentStandsBetweenTwo) {
  const std::string url =
      absl::StrCat("https://example.org/", std::string(300, 'a'));
  const PreparedRequest prepared =
      Read(TranslateOf(absl::StrCat("Open the page ", url, " in a browser.")));
  EXPECT_THAT(GapsOf(prepared),
              ElementsAre("", absl::StrCat(" ", url, " "), ""));
}

TEST_F(KeptTest, TagsStandInGapsAndInSegments) {
  const PreparedRequest prepared =
      Read(Html("<p class=\"a\">Press <b>Save</b> &amp; go.</p>\n<p><i>Well "
                "done.</i></p>"));
  EXPECT_THAT(GapsOf(prepared),
              ElementsAre("<p class=\"a\">", "</p>\n<p><i>", "</i></p>"));
  const RepairPlan& plan = *prepared.plan.repairs;
  const SegmentPlan& first = *plan.segments[0];
  EXPECT_EQ(plan.TextOf(first), "Press Save & go.");
  ASSERT_THAT(first.tags, SizeIs(2));
  EXPECT_EQ(first.tags[0].markup, "<b>");
  EXPECT_EQ(first.tags[0].offset, 6);
  EXPECT_THAT(plan.segments[1]->tags, IsEmpty());
}

TEST_F(KeptTest, ReportsTellWhereSegmentsStandInTheRequest) {
  v1::TranslateRequest request =
      Html("<p>Gr&uuml;&szlig; <b>Gott</b>.</p><p>\u00c4h, no.</p>");
  request.set_return_alignments(true);
  const PreparedRequest prepared = Read(request);
  const RepairPlan& plan = *prepared.plan.repairs;
  ASSERT_EQ(plan.segments.size(), 2);
  EXPECT_EQ(plan.segments[0]->place, (CodePointRange{3, 31}));
  EXPECT_EQ(plan.segments[1]->place, (CodePointRange{38, 45}));
  // "r", and "ü", which has two bytes.
  EXPECT_EQ(plan.segments[0]->places[1], (CodePointRange{4, 5}));
  EXPECT_EQ(plan.segments[0]->places[2], (CodePointRange{5, 11}));
  EXPECT_EQ(plan.segments[0]->places[3], (CodePointRange{5, 11}));
}

TEST_F(KeptTest, ReportsTellWhereJoinedLinesStood) {
  v1::TranslateRequest request =
      TranslateOf("The \u00e4lder\nman\tis\nold. He left.");
  request.set_line_breaks(v1::LINE_BREAKS_PARAGRAPHS);
  request.set_return_segments(true);
  const PreparedRequest prepared = Read(request);
  const RepairPlan& plan = *prepared.plan.repairs;
  ASSERT_EQ(plan.segments.size(), 2);
  EXPECT_EQ(plan.segments[0]->place, (CodePointRange{0, 21}));
  EXPECT_EQ(plan.segments[1]->place, (CodePointRange{22, 30}));
}

TEST_F(KeptTest, FieldsThatContradictTheFormatAreRefused) {
  v1::TranslateRequest plain = TranslateOf("Hello.");
  plain.mutable_markup()->add_ignored_tags("x");
  ExpectRefused(plain, StatusCode::kInvalidArgument, "markup is set");
  v1::TranslateRequest lines = Html("<p>Hello.</p>");
  lines.set_line_breaks(v1::LINE_BREAKS_KEEP);
  ExpectRefused(lines, StatusCode::kInvalidArgument,
                "line_breaks is LINE_BREAKS_KEEP; with format "
                "TEXT_FORMAT_HTML");
  v1::TranslateRequest stops = Html("<p>Hello.</p>");
  stops.mutable_decoding()->add_stop("x");
  ExpectRefused(stops, StatusCode::kInvalidArgument,
                "decoding.stop has 1 sequences; with format TEXT_FORMAT_HTML");
}

TEST_F(KeptTest, ValuesOutOfRangeAreRefused) {
  v1::TranslateRequest format = TranslateOf("Hello.");
  format.set_format(static_cast<v1::TextFormat>(9));
  ExpectRefused(format, StatusCode::kInvalidArgument,
                "format is 9; this server allows 0..3");
  v1::TranslateRequest twice = Html("<p>Hello.</p>");
  twice.mutable_markup()->add_ignored_tags("x");
  twice.mutable_markup()->add_splitting_tags("X");
  ExpectRefused(twice, StatusCode::kInvalidArgument,
                "markup.splitting_tags[0] is \"X\", which is listed before");
  v1::TranslateRequest name = Html("<p>Hello.</p>");
  name.mutable_markup()->add_ignored_tags("");
  ExpectRefused(name, StatusCode::kInvalidArgument,
                "markup.ignored_tags[0] has 0 bytes");
  v1::TranslateRequest line = TranslateOf("Hello.");
  line.add_do_not_translate("a\nb");
  ExpectRefused(line, StatusCode::kInvalidArgument,
                "do_not_translate[0] has a line break");
  v1::TranslateRequest blank = TranslateOf("Hello.");
  blank.add_do_not_translate(" ");
  ExpectRefused(blank, StatusCode::kInvalidArgument, "do_not_translate[0]");
}

TEST_F(KeptTest, XmlThatIsNotWellFormedIsRefusedWithItsPlace) {
  v1::TranslateRequest request = TranslateOf("<a>\n<b>Hello.</a>");
  request.set_format(v1::TEXT_FORMAT_XML);
  ExpectRefused(request, StatusCode::kInvalidArgument, "line 2");
}

TEST_F(KeptTest, RepairsDrawNothing) {
  v1::TranslateRequest request = TranslateOf("Open {name} now.");
  request.mutable_decoding()->set_temperature(0.5f);
  const PreparedRequest prepared = Read(request);
  EXPECT_EQ(prepared.request.sampling.temperature, 0.5f);
  EXPECT_EQ(prepared.plan.repairs->same_search->temperature, 0);
  EXPECT_EQ(prepared.plan.repairs->other_search.temperature, 0);
}

}  // namespace
}  // namespace sheaf
