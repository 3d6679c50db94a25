// SPDX-License-Identifier: Apache-2.0

#include "text/documents/inline_tags.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "text/marks.h"

namespace sheaf {
namespace {

constexpr size_t kMaxEntityBytes = 32;

enum class Mark { kOpen, kClose, kVoid, kBreak, kKept, kCode };

struct Found {
  Mark mark;
  TextRange range;
  std::string name;  // of a tag, in lower case
};

bool IsNameByte(char c) {
  return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':';
}

bool IsVoid(absl::string_view name) {
  constexpr absl::string_view kVoid[] = {"area", "hr",   "img", "input",
                                         "link", "meta", "wbr"};
  return std::find(std::begin(kVoid), std::end(kVoid), name) != std::end(kVoid);
}

// The end of the tag that begins at `begin`, or npos. Looks no further than the
// next '<', so that a text is read once.
size_t TagEnd(absl::string_view text, size_t begin) {
  const size_t end = text.find_first_of("<>", begin + 1);
  if (end == absl::string_view::npos || text[end] == '<') {
    return absl::string_view::npos;
  }
  return end + 1;
}

// Appends the tag at `begin` and returns its end; `begin` if there is none.
size_t FindTag(absl::string_view text, size_t begin,
               std::vector<Found>& found) {
  size_t at = begin + 1;
  const bool is_close = at < text.size() && text[at] == '/';
  if (is_close) ++at;
  const size_t name_begin = at;
  while (at < text.size() && IsNameByte(text[at])) ++at;
  if (at == name_begin || !absl::ascii_isalnum(text[name_begin])) return begin;
  const size_t end = TagEnd(text, begin);
  if (end == absl::string_view::npos) return begin;
  // After the name: an attribute, the end, or the colons of "<00:01.000>".
  if (!absl::ascii_isspace(text[at]) && text[at] != '>' && text[at] != '/') {
    return begin;
  }
  // "<c.yellow>" of VTT ends with "</c>".
  std::string name =
      absl::AsciiStrToLower(text.substr(name_begin, at - name_begin));
  if (const size_t dot = name.find('.');
      dot > 0 && !absl::ascii_isdigit(name[0])) {
    name.resize(std::min(dot, name.size()));
  }
  Mark mark = is_close ? Mark::kClose : Mark::kOpen;
  if (name == "br") {
    mark = Mark::kBreak;
  } else if (absl::StrContains(name, ':') && absl::ascii_isdigit(name[0])) {
    mark = Mark::kVoid;  // a time of VTT
  } else if (text[end - 2] == '/' || IsVoid(name)) {
    mark = Mark::kVoid;
  }
  found.push_back({mark, {begin, end}, name});
  return end;
}

size_t FindEntity(absl::string_view text, size_t begin,
                  std::vector<Found>& found) {
  size_t at = begin + 1;
  if (at < text.size() && text[at] == '#') ++at;
  const size_t name_begin = at;
  const size_t limit = std::min(text.size(), begin + kMaxEntityBytes);
  while (at < limit && absl::ascii_isalnum(text[at])) ++at;
  if (at == name_begin || at == text.size() || text[at] != ';') return begin;
  found.push_back({Mark::kKept, {begin, at + 1}, ""});
  return at + 1;
}

// "{\an8}"
size_t FindBraces(absl::string_view text, size_t begin,
                  std::vector<Found>& found) {
  if (!absl::StartsWith(text.substr(begin), "{\\")) return begin;
  const size_t end = text.find_first_of("{}", begin + 1);
  if (end == absl::string_view::npos || text[end] == '{') return begin;
  found.push_back({Mark::kCode, {begin, end + 1}, ""});
  return end + 1;
}

std::vector<Found> FindMarks(absl::string_view text) {
  std::vector<Found> found;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    if (text[at] == '<') {
      end = FindTag(text, at, found);
    } else if (text[at] == '&') {
      end = FindEntity(text, at, found);
    } else if (text[at] == '{') {
      end = FindBraces(text, at, found);
    }
    at = end == at ? at + 1 : end;
  }
  return found;
}

// How a tag without a partner stays: as a code if it is surely a tag, else as
// text that is kept ("<FILE>").
Mark WithoutPartner(absl::string_view text, const Found& tag) {
  constexpr absl::string_view kNames[] = {
      "a",    "b",  "c", "div",   "em",   "font",   "i", "lang", "li", "p",
      "ruby", "rt", "s", "small", "span", "strong", "u", "ul",   "v"};
  const bool has_more =
      Slice(text, tag.range).find_first_of(" .=") != absl::string_view::npos;
  return has_more || std::find(std::begin(kNames), std::end(kNames),
                               tag.name) != std::end(kNames)
             ? Mark::kCode
             : Mark::kKept;
}

// Finds the pairs. Each tag is pushed and popped once.
void MatchTags(absl::string_view text, std::vector<Found>& found) {
  std::vector<size_t> open;
  std::unordered_map<std::string, int> num_open;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].mark == Mark::kOpen) {
      open.push_back(i);
      ++num_open[found[i].name];
    } else if (found[i].mark == Mark::kClose) {
      if (num_open[found[i].name] == 0) {
        found[i].mark = WithoutPartner(text, found[i]);
        continue;
      }
      for (bool is_partner = false; !is_partner; open.pop_back()) {
        Found& last = found[open.back()];
        --num_open[last.name];
        is_partner = last.name == found[i].name;
        if (!is_partner) last.mark = WithoutPartner(text, last);
      }
    }
  }
  for (const size_t i : open) {
    found[i].mark = WithoutPartner(text, found[i]);
  }
}

void AddLines(absl::string_view text, InlineText& out) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out.AddText(text.substr(0, end));
    if (end < text.size()) out.AddBreak("\n");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

void AddTaggedText(absl::string_view text, InlineText& out) {
  std::vector<Found> found = FindMarks(text);
  if (found.empty()) {
    out.AddText(text);
    return;
  }
  MatchTags(text, found);
  size_t copied = 0;
  for (const Found& mark : found) {
    AddLines(text.substr(copied, mark.range.begin - copied), out);
    copied = mark.range.end;
    const absl::string_view raw = Slice(text, mark.range);
    switch (mark.mark) {
      case Mark::kOpen:
        out.Open(raw);
        break;
      case Mark::kClose:
        out.Close(raw);
        break;
      case Mark::kKept:
        out.AddKept(raw, WithoutEntities(raw));
        break;
      case Mark::kBreak:
        out.AddBreak(raw);
        break;
      case Mark::kVoid:
      case Mark::kCode:
        out.AddCode(raw);
        break;
    }
  }
  AddLines(text.substr(copied), out);
}

}  // namespace sheaf
