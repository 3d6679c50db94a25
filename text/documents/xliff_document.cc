// SPDX-License-Identifier: Apache-2.0

// XLIFF 1.2 and 2.0. The sources of trans-units and segments are translated
// into their targets, unless they have a translation, are approved, or are not
// to be translated. Inline elements are codes; the content of those that hold
// codes of the original format is never translated. All other bytes stay.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/documents/document_builder.h"
#include "text/documents/inline_text.h"
#include "text/documents/xml_attributes.h"
#include "text/markup/xml_scanner.h"

namespace sheaf {
namespace {

struct Element {
  std::string name;  // without a prefix
  TextRange tag;     // the start tag
  bool is_translated;
};

struct Target {
  bool is_present = false;
  TextRange range;  // of the element
  TextRange tag;    // its start tag
  std::string state;
  bool has_content = false;
};

// A trans-unit or a segment.
struct XliffMessage {
  bool is_translated = true;
  bool is_approved = false;
  TextRange tag;
  std::string state;  // of a segment
  std::shared_ptr<InlineText> source;
  TextRange source_range;  // the element
  TextRange content;       // within it
  std::string prefix;      // of the element's name, with its colon
  Target target;
};

bool IsOneOf(absl::string_view name,
             std::initializer_list<absl::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A name, its value, the next name, and so on, then null.
using Attributes = const char* const*;

absl::string_view AttributeOf(Attributes attributes, absl::string_view name) {
  for (; attributes[0] != nullptr; attributes += 2) {
    if (name == attributes[0]) return attributes[1];
  }
  return "";
}

absl::string_view LocalName(absl::string_view name) {
  return name.substr(
      name.find(':') == absl::string_view::npos ? 0 : name.find(':') + 1);
}

class XliffReader : private XmlScanner {
 public:
  XliffReader(const DocumentOptions& options, DocumentBuilder& builder)
      : XmlScanner(/*is_utf8=*/false),
        options_(options),
        builder_(builder),
        text_(builder.bytes()) {}

  absl::Status Run();

 private:
  struct Edit {
    TextRange range;
    DocumentBuilder::Render render;
  };

  absl::string_view Parent() const {
    return elements_.empty() ? absl::string_view() : elements_.back().name;
  }

  void Fail(absl::Status status);
  void OnStartTag(absl::string_view name, Attributes attributes) override;
  void OnEndTag() override;
  void OnText(absl::string_view text) override;
  void OnOther() override;
  void OnDeclaration(absl::string_view encoding) override;

  void StartLanguage(absl::string_view name, Attributes attributes);
  void StartInline(absl::string_view name, Attributes attributes);
  void EndInline();
  void StartPart(absl::string_view name, absl::string_view full_name,
                 Attributes attributes);
  void EndMessage();
  bool HasTranslation() const;
  void AddTarget();

  const DocumentOptions& options_;
  DocumentBuilder& builder_;
  const absl::string_view text_;
  absl::Status status_;
  bool is_version_2_ = false;
  std::vector<Element> elements_;
  std::vector<Edit> languages_;  // attributes that are missing
  std::vector<Edit> edits_;

  XliffMessage message_;
  bool is_in_message_ = false;
  size_t source_depth_ = 0;  // elements at the source's start; 0: outside
  size_t code_depth_ = 0;    // elements at the start of a code; 0: outside
  bool is_code_kept_ = false;
  std::string code_text_;
  size_t target_depth_ = 0;
};

absl::Status XliffReader::Run() {
  const bool is_parsed = Feed(text_, /*is_last=*/true);
  if (!status_.ok()) return status_;
  if (!is_parsed) {
    return builder_.Error(Position().begin,
                          absl::StrCat("not well-formed XML: ", Error()));
  }
  if (!edits_.empty()) {
    edits_.insert(edits_.end(), std::make_move_iterator(languages_.begin()),
                  std::make_move_iterator(languages_.end()));
  }
  std::stable_sort(edits_.begin(), edits_.end(),
                   [](const Edit& a, const Edit& b) {
                     return a.range.begin < b.range.begin;
                   });
  for (Edit& edit : edits_)
    builder_.Replace(edit.range, std::move(edit.render));
  return absl::OkStatus();
}

void XliffReader::Fail(absl::Status status) {
  status_.Update(std::move(status));
  Stop();
}

void XliffReader::OnDeclaration(absl::string_view encoding) {
  if (encoding.empty() || absl::EqualsIgnoreCase(encoding, "UTF-8") ||
      absl::EqualsIgnoreCase(encoding, "US-ASCII")) {
    return;
  }
  Fail(builder_.Error(
      0, absl::StrCat("the encoding is ", encoding, "; only UTF-8 is read")));
}

void XliffReader::OnStartTag(absl::string_view full_name,
                             Attributes attributes) {
  const absl::string_view name = LocalName(full_name);
  if (elements_.empty() && name != "xliff") {
    Fail(builder_.Error(
        Position().begin,
        absl::StrCat("the root element is ", full_name, ", not xliff")));
    return;
  }
  if (source_depth_ > 0) {
    if (code_depth_ == 0) StartInline(name, attributes);
  } else if (target_depth_ > 0) {
    message_.target.has_content = true;
  } else {
    StartPart(name, full_name, attributes);
  }
  const absl::string_view translate = AttributeOf(attributes, "translate");
  const bool inherited = elements_.empty() || elements_.back().is_translated;
  elements_.push_back({std::string(name), Position(),
                       translate.empty() ? inherited : translate == "yes"});
  if (is_in_message_ && IsOneOf(name, {"trans-unit", "segment"})) {
    message_.is_translated = elements_.back().is_translated;
  }
}

void XliffReader::StartLanguage(absl::string_view name, Attributes attributes) {
  if (name == "xliff") {
    is_version_2_ = absl::StartsWith(AttributeOf(attributes, "version"), "2");
  }
  if (name != (is_version_2_ ? "xliff" : "file")) return;
  const absl::string_view attribute =
      is_version_2_ ? "trgLang" : "target-language";
  const absl::string_view language = AttributeOf(attributes, attribute);
  const std::string& target = options_.target_language;
  if (target.empty()) return;
  if (language.empty()) {
    languages_.push_back({Position(),
                          [attribute, target](DocumentBuilder::Translations,
                                              absl::string_view tag)
                              -> absl::StatusOr<std::string> {
                            return WithAttribute(tag, attribute, target);
                          }});
    return;
  }
  const auto primary = [](absl::string_view tag) {
    return absl::AsciiStrToLower(tag.substr(0, tag.find_first_of("-_")));
  };
  if (primary(language) != primary(target)) {
    Fail(builder_.Error(Position().begin,
                        absl::StrCat(attribute, " is ", language,
                                     ", but the target language is ", target)));
  }
}

void XliffReader::StartPart(absl::string_view name, absl::string_view full_name,
                            Attributes attributes) {
  StartLanguage(name, attributes);
  if (IsOneOf(name, {"trans-unit", "segment"})) {
    message_ = XliffMessage();
    message_.is_approved = AttributeOf(attributes, "approved") == "yes";
    message_.tag = Position();
    message_.state = std::string(AttributeOf(attributes, "state"));
    is_in_message_ = true;
    return;
  }
  // A source or target of an alternative has another parent.
  if (!is_in_message_ || !IsOneOf(Parent(), {"trans-unit", "segment"})) return;
  if (IsOneOf(name, {"source", "seg-source"})) {
    source_depth_ = elements_.size() + 1;
    message_.source = std::make_shared<InlineText>();
    message_.source_range = message_.content = Position();
    message_.prefix =
        std::string(full_name.substr(0, full_name.size() - name.size()));
  } else if (name == "target") {
    target_depth_ = elements_.size() + 1;
    message_.target.is_present = true;
    message_.target.range = message_.target.tag = Position();
    message_.target.state = std::string(AttributeOf(attributes, "state"));
  }
}

void XliffReader::StartInline(absl::string_view name, Attributes attributes) {
  const bool is_kept = AttributeOf(attributes, "translate") == "no" ||
                       AttributeOf(attributes, "mtype") == "protected";
  if (IsOneOf(name, {"g", "pc", "mrk"}) && !is_kept) {
    message_.source->Open(Slice(text_, Position()));
    return;
  }
  code_depth_ = elements_.size() + 1;
  is_code_kept_ = is_kept;
  code_text_.clear();
}

void XliffReader::EndInline() {
  if (code_depth_ == 0) {
    message_.source->Close(Slice(text_, Position()));
  } else if (code_depth_ == elements_.size()) {
    const absl::string_view raw =
        Slice(text_, {elements_.back().tag.begin, Position().end});
    if (is_code_kept_ && !code_text_.empty()) {
      message_.source->AddKept(raw, code_text_);
    } else {
      message_.source->AddCode(raw);
    }
    code_depth_ = 0;
  }
}

void XliffReader::OnEndTag() {
  if (!status_.ok()) return;  // The end of an empty element follows Fail().
  const size_t depth = elements_.size();
  if (depth == source_depth_) {
    message_.content = {message_.content.end,
                        std::max(message_.content.end, Position().begin)};
    message_.source_range.end = Position().end;
    source_depth_ = 0;
  } else if (source_depth_ > 0) {
    EndInline();
  } else if (depth == target_depth_) {
    message_.target.range.end = Position().end;
    target_depth_ = 0;
  } else if (is_in_message_ && IsOneOf(Parent(), {"trans-unit", "segment"})) {
    EndMessage();
  }
  elements_.pop_back();
}

void XliffReader::OnText(absl::string_view text) {
  if (code_depth_ > 0) {
    absl::StrAppend(&code_text_, text);
  } else if (source_depth_ > 0) {
    message_.source->AddText(text);
  } else if (target_depth_ > 0 && !absl::StripAsciiWhitespace(text).empty()) {
    message_.target.has_content = true;
  }
}

// A comment, a processing instruction, or an entity of a DTD.
void XliffReader::OnOther() {
  if (source_depth_ > 0 && code_depth_ == 0) {
    message_.source->AddCode(Slice(text_, Position()));
  }
}

bool XliffReader::HasTranslation() const {
  const Target& target = message_.target;
  if (!target.is_present || !target.has_content) return false;
  // Tools copy the source into targets that are still to be translated.
  return is_version_2_ ? message_.state != "initial"
                       : !IsOneOf(target.state, {"new", "needs-translation"});
}

void XliffReader::EndMessage() {
  is_in_message_ = false;
  if (message_.source == nullptr || !message_.is_translated) return;
  if (message_.target.has_content && message_.is_approved) return;
  if (HasTranslation() && !options_.retranslate) return;
  AddTarget();
}

void XliffReader::AddTarget() {
  if (is_version_2_) {
    edits_.push_back({message_.tag,
                      [](DocumentBuilder::Translations,
                         absl::string_view tag) -> absl::StatusOr<std::string> {
                        return WithAttribute(tag, "state", "translated");
                      }});
  }
  DocumentUnit unit = message_.source->Finish();
  const std::string source_text = unit.text;
  const bool has_unit = !unit.text.empty();
  const size_t index =
      has_unit ? builder_.AddUnit(std::move(unit), message_.content.begin) : 0;

  // A new target goes below the source and is indented like it.
  const Target& old = message_.target;
  const std::string name = absl::StrCat(message_.prefix, "target");
  std::string before, tag;
  TextRange range = old.range;
  if (old.is_present) {
    tag = std::string(Slice(text_, old.tag));
    if (absl::EndsWith(tag, "/>")) {
      tag = absl::StrCat(
          absl::StripTrailingAsciiWhitespace(tag.substr(0, tag.size() - 2)),
          ">");
    }
  } else {
    const size_t begin = message_.source_range.begin;
    const size_t line = text_.rfind('\n', begin) + 1;
    const absl::string_view indent = text_.substr(line, begin - line);
    if (line > 0 && absl::StripAsciiWhitespace(indent).empty()) {
      const bool has_cr = line > 1 && text_[line - 2] == '\r';
      before = absl::StrCat(has_cr ? "\r\n" : "\n", indent);
    }
    tag = absl::StrCat("<", name, ">");
    range = {message_.source_range.end, message_.source_range.end};
  }
  if (!is_version_2_) {
    tag = WithAttribute(
        tag, "state",
        options_.mark_for_review ? "needs-review-translation" : "translated");
    tag = WithAttribute(tag, "state-qualifier", "leveraged-mt");
  }
  edits_.push_back(
      {range,
       [source = message_.source, source_text, has_unit, index, before, tag,
        name, content = std::string(Slice(text_, message_.content))](
           DocumentBuilder::Translations translations,
           absl::string_view) -> absl::StatusOr<std::string> {
         std::string out = absl::StrCat(before, tag);
         if (!has_unit || translations[index] == source_text) {
           out += content;
         } else {
           absl::StatusOr<std::vector<InlinePiece>> pieces =
               source->Restore(translations[index]);
           if (!pieces.ok()) return pieces.status();
           for (const InlinePiece& piece : *pieces) {
             if (piece.is_code) {
               out += piece.text;
             } else {
               AppendEscaped(piece.text, out);
             }
           }
         }
         absl::StrAppend(&out, "</", name, ">");
         return out;
       }});
}

}  // namespace

absl::Status ReadXliff(size_t, const DocumentOptions& options,
                       DocumentBuilder& builder) {
  return XliffReader(options, builder).Run();
}

}  // namespace sheaf
