// SPDX-License-Identifier: Apache-2.0

// What holds for all texts and all translations.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/text/markup/html_tree.h"
#include "tests/text/markup/markup_translation.h"
#include "tests/text/markup/random_markup.h"
#include "text/markup/html_tokenizer.h"
#include "text/markup/markup.h"
#include "text/markup/xml_parser.h"

namespace sheaf {
namespace {

constexpr auto kAlways = [] { return true; };

// SHEAF_MARKUP_DOCUMENTS sets another number of documents per test.
uint32_t NumDocuments() {
  uint32_t number = 2000;
  const char* wanted = std::getenv("SHEAF_MARKUP_DOCUMENTS");
  if (wanted != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(wanted, &number));
  }
  return number;
}

std::string Translated(const std::string& text, TextFormat format,
                       const TestTranslator& translate) {
  const absl::StatusOr<std::string> result =
      TranslateMarkup(text, format, MarkupOptions(), translate);
  EXPECT_TRUE(result.ok()) << result.status() << " in " << text;
  return result.ok() ? *result : "";
}

// The markup of an HTML text in its order. If the text has elements whose
// content is read in another way, only the attributes by which tags differ.
std::vector<std::string> Tags(const std::string& text) {
  std::vector<std::string> tags;
  for (const char* name :
       {"<title", "<textarea", "<script", "<style", "<svg", "<math"}) {
    if (!absl::StrContains(text, name)) continue;
    for (size_t at = text.find("n=\""); at != std::string::npos;
         at = text.find("n=\"", at + 1)) {
      tags.push_back(text.substr(at, text.find('"', at + 3) - at));
    }
    return tags;
  }
  HtmlTokenizer tokenizer(text);
  HtmlToken token;
  while (tokenizer.Next(/*in_foreign=*/false, token)) {
    if (token.kind == HtmlToken::Kind::kText) continue;
    tags.emplace_back(Slice(text, token.source));
  }
  return tags;
}

std::vector<std::string> Sorted(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  return list;
}

// Each start tag with the one around it.
std::vector<std::pair<std::string, std::string>> XmlParents(
    const std::string& text) {
  std::vector<std::pair<std::string, std::string>> parents;
  const absl::StatusOr<XmlDocument> document = ParseXml(text, kAlways);
  EXPECT_TRUE(document.ok()) << document.status() << " in " << text;
  if (!document.ok()) return parents;
  std::vector<std::string> tags(document->elements.size());
  for (const XmlEvent& event : document->events) {
    if (event.kind != XmlEvent::Kind::kStartTag &&
        event.kind != XmlEvent::Kind::kEmptyTag) {
      continue;
    }
    const auto element = static_cast<size_t>(event.element);
    tags[element] = std::string(Slice(text, event.source));
    const int32_t parent = document->elements[element].parent;
    parents.emplace_back(tags[element], tags[static_cast<size_t>(parent)]);
  }
  std::sort(parents.begin(), parents.end());
  return parents;
}

TEST(MarkupInvariantsTest, WellNestedHtmlKeepsItsTree) {
  for (uint32_t seed = 0; seed < NumDocuments(); ++seed) {
    RandomMarkup random(seed);
    const std::string text = random.WellNested(TextFormat::kHtml);
    const std::string result = Translated(
        text, TextFormat::kHtml,
        [&](absl::string_view segment) { return random.Translate(segment); });
    ASSERT_EQ(Sorted(Tags(result)), Sorted(Tags(text))) << seed << "\n"
                                                        << text << "\n"
                                                        << result;
    ASSERT_EQ(ParseHtmlTree(result).parents, ParseHtmlTree(text).parents)
        << seed << "\n"
        << text << "\n"
        << result;
  }
}

TEST(MarkupInvariantsTest, XmlKeepsItsTree) {
  for (uint32_t seed = 0; seed < NumDocuments(); ++seed) {
    RandomMarkup random(seed);
    const std::string text = random.WellNested(TextFormat::kXml);
    const std::string result = Translated(
        text, TextFormat::kXml,
        [&](absl::string_view segment) { return random.Translate(segment); });
    ASSERT_EQ(XmlParents(result), XmlParents(text)) << seed << "\n"
                                                    << text << "\n"
                                                    << result;
  }
}

TEST(MarkupInvariantsTest, BrokenHtmlKeepsItsTags) {
  for (uint32_t seed = 0; seed < NumDocuments(); ++seed) {
    RandomMarkup random(seed);
    const std::string text = random.Broken();
    const std::string result = Translated(
        text, TextFormat::kHtml,
        [&](absl::string_view segment) { return random.Translate(segment); });
    ASSERT_EQ(Sorted(Tags(result)), Sorted(Tags(text))) << seed << "\n"
                                                        << text << "\n"
                                                        << result;
  }
}

TEST(MarkupInvariantsTest, TagsOfBrokenHtmlKeepTheirOrderIfWordsDo) {
  for (uint32_t seed = 0; seed < NumDocuments(); ++seed) {
    const std::string text = RandomMarkup(seed).Broken();
    const std::string result = Translated(text, TextFormat::kHtml, CopySegment);
    ASSERT_EQ(Tags(result), Tags(text)) << seed << "\n"
                                        << text << "\n"
                                        << result;
    const HtmlTree before = ParseHtmlTree(text);
    const HtmlTree after = ParseHtmlTree(result);
    ASSERT_EQ(after.text, before.text) << seed << "\n"
                                       << text << "\n"
                                       << result;
    ASSERT_EQ(after.parents, before.parents) << seed << "\n"
                                             << text << "\n"
                                             << result;
  }
}

// The pieces and the passages' sources are the text, in order.
TEST(MarkupInvariantsTest, PiecesAreTheText) {
  for (uint32_t seed = 0; seed < NumDocuments(); ++seed) {
    const std::string text = RandomMarkup(seed).Broken();
    const absl::StatusOr<MarkupText> markup =
        ParseMarkup(text, TextFormat::kHtml, MarkupOptions(), kAlways);
    ASSERT_TRUE(markup.ok());
    ASSERT_EQ(markup->raw.size(), markup->passages.size() + 1);
    size_t at = 0;
    for (size_t i = 0; i < markup->passages.size(); ++i) {
      const Passage& passage = markup->passages[i];
      ASSERT_EQ(markup->raw[i].data(), text.data() + at);
      at += markup->raw[i].size();
      const TextRange source = SourceRange(passage, {0, passage.text.size()});
      ASSERT_LE(at, source.begin);
      at = static_cast<size_t>(markup->raw[i + 1].data() - text.data());
      ASSERT_LE(source.end, at);
      size_t covered = 0;
      for (const SourceRun& run : passage.runs) {
        ASSERT_EQ(run.text.begin, covered);
        covered = run.text.end;
      }
      ASSERT_EQ(covered, passage.text.size());
    }
    ASSERT_EQ(at + markup->raw.back().size(), text.size());
  }
}

}  // namespace
}  // namespace sheaf
