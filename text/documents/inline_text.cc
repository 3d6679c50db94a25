// SPDX-License-Identifier: Apache-2.0

#include "text/documents/inline_text.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

bool IsBlank(absl::string_view text) {
  return absl::StripAsciiWhitespace(text).empty();
}

// Appends the character of the entity at the beginning of `text`, and returns
// the entity's size; 0 if there is none that a server writes.
size_t AppendEntity(absl::string_view text, std::string& out) {
  const size_t end = text.substr(0, 12).find(';');
  if (end == absl::string_view::npos) return 0;
  const absl::string_view name = text.substr(1, end - 1);
  uint32_t character = 0;
  if (absl::StartsWithIgnoreCase(name, "#x")) {
    if (!absl::SimpleHexAtoi(name.substr(2), &character)) return 0;
  } else if (absl::StartsWith(name, "#")) {
    if (!absl::SimpleAtoi(name.substr(1), &character)) return 0;
  } else if (name == "amp") {
    character = '&';
  } else if (name == "lt") {
    character = '<';
  } else if (name == "gt") {
    character = '>';
  } else if (name == "quot") {
    character = '"';
  } else if (name == "apos") {
    character = '\'';
  } else if (name == "nbsp") {
    character = 0xA0;
  }
  if (character == 0 || character > 0x10FFFF ||
      (character >= 0xD800 && character < 0xE000)) {
    return 0;
  }
  AppendCharacter(static_cast<int32_t>(character), out);
  return end + 1;
}

// A tag as InlineText writes it.
struct Tag {
  bool is_close = false;
  absl::string_view name;
  size_t id = 0;  // unless is_close
  size_t size = 0;
};

// The tag at the beginning of `text`. Its size is 0 if there is none.
Tag ReadTag(absl::string_view text) {
  Tag tag;
  size_t at = 1;
  if (at < text.size() && text[at] == '/') {
    tag.is_close = true;
    ++at;
  }
  const size_t name_begin = at;
  while (at < text.size() && absl::ascii_isalpha(text[at])) ++at;
  tag.name = text.substr(name_begin, at - name_begin);
  constexpr absl::string_view kId = " id=\"";
  if (!tag.is_close) {
    if (!absl::StartsWith(text.substr(at), kId)) return {};
    at += kId.size();
    const size_t id_begin = at;
    while (at < text.size() && absl::ascii_isdigit(text[at])) ++at;
    if (!absl::SimpleAtoi(text.substr(id_begin, at - id_begin), &tag.id) ||
        at == text.size() || text[at] != '"') {
      return {};
    }
    ++at;
    if (at < text.size() && text[at] == '/') ++at;
  }
  if (at == text.size() || text[at] != '>') return {};
  tag.size = at + 1;
  return tag;
}

}  // namespace

void InlineText::AddText(absl::string_view text) {
  if (text.empty()) return;
  if (!items_.empty() && items_.back().kind == Kind::kText) {
    absl::StrAppend(&items_.back().raw, text);
  } else {
    items_.push_back({Kind::kText, std::string(text), ""});
  }
}

void InlineText::Open(absl::string_view raw) {
  open_.push_back(items_.size());
  items_.push_back({Kind::kOpen, std::string(raw), ""});
}

void InlineText::Close(absl::string_view raw) {
  SHEAF_CHECK(!open_.empty());
  const size_t open = open_.back();
  open_.pop_back();
  items_[open].partner = items_.size();
  items_.push_back({Kind::kClose, std::string(raw), "", open});
}

void InlineText::AddCode(absl::string_view raw) {
  items_.push_back({Kind::kCode, std::string(raw), ""});
}

void InlineText::AddBreak(absl::string_view raw) {
  items_.push_back({Kind::kBreak, std::string(raw), ""});
}

void InlineText::AddKept(absl::string_view raw, absl::string_view text) {
  items_.push_back({Kind::kKept, std::string(raw), std::string(text)});
}

void InlineText::TrimEnds() {
  const auto is_outside = [](const Item& item) {
    return item.kind == Kind::kCode || item.kind == Kind::kBreak ||
           (item.kind == Kind::kText && IsBlank(item.raw));
  };
  for (;;) {
    while (begin_ < end_ && is_outside(items_[begin_])) ++begin_;
    while (begin_ < end_ && is_outside(items_[end_ - 1])) --end_;
    if (begin_ == end_ || items_[begin_].kind != Kind::kOpen ||
        items_[begin_].partner != end_ - 1) {
      return;
    }
    ++begin_;
    --end_;
  }
}

DocumentUnit InlineText::Finish() {
  SHEAF_CHECK(open_.empty());
  end_ = items_.size();
  TrimEnds();
  DocumentUnit unit;
  bool has_letter = false;
  for (size_t i = begin_; i < end_; ++i) {
    const Item& item = items_[i];
    if (item.kind != Kind::kText) has_codes_ = true;
    if (item.kind == Kind::kText && HasLetter(item.raw)) has_letter = true;
  }
  if (!has_letter) {
    begin_ = end_ = items_.size();
    return unit;
  }
  unit.format = has_codes_ ? TextFormat::kHtml : TextFormat::kPlain;
  for (size_t i = begin_; i < end_; ++i) {
    const Item& item = items_[i];
    switch (item.kind) {
      case Kind::kText: {
        absl::string_view text = item.raw;
        if (i == begin_) {
          const absl::string_view rest =
              absl::StripLeadingAsciiWhitespace(text);
          before_ = std::string(text.substr(0, text.size() - rest.size()));
          text = rest;
        }
        if (i + 1 == end_) {
          const absl::string_view rest =
              absl::StripTrailingAsciiWhitespace(text);
          after_ = std::string(text.substr(rest.size()));
          text = rest;
        }
        if (has_codes_) {
          AppendEscaped(text, unit.text);
        } else {
          absl::StrAppend(&unit.text, text);
        }
        break;
      }
      case Kind::kOpen:
        absl::StrAppend(&unit.text, "<span id=\"", i, "\">");
        break;
      case Kind::kClose:
        absl::StrAppend(&unit.text, "</span>");
        break;
      case Kind::kCode:
        absl::StrAppend(&unit.text, "<img id=\"", i, "\">");
        break;
      case Kind::kBreak:
        absl::StrAppend(&unit.text, "<br id=\"", i, "\">");
        break;
      case Kind::kKept:
        absl::StrAppend(&unit.text, "<code id=\"", i, "\">");
        AppendEscaped(item.text, unit.text);
        absl::StrAppend(&unit.text, "</code>");
        break;
    }
  }
  return unit;
}

// Reads a translation with tags.
class InlineText::Restorer {
 public:
  explicit Restorer(const InlineText& source)
      : source_(source), is_used_(source.items_.size(), false) {}

  absl::StatusOr<std::vector<InlinePiece>> Run(absl::string_view translation) {
    size_t text_begin = 0;
    for (size_t at = 0; at < translation.size();) {
      if (translation[at] != '<') {
        ++at;
        continue;
      }
      const Tag tag = ReadTag(translation.substr(at));
      if (tag.size == 0) {
        ++at;
        continue;
      }
      AddText(translation.substr(text_begin, at - text_begin));
      if (!Add(tag)) {
        return Error(translation.substr(at, tag.size), "has no place");
      }
      at += tag.size;
      text_begin = at;
    }
    AddText(translation.substr(text_begin));
    if (is_in_kept_) return Error("</code>", "is missing");
    for (size_t i = source_.begin_; i < source_.end_; ++i) {
      const Kind kind = source_.items_[i].kind;
      if (kind != Kind::kText && !is_used_[i]) {
        return Error(absl::StrCat("id=\"", i, "\""), "is missing");
      }
    }
    return std::move(pieces_);
  }

 private:
  static absl::Status Error(absl::string_view tag, absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("tag ", tag, " ", what, " in the translation"));
  }

  void AddText(absl::string_view text) {
    if (text.empty() || is_in_kept_) return;
    pieces_.push_back({WithoutEntities(text), /*is_code=*/false});
  }

  bool Add(const Tag& tag) {
    if (is_in_kept_) {
      if (!tag.is_close || tag.name != "code") return false;
      is_in_kept_ = false;
      return true;
    }
    if (tag.is_close) {
      if (tag.name != "span" || open_.empty()) return false;
      Use(source_.items_[open_.back()].partner);
      open_.pop_back();
      return true;
    }
    if (tag.id < source_.begin_ || tag.id >= source_.end_ || is_used_[tag.id] ||
        source_.items_[tag.id].kind != KindOf(tag.name)) {
      return false;
    }
    Use(tag.id);
    if (tag.name == "span") open_.push_back(tag.id);
    is_in_kept_ = tag.name == "code";
    return true;
  }

  static Kind KindOf(absl::string_view name) {
    if (name == "span") return Kind::kOpen;
    if (name == "code") return Kind::kKept;
    if (name == "img") return Kind::kCode;
    return name == "br" ? Kind::kBreak : Kind::kText;
  }

  void Use(size_t item) {
    is_used_[item] = true;
    pieces_.push_back({source_.items_[item].raw, /*is_code=*/true});
  }

  const InlineText& source_;
  std::vector<bool> is_used_;
  std::vector<size_t> open_;
  bool is_in_kept_ = false;
  std::vector<InlinePiece> pieces_;
};

std::vector<InlinePiece> InlineText::RawPieces(size_t begin, size_t end) const {
  std::vector<InlinePiece> pieces;
  pieces.reserve(end - begin);
  for (size_t i = begin; i < end; ++i) {
    pieces.push_back({items_[i].raw, items_[i].kind != Kind::kText});
  }
  return pieces;
}

absl::StatusOr<std::vector<InlinePiece>> InlineText::Restore(
    absl::string_view translation) const {
  std::vector<InlinePiece> pieces = RawPieces(0, begin_);
  if (begin_ == end_) return pieces;
  pieces.push_back({before_, /*is_code=*/false});
  if (has_codes_) {
    absl::StatusOr<std::vector<InlinePiece>> inner =
        Restorer(*this).Run(translation);
    if (!inner.ok()) return inner.status();
    pieces.insert(pieces.end(), std::make_move_iterator(inner->begin()),
                  std::make_move_iterator(inner->end()));
  } else {
    pieces.push_back({std::string(translation), /*is_code=*/false});
  }
  pieces.push_back({after_, /*is_code=*/false});
  std::vector<InlinePiece> rest = RawPieces(end_, items_.size());
  pieces.insert(pieces.end(), std::make_move_iterator(rest.begin()),
                std::make_move_iterator(rest.end()));
  return pieces;
}

std::string WithoutEntities(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t size = text[0] == '&' ? AppendEntity(text, out) : 0;
    if (size == 0) out += text[0];
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

void AppendEscaped(absl::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
}

std::string Join(const std::vector<InlinePiece>& pieces) {
  std::string text;
  for (const InlinePiece& piece : pieces) text += piece.text;
  return text;
}

}  // namespace sheaf
