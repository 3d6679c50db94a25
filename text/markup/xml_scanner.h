// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "text/marks.h"

struct XML_ParserStruct;  // of expat

namespace sheaf {

// Reads XML with expat, which no other file includes, and calls a function for
// each event in the order of the text. It neither reads files nor expands
// entities. The time is linear, whatever the depth.
//
// Not thread-safe.
class XmlScanner {
 public:
  virtual ~XmlScanner() = default;
  XmlScanner(const XmlScanner&) = delete;
  XmlScanner& operator=(const XmlScanner&) = delete;

 protected:
  // A name, its value, the next name, and so on, then null.
  using Attributes = const char* const*;

  // Whether the text is UTF-8 whatever it declares.
  explicit XmlScanner(bool is_utf8);

  virtual void OnStartTag(absl::string_view name, Attributes attributes) = 0;
  // Follows OnStartTag() for an empty tag, also after Stop().
  virtual void OnEndTag() = 0;
  // A part of a text, in which references are resolved.
  virtual void OnText(absl::string_view text) = 0;
  // A comment, a processing instruction, or an entity that is not expanded.
  virtual void OnOther() = 0;
  // Parts of the document type and other text outside of the root element.
  virtual void OnProlog() {}
  virtual void OnCDataBegin() {}
  virtual void OnCDataEnd() {}
  // The XML declaration. `encoding` is empty if it names none.
  virtual void OnDeclaration(absl::string_view encoding) = 0;
  virtual void OnEntityDeclaration(absl::string_view) {}

  // Reads the next part of the text. Returns false if the text is not
  // well-formed so far, or once Stop() was called. REQUIRES: the parts have at
  // most INT_MAX bytes in total.
  [[nodiscard]] bool Feed(absl::string_view part, bool is_last);
  // Makes Feed() return false.
  void Stop();

  // The bytes of the event, in all parts together. After an error it begins
  // where that is.
  TextRange Position() const;
  // The place of Position().begin: a line, from 1, and a column, from 0.
  int64_t line() const;
  int64_t column() const;
  std::string Error() const;  // of Feed()

 private:
  struct Free {
    void operator()(XML_ParserStruct* parser) const;
  };

  const std::unique_ptr<XML_ParserStruct, Free> parser_;
};

}  // namespace sheaf
