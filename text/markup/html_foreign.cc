// SPDX-License-Identifier: Apache-2.0

#include "text/markup/html_foreign.h"

#include "absl/strings/ascii.h"
#include "text/markup/html_elements.h"

namespace sheaf {
namespace {

// Elements whose content is HTML again, or may be.
bool ContainsHtml(absl::string_view name) {
  for (const absl::string_view point :
       {"foreignobject", "desc", "title", "mi", "mo", "mn", "ms", "mtext",
        "annotation-xml"}) {
    if (name == point) return true;
  }
  return false;
}

// Skips the content of an HTML element that is no markup.
void SkipContent(const std::string& name, HtmlTokenizer& tokenizer) {
  switch (FindHtmlElement(name).content) {
    case HtmlContent::kRawText:
    case HtmlContent::kTitle:
      tokenizer.ReadRawText(name);
      break;
    case HtmlContent::kScript:
      tokenizer.ReadScript();
      break;
    case HtmlContent::kPlainText:
      tokenizer.ReadToEnd();
      break;
    case HtmlContent::kMarkup:
    case HtmlContent::kNone:
    case HtmlContent::kForeign:
      break;
  }
}

}  // namespace

void HtmlForeignContent::Begin(absl::string_view name) {
  Open(absl::AsciiStrToLower(name));
}

bool HtmlForeignContent::is_foreign() const {
  return is_open() && (num_html_ == 0 || ContainsHtml(names_.back()));
}

HtmlForeignContent::Place HtmlForeignContent::Take(
    const HtmlToken& token, HtmlTokenizer& tokenizer,
    absl::FunctionRef<bool(absl::string_view name)> is_around) {
  Place place = Place::kInside;
  const std::string name = absl::AsciiStrToLower(token.name);
  if (token.kind == HtmlToken::Kind::kStartTag) {
    if (num_html_ == 0 && EndsForeignContent(name)) {
      place = Place::kBehind;
    } else {
      TakeStartTag(name, token.is_self_closing, tokenizer);
    }
  } else if (token.kind == HtmlToken::Kind::kEndTag) {
    if (Close(name)) {
      if (names_.empty()) place = Place::kLast;
    } else if (is_around(name)) {
      place = Place::kBehind;
    }
  }
  if (place != Place::kInside) *this = HtmlForeignContent();
  return place;
}

void HtmlForeignContent::TakeStartTag(const std::string& name,
                                      bool is_self_closing,
                                      HtmlTokenizer& tokenizer) {
  const bool is_in_html = num_html_ > 0;
  if (is_self_closing ||
      (is_in_html && FindHtmlElement(name).content == HtmlContent::kNone)) {
    return;
  }
  if (is_in_html && !ContainsHtml(name)) SkipContent(name, tokenizer);
  Open(name);
}

void HtmlForeignContent::Open(const std::string& name) {
  names_.push_back(name);
  ++count_[name];
  if (ContainsHtml(name)) ++num_html_;
}

// Ends the innermost element of the name and those within it. False if there is
// none.
bool HtmlForeignContent::Close(const std::string& name) {
  const auto found = count_.find(name);
  if (found == count_.end() || found->second == 0) return false;
  for (bool is_found = false; !is_found;) {
    is_found = names_.back() == name;
    --count_[names_.back()];
    if (ContainsHtml(names_.back())) --num_html_;
    names_.pop_back();
  }
  return true;
}

}  // namespace sheaf
