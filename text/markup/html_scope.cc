// SPDX-License-Identifier: Apache-2.0

#include "text/markup/html_scope.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sheaf {
namespace {

bool Contains(const std::vector<std::string>& names, absl::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& other) {
    return absl::EqualsIgnoreCase(other, name);
  });
}

HtmlElement MakeElement(absl::string_view name, const MarkupOptions& options) {
  HtmlElement element = FindHtmlElement(name);
  if (!options.outline_detection) element.is_block = false;
  if (Contains(options.splitting_tags, name)) element.is_block = true;
  if (Contains(options.non_splitting_tags, name)) element.is_block = false;
  if (Contains(options.ignored_tags, name)) element.is_kept = true;
  return element;
}

}  // namespace

HtmlScope::HtmlScope(const MarkupOptions& options) : options_(options) {
  Entry root;
  root.groups.fill(-1);
  entries_.push_back(root);
}

int32_t HtmlScope::TypeOf(absl::string_view name) {
  std::string lower = absl::AsciiStrToLower(name);
  const auto [it, is_new] =
      indexes_.try_emplace(lower, static_cast<int32_t>(types_.size()));
  if (is_new) {
    const HtmlElement element = MakeElement(lower, options_);
    types_.push_back({std::move(lower), element, {}});
  }
  return it->second;
}

void HtmlScope::EndImplied(int32_t type) {
  const HtmlGroups ends = this->type(type).element.ends;
  for (size_t group = 0; group < entries_.back().groups.size(); ++group) {
    const int32_t index = entries_.back().groups[group];
    if ((ends >> group & 1) != 0 && index >= 0) PopTo(index);
  }
}

void HtmlScope::Begin(int32_t type, const Start& start) {
  const auto index = static_cast<int32_t>(entries_.size());
  Entry entry = entries_.back();
  entry.type = type;
  entry.start = start;
  Type& record = types_[static_cast<size_t>(type)];
  record.open.push_back(index);
  if (record.element.is_special) entry.special = index;
  if (record.element.is_scope) entry.scope = index;
  for (size_t group = 0; group < entry.groups.size(); ++group) {
    if ((record.element.hides >> group & 1) != 0) entry.groups[group] = -1;
    if ((record.element.in >> group & 1) != 0) entry.groups[group] = index;
  }
  entries_.push_back(entry);
}

bool HtmlScope::End(int32_t type) {
  const Type& record = types_[static_cast<size_t>(type)];
  if (record.open.empty()) return false;
  const int32_t index = record.open.back();
  const Entry& top = entries_.back();
  const bool is_special = record.element.is_special;
  const bool is_scope = record.element.is_scope ||
                        (record.element.in & (Only(HtmlGroup::kRow) |
                                              Only(HtmlGroup::kSection))) != 0;
  if (!is_special && index < top.special) return false;
  if (!is_scope && index < top.scope) return false;
  PopTo(index);
  return true;
}

// Ends the elements from `index` on.
void HtmlScope::PopTo(int32_t index) {
  while (static_cast<int32_t>(entries_.size()) > index) {
    types_[static_cast<size_t>(entries_.back().type)].open.pop_back();
    entries_.pop_back();
  }
}

}  // namespace sheaf
