// SPDX-License-Identifier: Apache-2.0

#include "text/markup/xml_parser.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "text/markup/xml_scanner.h"

namespace sheaf {
namespace {

using Kind = XmlEvent::Kind;

// Stands around a text that may have several roots.
constexpr absl::string_view kBegin = "<sheaf>";
constexpr absl::string_view kEnd = "</sheaf>";

// Whether the text can be a document only, by what stands before its first
// element: an XML declaration or a DOCTYPE.
bool HasProlog(absl::string_view text) {
  absl::ConsumePrefix(&text, "\uFEFF");
  if (absl::StartsWith(text, "<?xml ")) return true;
  for (;;) {
    text = absl::StripLeadingAsciiWhitespace(text);
    absl::string_view end;
    if (absl::StartsWith(text, "<!--")) {
      end = "-->";
    } else if (absl::StartsWith(text, "<?")) {
      end = "?>";
    } else {
      return absl::StartsWith(text, "<!DOCTYPE");
    }
    const size_t found = text.find(end);
    if (found == absl::string_view::npos) return false;
    text.remove_prefix(found + end.size());
  }
}

// Parses one text.
class Parser : private XmlScanner {
 public:
  Parser(absl::string_view text, absl::FunctionRef<bool()> is_wanted)
      : XmlScanner(/*is_utf8=*/true),
        text_(text),
        is_wanted_(is_wanted),
        is_wrapped_(!HasProlog(text)) {
    document_.elements.push_back({/*name=*/-1, /*parent=*/-1, false, "", ""});
  }

  absl::StatusOr<XmlDocument> Parse() {
    const bool is_parsed =
        is_wrapped_
            ? Feed(kBegin, false) && Feed(text_, false) && Feed(kEnd, true)
            : Feed(text_, true);
    if (!error_.ok()) return error_;
    if (!is_parsed) {
      return absl::InvalidArgumentError(
          absl::StrCat("text is not well-formed XML: ", Error(), " ", Place()));
    }
    return std::move(document_);
  }

 private:
  // "at line 3, column 7" of the text, both from 1.
  std::string Place() const {
    int64_t at = column();
    if (is_wrapped_ && line() == 1) {
      at -= std::min<int64_t>(at, kBegin.size());
    }
    return absl::StrCat("at line ", line(), ", column ", at + 1);
  }

  void Fail(absl::Status error) {
    if (!error_.ok()) return;
    error_ = std::move(error);
    Stop();
  }

  // The bytes of the text that the current event comes from.
  TextRange Source() const {
    const size_t before = is_wrapped_ ? kBegin.size() : 0;
    const TextRange range = Position();
    return {range.begin - before, range.end - before};
  }

  XmlEvent& Add(Kind kind, int32_t element) {
    const TextRange source = Source();
    if (source.begin >= next_poll_) {
      constexpr size_t kBytes = 16384;  // well under a millisecond
      next_poll_ = source.begin + kBytes;
      if (!is_wanted_()) {
        Fail(absl::CancelledError("the text is not wanted"));
      }
    }
    document_.events.push_back({kind, element, source, ""});
    return document_.events.back();
  }

  int32_t NameIndex(absl::string_view name) {
    const auto [it, is_new] = names_.try_emplace(
        std::string(name), static_cast<int32_t>(document_.names.size()));
    if (is_new) document_.names.emplace_back(name);
    return it->second;
  }

  void OnStartTag(absl::string_view name, Attributes attributes) override {
    if (is_wrapped_ && !is_begun_) {
      is_begun_ = true;
      return;
    }
    XmlElement started = {NameIndex(name), current_, false, "", ""};
    for (; *attributes != nullptr; attributes += 2) {
      const absl::string_view attribute = attributes[0];
      if (attribute == "translate" || attribute == "its:translate") {
        started.translate = attributes[1];
      } else if (attribute == "xml:space") {
        started.space = attributes[1];
      }
    }
    current_ = static_cast<int32_t>(document_.elements.size());
    document_.elements.push_back(std::move(started));
    Add(Kind::kStartTag, current_);
  }

  void OnEndTag() override {
    if (current_ == 0) {  // the end tag of the root around the text
      if (Source().begin < text_.size()) {
        Fail(absl::InvalidArgumentError(absl::StrCat(
            "text is not well-formed XML: mismatched tag ", Place())));
      }
      return;
    }
    std::vector<XmlEvent>& events = document_.events;
    if (Source().size() == 0 && !events.empty() &&
        events.back().kind == Kind::kStartTag) {
      events.back().kind = Kind::kEmptyTag;
    } else {
      Add(Kind::kEndTag, current_);
    }
    current_ = element(current_).parent;
  }

  void OnText(absl::string_view characters) override {
    if (!absl::StripAsciiWhitespace(characters).empty()) {
      element(current_).has_text = true;
    }
    XmlEvent& event = Add(Kind::kText, current_);
    if (event.source.size() != characters.size()) {
      event.kind = Kind::kReference;
      event.characters = std::string(characters);
    }
  }

  void OnCDataBegin() override { Add(Kind::kCDataBegin, current_); }
  void OnCDataEnd() override { Add(Kind::kCDataEnd, current_); }
  void OnOther() override { Add(Kind::kOther, current_); }
  void OnProlog() override { Add(Kind::kOther, current_); }
  void OnDeclaration(absl::string_view) override {
    Add(Kind::kOther, current_);
  }

  void OnEntityDeclaration(absl::string_view name) override {
    Fail(absl::InvalidArgumentError(
        absl::StrCat("text declares the entity \"", name, "\" ", Place(),
                     "; entities other than those of XML are not allowed")));
  }

  XmlElement& element(int32_t index) {
    return document_.elements[static_cast<size_t>(index)];
  }

  const absl::string_view text_;
  const absl::FunctionRef<bool()> is_wanted_;
  const bool is_wrapped_;
  bool is_begun_ = false;  // the root around the text, if it has one
  absl::Status error_;
  XmlDocument document_;
  absl::flat_hash_map<std::string, int32_t> names_;
  int32_t current_ = 0;  // the innermost open element
  size_t next_poll_ = 0;
};

}  // namespace

absl::StatusOr<XmlDocument> ParseXml(absl::string_view text,
                                     absl::FunctionRef<bool()> is_wanted) {
  constexpr size_t kMaxBytes = std::numeric_limits<int>::max() / 2;
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "text has ", text.size(), " bytes; an XML text may have ", kMaxBytes));
  }
  return Parser(text, is_wanted).Parse();
}

}  // namespace sheaf
