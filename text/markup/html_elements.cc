// SPDX-License-Identifier: Apache-2.0

#include "text/markup/html_elements.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_split.h"

namespace sheaf {
namespace {

using Group = HtmlGroup;
using Elements = absl::flat_hash_map<std::string, HtmlElement>;

constexpr HtmlGroups kAllGroups = 0x7F;
static_assert(static_cast<int>(Group::kNumGroups) == 7);
constexpr HtmlGroups kItems = Only(Group::kItem) | Only(Group::kTerm);
constexpr HtmlGroups kInTable =
    Only(Group::kCell) | Only(Group::kRow) | Only(Group::kSection);

// Displayed as a block, a list item or a part of a table by the rendering
// section of the standard, or not displayed in the text at all.
constexpr char kBlocks[] =
    "address article aside base basefont blockquote body br caption center col "
    "colgroup datalist dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr "
    "html legend li link listing main menu meta nav noframes noscript ol "
    "optgroup option p plaintext pre search section select summary table tbody "
    "td template tfoot th thead title tr ul xmp";
constexpr char kSpecial[] =
    "address applet area article aside base basefont bgsound blockquote body "
    "br "
    "button caption center col colgroup dd details dir div dl dt embed "
    "fieldset "
    "figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head "
    "header "
    "hgroup hr html iframe img input keygen li link listing main marquee menu "
    "meta nav noembed noframes noscript object ol p param plaintext pre script "
    "search section select source style summary table tbody td template "
    "textarea tfoot th thead title tr track ul wbr xmp";
constexpr char kVoid[] =
    "area base basefont bgsound br col embed frame hr image img input keygen "
    "link meta param source track wbr";
constexpr char kScopes[] =
    "applet caption html marquee object table td template th";
// Their start tags end an open <p>.
constexpr char kEndParagraph[] =
    "address article aside blockquote center dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr "
    "li listing main menu nav ol p plaintext pre search section summary table "
    "ul xmp";
constexpr char kForeignEnds[] =
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 "
    "h6 head hr i img li listing menu meta nobr ol p pre ruby s small span "
    "strong strike sub sup table tt u ul var";

template <typename Change>
void ForEach(absl::string_view names, Elements& elements, Change change) {
  for (const absl::string_view name : absl::StrSplit(names, ' ')) {
    change(elements[name]);
  }
}

void AddContents(Elements& elements) {
  const auto set = [&](absl::string_view names, HtmlContent content) {
    ForEach(names, elements, [&](HtmlElement& e) { e.content = content; });
  };
  set(kVoid, HtmlContent::kNone);
  set("iframe noembed noframes style textarea xmp", HtmlContent::kRawText);
  set("title", HtmlContent::kTitle);
  set("script", HtmlContent::kScript);
  set("plaintext", HtmlContent::kPlainText);
  set("math svg", HtmlContent::kForeign);
  ForEach("code kbd pre samp template var", elements,
          [](HtmlElement& e) { e.is_kept = true; });
  elements["pre"].keeps_space = true;
}

void AddGroups(Elements& elements) {
  const auto in = [&](absl::string_view names, Group group, HtmlGroups ends) {
    ForEach(names, elements, [&](HtmlElement& e) {
      e.in |= Only(group);
      e.ends |= ends;
    });
  };
  in("p", Group::kParagraph, 0);
  in("li", Group::kItem, Only(Group::kItem));
  in("dd dt", Group::kTerm, Only(Group::kTerm));
  in("option", Group::kOption, Only(Group::kOption));
  in("td th", Group::kCell, Only(Group::kCell));
  in("tr", Group::kRow, Only(Group::kCell) | Only(Group::kRow));
  in("caption colgroup tbody tfoot thead", Group::kSection, kInTable);
  elements["optgroup"].ends |= Only(Group::kOption);
  ForEach(kEndParagraph, elements,
          [](HtmlElement& e) { e.ends |= Only(Group::kParagraph); });
  ForEach(kScopes, elements, [](HtmlElement& e) {
    e.is_scope = true;
    e.hides |= Only(Group::kParagraph);
  });
  elements["button"].hides |= Only(Group::kParagraph);
  ForEach(kSpecial, elements, [](HtmlElement& e) {
    e.is_special = true;
    e.hides |= kItems;
  });
  ForEach("address div p", elements,
          [](HtmlElement& e) { e.hides &= ~kItems; });
  ForEach("datalist select", elements,
          [](HtmlElement& e) { e.hides |= Only(Group::kOption); });
  ForEach("html table template", elements,
          [](HtmlElement& e) { e.hides = kAllGroups; });
}

Elements MakeElements() {
  Elements elements;
  ForEach(kBlocks, elements, [](HtmlElement& e) { e.is_block = true; });
  AddContents(elements);
  AddGroups(elements);
  return elements;
}

}  // namespace

HtmlElement FindHtmlElement(absl::string_view name) {
  static const auto& elements = *new Elements(MakeElements());
  const auto found = elements.find(name);
  return found == elements.end() ? HtmlElement() : found->second;
}

bool EndsForeignContent(absl::string_view name) {
  static const auto& names =
      *new absl::flat_hash_set<std::string>(absl::StrSplit(kForeignEnds, ' '));
  return names.contains(name);
}

}  // namespace sheaf
