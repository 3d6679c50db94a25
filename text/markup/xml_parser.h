// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

struct XmlEvent {
  enum class Kind {
    kStartTag,
    kEndTag,
    kEmptyTag,
    kText,        // as in the source, except for line ends
    kReference,   // a character reference or a line end, with its characters
    kCDataBegin,  // "<![CDATA["
    kCDataEnd,    // "]]>"
    kOther,       // a comment, a processing instruction, a part of the DTD
  };
  Kind kind;
  int32_t element;  // the element that begins or ends, or else stands around it
  TextRange source;
  std::string characters;  // for kReference
};

struct XmlElement {
  int32_t name;           // the same for elements with the same name
  int32_t parent;         // -1 for the root
  bool has_text = false;  // of its own, other than white space
  // The values of its attributes, "" if it has none.
  std::string translate;  // "translate" or "its:translate"
  std::string space;      // "xml:space"
};

// An XML text as events in the order of the source. They cover all of it within
// the root element. Element 0 is a root around the whole text, which has no
// events.
struct XmlDocument {
  std::vector<XmlEvent> events;
  std::vector<XmlElement> elements;  // in the order of their start tags
  std::vector<std::string> names;    // by XmlElement::name
};

// Parses an XML document, or several elements and texts without a root. Errors
// are those of ParseMarkup(). It neither reads files nor expands entities. The
// time is linear, whatever the depth. REQUIRES: `text` is UTF-8.
absl::StatusOr<XmlDocument> ParseXml(absl::string_view text,
                                     absl::FunctionRef<bool()> is_wanted);

}  // namespace sheaf
