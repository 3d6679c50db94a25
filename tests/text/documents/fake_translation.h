// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "text/documents/document.h"

namespace sheaf {

using FakeTranslation = std::function<std::string(const DocumentUnit&)>;

inline std::string SameText(const DocumentUnit& unit) { return unit.text; }

// Whether the tags are those that InlineText writes.
inline bool HasOwnTags(const DocumentUnit& unit) {
  return unit.text.find(" id=\"") != std::string::npos;
}

// Writes the letters of ASCII outside of tags and entities as capitals.
inline std::string Capitals(const DocumentUnit& unit) {
  std::string text = unit.text;
  if (unit.format == TextFormat::kPlain) return absl::AsciiStrToUpper(text);
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '<' || text[at] == '&') {
      const bool is_kept = text.compare(at, 5, "<code") == 0;
      const size_t begin = is_kept ? text.find("</code>", at) : at;
      const size_t end = text.find(text[at] == '<' ? '>' : ';', begin);
      at = std::min(end, text.size() - 1) + 1;
    } else {
      text[at] = absl::ascii_toupper(text[at]);
      ++at;
    }
  }
  return text;
}

// Puts words and elements into the opposite order at every level of nesting,
// as a server might.
inline std::string Reversed(const DocumentUnit& unit) {
  if (unit.format == TextFormat::kPlain) {
    std::vector<std::string> words = absl::StrSplit(unit.text, ' ');
    std::reverse(words.begin(), words.end());
    return absl::StrJoin(words, " ");
  }
  if (!HasOwnTags(unit)) return unit.text;
  struct Level {
    std::string open;
    std::vector<std::string> items;
  };
  const auto join = [](const Level& level) {
    std::string text = level.open;
    for (auto it = level.items.rbegin(); it != level.items.rend(); ++it) {
      text += *it;
    }
    return text;
  };
  std::vector<Level> levels(1);
  const absl::string_view text = unit.text;
  for (size_t at = 0; at < text.size();) {
    size_t end;
    if (text[at] == '<') {
      end = text.find('>', at) + 1;
      const absl::string_view tag = text.substr(at, end - at);
      if (tag[1] == '/') {
        const std::string element = join(levels.back()) + std::string(tag);
        levels.pop_back();
        levels.back().items.push_back(element);
      } else if (tag.substr(1, 2) == "br" || tag.substr(1, 3) == "img") {
        levels.back().items.emplace_back(tag);
      } else if (tag.substr(1, 4) == "code") {
        end = text.find("</code>", at) + 7;
        levels.back().items.emplace_back(text.substr(at, end - at));
      } else {
        levels.push_back({std::string(tag), {}});
      }
    } else {
      end = std::min(text.find_first_of(" <", at + 1), text.size());
      levels.back().items.emplace_back(text.substr(at, end - at));
    }
    at = end;
  }
  return join(levels[0]);
}

inline absl::StatusOr<std::string> TranslateDocument(
    DocumentFormat format, std::string bytes, const FakeTranslation& translate,
    const DocumentOptions& options = {.target_language = "de"}) {
  absl::StatusOr<Document> document =
      Document::Parse(format, std::move(bytes), options);
  if (!document.ok()) return document.status();
  std::vector<std::string> translations;
  for (const DocumentUnit& unit : document->units()) {
    translations.push_back(translate(unit));
  }
  return document->Write(translations);
}

// The texts of the units.
inline std::vector<std::string> TextsOf(DocumentFormat format,
                                        std::string bytes,
                                        const DocumentOptions& options = {
                                            .target_language = "de"}) {
  absl::StatusOr<Document> document =
      Document::Parse(format, std::move(bytes), options);
  if (!document.ok()) return {document.status().ToString()};
  std::vector<std::string> texts;
  for (const DocumentUnit& unit : document->units()) {
    texts.push_back(unit.text);
  }
  return texts;
}

}  // namespace sheaf
