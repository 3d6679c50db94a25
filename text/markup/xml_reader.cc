// SPDX-License-Identifier: Apache-2.0

#include "text/markup/xml_reader.h"

#include <algorithm>
#include <string>
#include <vector>

#include "text/markup/xml_parser.h"

namespace sheaf {
namespace {

using Kind = XmlEvent::Kind;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// An element as the options see it.
struct Role {
  bool is_splitting = false;
  bool is_non_splitting = false;
  bool is_ignored = false;
};

// Tells which elements bound passages and which are kept.
class Outline {
 public:
  Outline(const XmlDocument& document, const MarkupOptions& options)
      : elements_(document.elements), options_(options) {
    roles_.reserve(document.names.size());
    for (const std::string& name : document.names) {
      roles_.push_back({Contains(options.splitting_tags, name),
                        Contains(options.non_splitting_tags, name),
                        Contains(options.ignored_tags, name)});
    }
    FindText();
    FindBorders();
  }

  bool is_border(int32_t element) const { return is_border_[Index(element)]; }
  PassageBuilder::TextMode mode(int32_t element) const {
    return modes_[Index(element)];
  }

 private:
  static size_t Index(int32_t element) { return static_cast<size_t>(element); }

  Role role(const XmlElement& element) const {
    return element.name < 0 ? Role() : roles_[Index(element.name)];
  }

  // The text of a non-splitting element is also text of its parent. Children
  // come after their parents.
  void FindText() {
    has_text_.resize(elements_.size());
    for (size_t i = elements_.size(); i-- > 0;) {
      const XmlElement& element = elements_[i];
      if (element.has_text) has_text_[i] = true;
      if (has_text_[i] && element.parent >= 0 &&
          role(element).is_non_splitting) {
        has_text_[Index(element.parent)] = true;
      }
    }
  }

  void FindBorders() {
    is_border_.resize(elements_.size());
    modes_.resize(elements_.size());
    // Whether the children of the element stand in a passage.
    std::vector<bool> is_passage(elements_.size());
    for (size_t i = 0; i < elements_.size(); ++i) {
      const XmlElement& element = elements_[i];
      const Role role = this->role(element);
      const bool has_parent = element.parent >= 0;
      const size_t parent = has_parent ? Index(element.parent) : 0;
      const bool is_in_passage = has_parent && is_passage[parent];
      is_border_[i] =
          !role.is_non_splitting &&
          (role.is_splitting || (options_.outline_detection && !is_in_passage));
      is_passage[i] = has_text_[i] || !is_border_[i];
      modes_[i] =
          ModeOf(element, role,
                 has_parent ? modes_[parent] : PassageBuilder::TextMode());
    }
  }

  PassageBuilder::TextMode ModeOf(const XmlElement& element, const Role& role,
                                  PassageBuilder::TextMode mode) const {
    if (role.is_ignored) mode.is_kept = true;
    if (options_.translate_attributes) {
      if (element.translate == "no") mode.is_kept = true;
      if (element.translate == "yes") mode.is_kept = false;
    }
    if (element.space == "preserve") mode.preserves_space = true;
    if (element.space == "default") mode.preserves_space = false;
    return mode;
  }

  const std::vector<XmlElement>& elements_;
  const MarkupOptions& options_;
  std::vector<Role> roles_;  // by name
  std::vector<bool> has_text_;
  std::vector<bool> is_border_;
  std::vector<PassageBuilder::TextMode> modes_;
};

void AddTag(const XmlEvent& event, InlineTag::Kind kind, const Outline& outline,
            const XmlDocument& document, PassageBuilder& builder) {
  if (outline.is_border(event.element)) return builder.AddBorder();
  const auto index = static_cast<size_t>(event.element);
  builder.AddTag({kind, event.source, document.elements[index].name});
}

// A CDATA section, from its event `first`. Returns the event of its end. One
// without text is kept like a comment. The text of others is written with
// entities, so that the section as a whole belongs to the passage.
size_t AddCData(const std::vector<XmlEvent>& events, size_t first,
                PassageBuilder::TextMode mode, PassageBuilder& builder) {
  size_t last = first + 1;
  while (events[last].kind != Kind::kCDataEnd) ++last;
  const TextRange section = {events[first].source.begin,
                             events[last].source.end};
  builder.AddSection(
      section, {events[first].source.end, events[last].source.begin}, mode);
  return last;
}

}  // namespace

absl::Status ReadXml(absl::string_view text, const MarkupOptions& options,
                     absl::FunctionRef<bool()> is_wanted,
                     PassageBuilder& builder) {
  const absl::StatusOr<XmlDocument> document = ParseXml(text, is_wanted);
  if (!document.ok()) return document.status();
  const Outline outline(*document, options);
  const std::vector<XmlEvent>& events = document->events;
  constexpr size_t kEvents = 4096;  // well under a millisecond
  for (size_t i = 0; i < events.size(); ++i) {
    if (i % kEvents == 0 && !is_wanted()) {
      return absl::CancelledError("the text is not wanted");
    }
    const XmlEvent& event = events[i];
    const PassageBuilder::TextMode mode = outline.mode(event.element);
    switch (event.kind) {
      case Kind::kStartTag:
        AddTag(event, InlineTag::Kind::kOpen, outline, *document, builder);
        break;
      case Kind::kEndTag:
        AddTag(event, InlineTag::Kind::kClose, outline, *document, builder);
        break;
      case Kind::kEmptyTag:
        AddTag(event, InlineTag::Kind::kEmpty, outline, *document, builder);
        break;
      case Kind::kText:
        builder.AddText(event.source, mode);
        break;
      case Kind::kReference:
        builder.AddReference(event.source, event.characters, mode);
        break;
      case Kind::kCDataBegin:
        i = AddCData(events, i, mode, builder);
        break;
      case Kind::kCDataEnd:
      case Kind::kOther:
        builder.AddTag({InlineTag::Kind::kEmpty, event.source});
        break;
    }
  }
  builder.AddBorder();
  return absl::OkStatus();
}

}  // namespace sheaf
