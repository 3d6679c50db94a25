// SPDX-License-Identifier: Apache-2.0

#include "tests/text/markup/html_tree.h"

#include <gumbo.h>

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"

namespace sheaf {
namespace {

// Elements at whose ends white space counts.
bool IsInline(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_A:
    case GUMBO_TAG_B:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_CODE:
    case GUMBO_TAG_EM:
    case GUMBO_TAG_FONT:
    case GUMBO_TAG_I:
    case GUMBO_TAG_NOBR:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SPAN:
    case GUMBO_TAG_SUP:
    case GUMBO_TAG_U:
    case GUMBO_TAG_UNKNOWN:
      return true;
    default:
      return false;
  }
}

class TreeReader {
 public:
  explicit TreeReader(absl::string_view html) : html_(html) {}

  // Test documents are not deep.
  void Read(const GumboNode& node, const std::string& parent) {
    switch (node.type) {
      case GUMBO_NODE_DOCUMENT:
        return ReadChildren(node.v.document.children, parent);
      case GUMBO_NODE_ELEMENT:
      case GUMBO_NODE_TEMPLATE:
        return ReadElement(node, parent);
      case GUMBO_NODE_TEXT:
      case GUMBO_NODE_WHITESPACE:
      case GUMBO_NODE_CDATA:
        text_ += node.v.text.text;
        return;
      case GUMBO_NODE_COMMENT:
        return;
    }
  }

  HtmlTree Finish() {
    HtmlTree tree;
    tree.parents.assign(parents_.begin(), parents_.end());
    tree.positions.assign(positions_.begin(), positions_.end());
    for (char& c : text_) {
      if (absl::ascii_isspace(c)) c = ' ';
    }
    absl::RemoveExtraAsciiWhitespace(&text_);
    tree.text = std::move(text_);
    return tree;
  }

 private:
  void ReadChildren(const GumboVector& children, const std::string& parent) {
    for (unsigned i = 0; i < children.length; ++i) {
      Read(*static_cast<const GumboNode*>(children.data[i]), parent);
    }
  }

  void ReadElement(const GumboNode& node, const std::string& parent) {
    const GumboStringPiece& tag = node.v.element.original_tag;
    std::string name = parent;
    constexpr unsigned kClones =
        GUMBO_INSERTION_RECONSTRUCTED_FORMATTING_ELEMENT |
        GUMBO_INSERTION_ADOPTION_AGENCY_CLONED;
    if (tag.data != nullptr && tag.length > 0 && tag.data[0] == '<') {
      name.assign(tag.data, tag.length);
      if ((node.parse_flags & kClones) == 0) parents_.insert({name, parent});
      positions_.insert(static_cast<size_t>(tag.data - html_.data()));
    }
    if (node.v.element.tag == GUMBO_TAG_SCRIPT ||
        node.v.element.tag == GUMBO_TAG_STYLE) {
      return;
    }
    const char* border = IsInline(node.v.element.tag) ? "" : " ";
    text_ += border;
    ReadChildren(node.v.element.children, name);
    text_ += border;
  }

  const absl::string_view html_;
  std::multiset<std::pair<std::string, std::string>> parents_;
  std::set<size_t> positions_;
  std::string text_;
};

}  // namespace

HtmlTree ParseHtmlTree(const std::string& html) {
  GumboOutput* output =
      gumbo_parse_with_options(&kGumboDefaultOptions, html.data(), html.size());
  TreeReader reader(html);
  reader.Read(*output->document, "");
  gumbo_destroy_output(&kGumboDefaultOptions, output);
  return reader.Finish();
}

}  // namespace sheaf
