// SPDX-License-Identifier: Apache-2.0

#include "text/markup/html_reader.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "text/markup/html_entities.h"
#include "text/markup/html_foreign.h"
#include "text/markup/html_scope.h"
#include "text/markup/html_tokenizer.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using TextMode = PassageBuilder::TextMode;
using TokenKind = HtmlToken::Kind;

bool HasClass(absl::string_view classes, absl::string_view name) {
  for (const absl::string_view one :
       absl::StrSplit(classes, absl::ByAnyChar(" \t\n\f\r"))) {
    if (one == name) return true;
  }
  return false;
}

// Reads an HTML text once, from its beginning to its end.
class Reader {
 public:
  Reader(absl::string_view text, const MarkupOptions& options,
         PassageBuilder& builder)
      : text_(text),
        uses_attributes_(options.translate_attributes),
        tokenizer_(text),
        scope_(options),
        builder_(builder) {}

  absl::Status Read(absl::FunctionRef<bool()> is_wanted) {
    constexpr size_t kBytes = 16384;  // well under a millisecond
    size_t next = kBytes;
    HtmlToken token;
    while (tokenizer_.Next(foreign_.is_foreign(), token)) {
      Take(token);
      if (token.source.end < next) continue;
      if (!is_wanted()) return absl::CancelledError("the text is not wanted");
      next = token.source.end + kBytes;
    }
    if (foreign_.is_open()) EndForeign(text_.size());
    builder_.AddBorder();
    return absl::OkStatus();
  }

 private:
  void Take(const HtmlToken& token) {
    if (foreign_.is_open()) return TakeForeign(token);
    switch (token.kind) {
      case TokenKind::kText:
        return TakeText(token.source);
      case TokenKind::kStartTag:
        return TakeStartTag(token);
      case TokenKind::kEndTag:
        return TakeEndTag(token);
      case TokenKind::kOther:
      case TokenKind::kCData:
        return builder_.AddTag({InlineTag::Kind::kEmpty, token.source});
    }
  }

  void TakeText(TextRange range) {
    const TextMode mode = scope_.top().start.mode;
    const absl::string_view text = text_.substr(0, range.end);
    size_t begin = range.begin;
    for (size_t at = text.find('&', begin); at != absl::string_view::npos;
         at = text.find('&', at)) {
      const CharacterReference reference =
          FindCharacterReference(text.substr(at));
      if (reference.size == 0) {
        ++at;
        continue;
      }
      if (at > begin) builder_.AddText({begin, at}, mode);
      std::string characters;
      AppendCharacter(reference.first, characters);
      if (reference.second != 0) AppendCharacter(reference.second, characters);
      begin = at + reference.size;
      builder_.AddReference({at, begin}, characters, mode);
      at = begin;
    }
    if (begin < range.end) builder_.AddText({begin, range.end}, mode);
  }

  TextMode ModeOf(const HtmlToken& token, const HtmlElement& element) const {
    TextMode mode = scope_.top().start.mode;
    if (element.is_kept) mode.is_kept = true;
    if (element.keeps_space) mode.preserves_space = true;
    if (!uses_attributes_) return mode;
    if (HasClass(token.css_class, "notranslate")) mode.is_kept = true;
    if (absl::EqualsIgnoreCase(token.translate, "no")) mode.is_kept = true;
    if (absl::EqualsIgnoreCase(token.translate, "yes") ||
        (token.translate.data() != nullptr && token.translate.empty())) {
      mode.is_kept = false;
    }
    return mode;
  }

  void TakeStartTag(const HtmlToken& token) {
    const int32_t type = scope_.TypeOf(token.name);
    const HtmlElement element = scope_.type(type).element;
    scope_.EndImplied(type);
    if (element.content == HtmlContent::kNone) {
      return AddTag(element, {InlineTag::Kind::kEmpty, token.source});
    }
    if (element.content == HtmlContent::kTitle) return TakeTitle(token, type);
    if (element.content != HtmlContent::kMarkup) return Copy(token, type);
    const PassageBuilder::Place place = builder_.place();
    const TextMode mode = ModeOf(token, element);
    AddTag(element, {InlineTag::Kind::kOpen, token.source, type});
    scope_.Begin(type, {mode, token.source.begin, place});
  }

  void TakeEndTag(const HtmlToken& token) {
    const int32_t type = scope_.TypeOf(token.name);
    const HtmlScope::Type& record = scope_.type(type);
    const bool is_stray = record.open.empty();
    const HtmlScope::Entry top = scope_.top();
    AddTag(record.element,
           {InlineTag::Kind::kClose, token.source, type, is_stray});
    if (scope_.End(type) && top.type == type && record.name == "sup" &&
        !record.element.is_block) {
      // A footnote mark or an exponent is a sign at the word before it.
      builder_.MergeWithoutLetters(top.start.place,
                                   {top.start.begin, token.source.end});
    }
  }

  void AddTag(const HtmlElement& element, const PassageBuilder::Tag& tag) {
    if (element.is_block) {
      builder_.AddBorder();
    } else {
      builder_.AddTag(tag);
    }
  }

  void TakeTitle(const HtmlToken& token, int32_t type) {
    const HtmlElement& element = scope_.type(type).element;
    AddTag(element, {InlineTag::Kind::kOpen, token.source, type});
    const TextRange content = tokenizer_.ReadRawText(scope_.type(type).name);
    scope_.Begin(type, {ModeOf(token, element), token.source.begin, {}});
    TakeText(content);  // the end tag follows
  }

  // Takes an element whose content is not for translation as one tag.
  void Copy(const HtmlToken& token, int32_t type) {
    const HtmlScope::Type& record = scope_.type(type);
    const HtmlContent content = record.element.content;
    TextRange source = token.source;
    if (content == HtmlContent::kForeign && !token.is_self_closing) {
      foreign_begin_ = source.begin;
      return foreign_.Begin(token.name);
    }
    if (content == HtmlContent::kPlainText) {
      source.end = tokenizer_.ReadToEnd().end;
    } else if (content != HtmlContent::kForeign) {
      source.end = content == HtmlContent::kScript
                       ? tokenizer_.ReadScript().end
                       : tokenizer_.ReadRawText(record.name).end;
      HtmlToken end_tag;  // unless the text ends before
      if (tokenizer_.Next(/*in_foreign=*/false, end_tag)) {
        source.end = end_tag.source.end;
      }
    }
    AddTag(record.element, {InlineTag::Kind::kEmpty, source});
  }

  void TakeForeign(const HtmlToken& token) {
    const auto is_around = [&](absl::string_view name) {
      // Foreign content ends the head, and a later <head> has no effect.
      return name != "head" && !scope_.type(scope_.TypeOf(name)).open.empty();
    };
    switch (foreign_.Take(token, tokenizer_, is_around)) {
      case HtmlForeignContent::Place::kInside:
        return;
      case HtmlForeignContent::Place::kLast:
        return EndForeign(token.source.end);
      case HtmlForeignContent::Place::kBehind:
        EndForeign(token.source.begin);
        return Take(token);
    }
  }

  // Foreign content is like an image.
  void EndForeign(size_t end) {
    builder_.AddTag({InlineTag::Kind::kEmpty, {foreign_begin_, end}});
  }

  const absl::string_view text_;
  const bool uses_attributes_;
  HtmlTokenizer tokenizer_;
  HtmlScope scope_;
  HtmlForeignContent foreign_;
  size_t foreign_begin_ = 0;  // if foreign_.is_open()
  PassageBuilder& builder_;
};

}  // namespace

absl::Status ReadHtml(absl::string_view text, const MarkupOptions& options,
                      absl::FunctionRef<bool()> is_wanted,
                      PassageBuilder& builder) {
  return Reader(text, options, builder).Read(is_wanted);
}

}  // namespace sheaf
