// SPDX-License-Identifier: Apache-2.0

#include "text/markup/xml_scanner.h"

#include <expat.h>

#include <algorithm>

namespace sheaf {

void XmlScanner::Free::operator()(XML_ParserStruct* parser) const {
  XML_ParserFree(parser);
}

XmlScanner::XmlScanner(bool is_utf8)
    : parser_(XML_ParserCreate(is_utf8 ? "UTF-8" : nullptr)) {
  // A struct, because its functions may call the protected ones.
  struct Handlers {
    static XmlScanner& Of(void* self) {
      return *static_cast<XmlScanner*>(self);
    }
    static void Start(void* self, const XML_Char* name,
                      const XML_Char** attributes) {
      Of(self).OnStartTag(name, attributes);
    }
    static void End(void* self, const XML_Char*) { Of(self).OnEndTag(); }
    static void Text(void* self, const XML_Char* text, int size) {
      Of(self).OnText({text, static_cast<size_t>(size)});
    }
    static void Comment(void* self, const XML_Char*) { Of(self).OnOther(); }
    static void Instruction(void* self, const XML_Char*, const XML_Char*) {
      Of(self).OnOther();
    }
    static void SkippedEntity(void* self, const XML_Char*, int) {
      Of(self).OnOther();
    }
    static void Default(void* self, const XML_Char*, int) {
      Of(self).OnProlog();
    }
    static void CDataBegin(void* self) { Of(self).OnCDataBegin(); }
    static void CDataEnd(void* self) { Of(self).OnCDataEnd(); }
    static void Declaration(void* self, const XML_Char*,
                            const XML_Char* encoding, int) {
      Of(self).OnDeclaration(encoding == nullptr ? "" : encoding);
    }
    static void Entity(void* self, const XML_Char* name, int, const XML_Char*,
                       int, const XML_Char*, const XML_Char*, const XML_Char*,
                       const XML_Char*) {
      Of(self).OnEntityDeclaration(name);
    }
  };
  XML_Parser parser = parser_.get();
  XML_SetUserData(parser, this);
  XML_SetElementHandler(parser, &Handlers::Start, &Handlers::End);
  XML_SetCharacterDataHandler(parser, &Handlers::Text);
  XML_SetCommentHandler(parser, &Handlers::Comment);
  XML_SetProcessingInstructionHandler(parser, &Handlers::Instruction);
  XML_SetCdataSectionHandler(parser, &Handlers::CDataBegin,
                             &Handlers::CDataEnd);
  XML_SetXmlDeclHandler(parser, &Handlers::Declaration);
  XML_SetEntityDeclHandler(parser, &Handlers::Entity);
  // With a default handler, entities of a document type are not expanded.
  XML_SetSkippedEntityHandler(parser, &Handlers::SkippedEntity);
  XML_SetDefaultHandler(parser, &Handlers::Default);
}

bool XmlScanner::Feed(absl::string_view part, bool is_last) {
  return XML_Parse(parser_.get(), part.data(), static_cast<int>(part.size()),
                   is_last ? 1 : 0) == XML_STATUS_OK;
}

void XmlScanner::Stop() { XML_StopParser(parser_.get(), XML_FALSE); }

TextRange XmlScanner::Position() const {
  // There is no position in an empty text.
  const auto begin = static_cast<size_t>(
      std::max<XML_Index>(XML_GetCurrentByteIndex(parser_.get()), 0));
  return {begin,
          begin + static_cast<size_t>(XML_GetCurrentByteCount(parser_.get()))};
}

int64_t XmlScanner::line() const {
  return static_cast<int64_t>(XML_GetCurrentLineNumber(parser_.get()));
}

int64_t XmlScanner::column() const {
  return static_cast<int64_t>(XML_GetCurrentColumnNumber(parser_.get()));
}

std::string XmlScanner::Error() const {
  return XML_ErrorString(XML_GetErrorCode(parser_.get()));
}

}  // namespace sheaf
