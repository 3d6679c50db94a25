// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {

// An HTML text as another implementation of the standard (gumbo) parses it.
struct HtmlTree {
  // The start tags of all elements that have one, as in the source, each with
  // that of its parent: the nearest element around it that has one. Sorted.
  std::vector<std::pair<std::string, std::string>> parents;
  // The positions of all start tags in the text, sorted. A tag from which the
  // parser made several elements occurs once.
  std::vector<size_t> positions;
  // Its text without that of scripts and styles. Runs of white space are one
  // space, and blocks are set off by spaces.
  std::string text;
};

HtmlTree ParseHtmlTree(const std::string& html);

}  // namespace sheaf
