// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "text/markup/html_elements.h"
#include "text/markup/markup.h"
#include "text/markup/passage_builder.h"

namespace sheaf {

// The elements that are open while an HTML text is read, so far as that decides
// what is translated. Omitted end tags are those of the standard; the
// standard's repair of formatting elements that overlap is not needed for that.
//
// All operations take amortized constant time, however deep elements nest.
class HtmlScope {
 public:
  struct Type {
    std::string name;  // without capitals
    HtmlElement element;
    std::vector<int32_t> open;  // indexes in the list of open elements
  };
  // The beginning of an element.
  struct Start {
    PassageBuilder::TextMode mode;  // of its content
    size_t begin = 0;               // of its start tag, in the source
    PassageBuilder::Place place;    // of its start tag
  };
  // An open element.
  struct Entry {
    int32_t type = -1;
    Start start;
    // The indexes of the innermost open elements of these kinds; -1: none.
    int32_t special = -1;
    int32_t scope = -1;
    std::array<int32_t, static_cast<int>(HtmlGroup::kNumGroups)> groups;
  };

  // `options` must outlive the scope.
  explicit HtmlScope(const MarkupOptions& options);

  // The number of the elements with this name, in any case.
  int32_t TypeOf(absl::string_view name);
  const Type& type(int32_t index) const {
    return types_[static_cast<size_t>(index)];
  }

  // The innermost open element; the last has type -1.
  const Entry& top() const { return entries_.back(); }

  // Ends the open elements that a start tag of the type ends.
  void EndImplied(int32_t type);
  // Begins an element in the innermost one.
  void Begin(int32_t type, const Start& start);

  // Ends the innermost element of the type and those within it. If an end tag
  // at this place does not end it, returns false.
  bool End(int32_t type);

 private:
  void PopTo(int32_t index);

  const MarkupOptions& options_;
  std::vector<Type> types_;
  absl::flat_hash_map<std::string, int32_t> indexes_;
  std::vector<Entry> entries_;
};

}  // namespace sheaf
