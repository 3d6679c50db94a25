// SPDX-License-Identifier: Apache-2.0

#include "text/markup/xml_parser.h"

#include <expat.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

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

// Parses one text. Expat calls the static functions.
class Parser {
 public:
  Parser(absl::string_view text, absl::FunctionRef<bool()> is_wanted)
      : text_(text),
        is_wanted_(is_wanted),
        is_wrapped_(!HasProlog(text)),
        parser_(XML_ParserCreate("UTF-8")) {
    document_.elements.push_back({/*name=*/-1, /*parent=*/-1, false, "", ""});
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), &OnStart, &OnEnd);
    XML_SetCharacterDataHandler(parser_.get(), &OnText);
    XML_SetCdataSectionHandler(parser_.get(), &OnCDataBegin, &OnCDataEnd);
    XML_SetEntityDeclHandler(parser_.get(), &OnEntity);
    XML_SetDefaultHandler(parser_.get(), &OnOther);
  }

  absl::StatusOr<XmlDocument> Parse() {
    const bool is_parsed =
        is_wrapped_
            ? Feed(kBegin, false) && Feed(text_, false) && Feed(kEnd, true)
            : Feed(text_, true);
    if (!error_.ok()) return error_;
    if (!is_parsed) return ParseError();
    return std::move(document_);
  }

 private:
  struct Free {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
  };

  bool Feed(absl::string_view part, bool is_final) {
    return XML_Parse(parser_.get(), part.data(), static_cast<int>(part.size()),
                     is_final ? 1 : 0) == XML_STATUS_OK;
  }

  // "at line 3, column 7" of the text, both from 1.
  std::string Position() const {
    const auto line = XML_GetCurrentLineNumber(parser_.get());
    auto column = XML_GetCurrentColumnNumber(parser_.get());
    if (is_wrapped_ && line == 1) {
      column -= std::min<decltype(column)>(column, kBegin.size());
    }
    return absl::StrCat("at line ", line, ", column ", column + 1);
  }

  absl::Status ParseError() const {
    return absl::InvalidArgumentError(absl::StrCat(
        "text is not well-formed XML: ",
        XML_ErrorString(XML_GetErrorCode(parser_.get())), " ", Position()));
  }

  void Stop(absl::Status error) {
    if (!error_.ok()) return;
    error_ = std::move(error);
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  // The bytes of the text that the current event comes from.
  TextRange Source() const {
    const auto index =
        static_cast<size_t>(XML_GetCurrentByteIndex(parser_.get()));
    const size_t begin = index - (is_wrapped_ ? kBegin.size() : 0);
    return {begin, begin + static_cast<size_t>(
                               XML_GetCurrentByteCount(parser_.get()))};
  }

  XmlEvent& Add(Kind kind, int32_t element) {
    const TextRange source = Source();
    if (source.begin >= next_poll_) {
      constexpr size_t kBytes = 16384;  // well under a millisecond
      next_poll_ = source.begin + kBytes;
      if (!is_wanted_()) {
        Stop(absl::CancelledError("the text is not wanted"));
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

  static Parser& Of(void* self) { return *static_cast<Parser*>(self); }

  static void OnStart(void* self, const XML_Char* name,
                      const XML_Char** attributes) {
    Parser& parser = Of(self);
    if (parser.is_wrapped_ && !parser.is_begun_) {
      parser.is_begun_ = true;
      return;
    }
    XmlElement element = {parser.NameIndex(name), parser.current_, false, "",
                          ""};
    for (; *attributes != nullptr; attributes += 2) {
      const absl::string_view attribute = attributes[0];
      if (attribute == "translate" || attribute == "its:translate") {
        element.translate = attributes[1];
      } else if (attribute == "xml:space") {
        element.space = attributes[1];
      }
    }
    parser.current_ = static_cast<int32_t>(parser.document_.elements.size());
    parser.document_.elements.push_back(std::move(element));
    parser.Add(Kind::kStartTag, parser.current_);
  }

  static void OnEnd(void* self, const XML_Char*) {
    Parser& parser = Of(self);
    if (parser.current_ == 0) {  // the end tag of the root around the text
      if (parser.Source().begin < parser.text_.size()) {
        parser.Stop(absl::InvalidArgumentError(
            absl::StrCat("text is not well-formed XML: mismatched tag ",
                         parser.Position())));
      }
      return;
    }
    std::vector<XmlEvent>& events = parser.document_.events;
    if (parser.Source().size() == 0 && !events.empty() &&
        events.back().kind == Kind::kStartTag) {
      events.back().kind = Kind::kEmptyTag;
    } else {
      parser.Add(Kind::kEndTag, parser.current_);
    }
    parser.current_ = parser.element(parser.current_).parent;
  }

  static void OnText(void* self, const XML_Char* text, int size) {
    Parser& parser = Of(self);
    const absl::string_view characters(text, static_cast<size_t>(size));
    if (!absl::StripAsciiWhitespace(characters).empty()) {
      parser.element(parser.current_).has_text = true;
    }
    XmlEvent& event = parser.Add(Kind::kText, parser.current_);
    if (event.source.size() != characters.size()) {
      event.kind = Kind::kReference;
      event.characters = std::string(characters);
    }
  }

  static void OnCDataBegin(void* self) {
    Of(self).Add(Kind::kCDataBegin, Of(self).current_);
  }
  static void OnCDataEnd(void* self) {
    Of(self).Add(Kind::kCDataEnd, Of(self).current_);
  }
  static void OnOther(void* self, const XML_Char*, int) {
    Of(self).Add(Kind::kOther, Of(self).current_);
  }

  static void OnEntity(void* self, const XML_Char* name, int, const XML_Char*,
                       int, const XML_Char*, const XML_Char*, const XML_Char*,
                       const XML_Char*) {
    Parser& parser = Of(self);
    parser.Stop(absl::InvalidArgumentError(absl::StrCat(
        "text declares the entity \"", name, "\" ", parser.Position(),
        "; entities other than those of XML are not allowed")));
  }

  XmlElement& element(int32_t index) {
    return document_.elements[static_cast<size_t>(index)];
  }

  const absl::string_view text_;
  const absl::FunctionRef<bool()> is_wanted_;
  const bool is_wrapped_;
  const std::unique_ptr<std::remove_pointer_t<XML_Parser>, Free> parser_;
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
