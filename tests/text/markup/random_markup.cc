// SPDX-License-Identifier: Apache-2.0

#include "tests/text/markup/random_markup.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr const char* kWords[] = {
    "red",   "Haus", "l'eau", "well-known", "3.50", "x",      "né",  "日本語",
    "hello", "Sie",  "A",     "e.g.",       "42",   "emoji😀", "don", "Größe"};
constexpr const char* kMarks[] = {",", ".", "!", " - ", "\"", "(", ")", ": "};
constexpr const char* kSpaces[] = {" ", " ", " ", " ", "\n", "  ", " \t ", ""};
constexpr const char* kInline[] = {"b",    "i",   "a",    "span", "em",
                                   "code", "sup", "font", "u",    "x-y"};
constexpr const char* kBlocks[] = {"div", "section", "blockquote", "article"};
constexpr const char* kAnyTags[] = {
    "b",     "i",    "a",      "p",    "div",   "li",     "ul",    "table",
    "tr",    "td",   "span",   "em",   "h1",    "option", "br",    "img",
    "code",  "sup",  "button", "nobr", "body",  "html",   "head",  "main",
    "font",  "pre",  "svg",    "math", "mi",    "script", "style", "textarea",
    "dd",    "dt",   "form",   "hr",   "input", "object", "ruby",  "rt",
    "tbody", "math", "p",      "b",    "i",     "u",      "x-y",   "caption"};
constexpr const char* kHtmlOnly[] = {
    "&nbsp;", "&copy",           "&eacute;", "&#x20AC;",      "&#8364",
    "<br>",   "<img src='a>b'>", "<wbr>",    "<!-- a > b -->"};
constexpr const char* kXmlOnly[] = {"&#233;",        "<ph id='1'/>",
                                    "<?pi a?>",      "<!-- <b> -->",
                                    "<g  x = '>'/>", "<![CDATA[a <b> & c]]>"};
constexpr const char* kPieces[] = {"<",         "</",
                                   "<!",        "&",
                                   "&#",        "&#x;",
                                   "<!--",      "-->",
                                   "<?",        "\"",
                                   "'",         "=",
                                   ">",         "</>",
                                   "<b",        "]]>",
                                   "<![CDATA[", "&amp",
                                   "&notit;",   "<!-->",
                                   "--!>",      "<!DOCTYPE html>",
                                   "</ x>",     "<a b='",
                                   "<svg/>",    "&lt;",
                                   "\xC2\xA0"};

}  // namespace

std::string RandomMarkup::Attribute() {
  return absl::StrCat(" n=\"", ++num_tags_, "\"");
}

std::string RandomMarkup::Text(TextFormat format) {
  std::string text;
  for (int i = Number(6); i >= 0; --i) {
    if (Chance(20)) {
      text += Pick(kMarks);
    } else if (Chance(8)) {
      text += "&amp;";
    } else if (Chance(8)) {
      text += format == TextFormat::kHtml ? Pick(kHtmlOnly) : Pick(kXmlOnly);
    } else {
      text += Pick(kWords);
    }
    text += Pick(kSpaces);
  }
  return text;
}

std::string RandomMarkup::WellNested(TextFormat format) {
  std::string text;
  std::vector<std::string> open;
  bool is_inline = false;
  for (int i = 2 + Number(40); i > 0; --i) {
    if (Chance(40)) {
      text += Text(format);
    } else if (Chance(50) && open.size() < 12) {
      const bool is_block = !is_inline && Chance(40);
      open.push_back(is_block ? Pick(kBlocks) : Pick(kInline));
      // Elements that HTML does not nest.
      if (std::count(open.begin(), open.end(), open.back()) > 1 &&
          open.back() == "a") {
        open.back() = "em";
      }
      is_inline = !is_block;
      absl::StrAppend(&text, "<", open.back(), Attribute(), ">");
    } else if (!open.empty()) {
      absl::StrAppend(&text, "</", open.back(), ">");
      open.pop_back();
      is_inline =
          !open.empty() && std::find(std::begin(kBlocks), std::end(kBlocks),
                                     open.back()) == std::end(kBlocks);
    }
  }
  for (; !open.empty(); open.pop_back()) {
    absl::StrAppend(&text, "</", open.back(), ">");
  }
  return text;
}

std::string RandomMarkup::Broken() {
  std::string text;
  for (int i = 2 + Number(50); i > 0; --i) {
    if (Chance(40)) {
      text += Text(TextFormat::kHtml);
    } else if (Chance(15)) {
      text += Pick(kPieces);
    } else if (Chance(60)) {
      absl::StrAppend(&text, "<", Pick(kAnyTags), Attribute(),
                      Chance(5) ? " translate=no" : "",
                      Chance(10) ? "/>" : ">");
    } else {
      absl::StrAppend(&text, "</", Pick(kAnyTags), ">");
    }
  }
  return text;
}

TestTranslation RandomMarkup::Translate(absl::string_view segment) {
  std::vector<TextRange> words;
  for (size_t at = 0; at < segment.size();) {
    const size_t begin = at;
    if (IsWhitespace(NextCharacter(segment, at))) continue;
    size_t end = at;
    while (end < segment.size() && segment[end] != ' ') ++end;
    if (!Chance(10)) words.push_back({begin, end});
    if (Chance(10)) words.push_back({begin, end});
    at = end;
  }
  if (Chance(50)) std::shuffle(words.begin(), words.end(), random_);
  TestTranslation result;
  for (const TextRange& word : words) {
    if (!result.text.empty() && !Chance(5)) result.text += ' ';
    AlignedSpan span;
    span.target.begin = result.text.size();
    if (Chance(70)) {
      absl::StrAppend(&result.text, Slice(segment, word));
    } else {
      result.text += Chance(10) ? "<&>" : Pick(kWords);
    }
    span.target.end = result.text.size();
    if (Chance(80)) span.source = word;
    if (Chance(5))
      span.source =
          words[static_cast<size_t>(Number(static_cast<int>(words.size())))];
    result.alignment.push_back(span);
  }
  if (Chance(10)) result.alignment.clear();
  return result;
}

}  // namespace sheaf
