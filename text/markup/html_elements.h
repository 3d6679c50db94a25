// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace sheaf {

// Elements whose start tags end each other, if the end tag is omitted.
enum class HtmlGroup : uint8_t {
  kParagraph,  // <p>
  kItem,       // <li>
  kTerm,       // <dt>, <dd>
  kOption,
  kCell,     // <td>, <th>
  kRow,      // <tr>
  kSection,  // <tbody>, <caption>, ...
  kNumGroups,
};

// A set of groups.
using HtmlGroups = uint8_t;
constexpr HtmlGroups Only(HtmlGroup group) {
  return static_cast<HtmlGroups>(1 << static_cast<int>(group));
}

// How the standard's tokenizer reads the content of an element.
enum class HtmlContent : uint8_t {
  kMarkup,
  kNone,     // void elements
  kRawText,  // no markup; not for people, or not for translation
  kTitle,    // text with character references
  kScript,
  kPlainText,  // to the end of the text
  kForeign,    // SVG and MathML
};

// The facts about an element of HTML that decide how it is read.
struct HtmlElement {
  HtmlContent content = HtmlContent::kMarkup;
  bool is_block = false;  // bounds passages
  bool is_kept = false;   // its content is not translated
  bool keeps_space = false;
  // An element of the standard's category "special". An end tag of another
  // element does not end it.
  bool is_special = false;
  // <table>, <td> and others, which no end tag of an element around them ends.
  bool is_scope = false;
  HtmlGroups in = 0;     // the group that it belongs to, if any
  HtmlGroups ends = 0;   // the groups that its start tag ends
  HtmlGroups hides = 0;  // the groups that start tags within it do not end
};

// REQUIRES: `name` has no ASCII capitals.
HtmlElement FindHtmlElement(absl::string_view name);

// Whether the start tag of this element, in SVG or MathML, ends that.
bool EndsForeignContent(absl::string_view name);

}  // namespace sheaf
