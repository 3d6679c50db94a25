// SPDX-License-Identifier: Apache-2.0

// JSON string tables: every string that is not a key is translated, except in
// members whose key begins with '@', which describe the strings of ARB files.
// Keys may occur twice. A string with plural or select arguments of ICU's
// MessageFormat gives one unit for each of its texts.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "text/documents/document_builder.h"
#include "text/documents/inline_tags.h"
#include "text/documents/inline_text.h"
#include "text/documents/message_format.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// One range of a string with its unit.
struct StringPart {
  TextRange range;  // of the string's characters
  InlineText text;
  size_t unit;
};

void AppendJsonEscaped(absl::string_view text, bool is_ascii,
                       std::string& out) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const auto character = static_cast<uint32_t>(NextCharacter(text, at));
    if (character == '"' || character == '\\') {
      out += '\\';
      out += static_cast<char>(character);
    } else if (character == '\n') {
      out += "\\n";
    } else if (character == '\t') {
      out += "\\t";
    } else if (character == '\r') {
      out += "\\r";
    } else if (character < 0x20 || (is_ascii && character > 0x7E)) {
      if (character < 0x10000) {
        absl::StrAppendFormat(&out, "\\u%04x", character);
      } else {
        absl::StrAppendFormat(&out, "\\u%04x\\u%04x",
                              0xD7C0 + (character >> 10),
                              0xDC00 + (character & 0x3FF));
      }
    } else {
      absl::StrAppend(&out, text.substr(begin, at - begin));
    }
  }
}

class JsonReader {
 public:
  JsonReader(size_t begin, DocumentBuilder& builder)
      : builder_(builder), text_(builder.bytes()), at_(begin) {
    is_ascii_ = std::none_of(text_.begin() + begin, text_.end(),
                             [](char c) { return (c & 0x80) != 0; }) &&
                HasUnicodeEscape();
  }

  absl::Status Run();

 private:
  enum class State { kValue, kAfterValue, kKeyOrEnd, kKey, kColon };

  // The files of writers that escape everything beyond ASCII stay so.
  bool HasUnicodeEscape() const {
    for (size_t at = text_.find("\\u"); at != absl::string_view::npos;
         at = text_.find("\\u", at + 2)) {
      if (!absl::StartsWith(text_.substr(at), "\\u00") ||
          (at + 4 < text_.size() && text_[at + 4] >= '8')) {
        return true;
      }
    }
    return false;
  }

  absl::Status Error(absl::string_view message) const {
    return builder_.Error(at_, message);
  }
  absl::Status Unexpected(absl::string_view expected) const {
    if (at_ == text_.size()) {
      return Error(
          absl::StrCat("the JSON ends where ", expected, " is expected"));
    }
    return Error(absl::StrCat("not JSON: ", expected, " is expected"));
  }

  absl::Status Step();
  absl::Status ReadValue();
  absl::Status ReadKey();
  absl::Status ReadAfterValue();
  void EndContainer();
  absl::Status ReadNumberOrWord();
  absl::StatusOr<std::string> ReadString();
  absl::Status ReadEscape(std::string& value);
  absl::StatusOr<uint32_t> ReadHex();
  void AddString(std::string value, TextRange range);

  bool IsKept() const { return kept_depth_ > 0; }

  DocumentBuilder& builder_;
  const absl::string_view text_;
  size_t at_;
  bool is_ascii_;
  State state_ = State::kValue;
  std::vector<char> open_;  // '{' or '['
  bool may_end_array_ = false;
  // The number of open containers when a member with '@' began, plus 1; 0
  // outside of such a member.
  size_t kept_depth_ = 0;
};

absl::Status JsonReader::Run() {
  for (;;) {
    while (at_ < text_.size() &&
           absl::StrContains(" \t\r\n", text_.substr(at_, 1))) {
      ++at_;
    }
    if (at_ == text_.size() && state_ == State::kAfterValue && open_.empty()) {
      return absl::OkStatus();
    }
    if (absl::Status status = Step(); !status.ok()) return status;
  }
}

absl::Status JsonReader::Step() {
  switch (state_) {
    case State::kValue:
      return ReadValue();
    case State::kAfterValue:
      return ReadAfterValue();
    case State::kKeyOrEnd:
      if (at_ < text_.size() && text_[at_] == '}') {
        EndContainer();
        return absl::OkStatus();
      }
      return ReadKey();
    case State::kKey:
      return ReadKey();
    case State::kColon:
      if (at_ == text_.size() || text_[at_] != ':') return Unexpected("':'");
      ++at_;
      state_ = State::kValue;
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

void JsonReader::EndContainer() {
  ++at_;
  open_.pop_back();
  state_ = State::kAfterValue;
}

absl::Status JsonReader::ReadKey() {
  if (at_ == text_.size() || text_[at_] != '"') {
    return Unexpected("a key in quotes");
  }
  absl::StatusOr<std::string> key = ReadString();
  if (!key.ok()) return key.status();
  if (!IsKept() && absl::StartsWith(*key, "@")) kept_depth_ = open_.size();
  state_ = State::kColon;
  return absl::OkStatus();
}

absl::Status JsonReader::ReadAfterValue() {
  if (open_.empty()) return Unexpected("the end of the file");
  const char close = open_.back() == '{' ? '}' : ']';
  // The member with '@' ends with its value.
  if (kept_depth_ == open_.size()) kept_depth_ = 0;
  if (at_ < text_.size() && text_[at_] == close) {
    EndContainer();
    return absl::OkStatus();
  }
  if (at_ == text_.size() || text_[at_] != ',') {
    return Unexpected(absl::StrCat("',' or '", std::string(1, close), "'"));
  }
  ++at_;
  state_ = open_.back() == '{' ? State::kKey : State::kValue;
  may_end_array_ = false;
  return absl::OkStatus();
}

absl::Status JsonReader::ReadValue() {
  if (at_ == text_.size()) return Unexpected("a value");
  const char c = text_[at_];
  if (c == '{' || c == '[') {
    open_.push_back(c);
    ++at_;
    may_end_array_ = c == '[';
    state_ = c == '{' ? State::kKeyOrEnd : State::kValue;
    return absl::OkStatus();
  }
  if (c == ']' && may_end_array_) {
    may_end_array_ = false;
    EndContainer();
    return absl::OkStatus();
  }
  may_end_array_ = false;
  state_ = State::kAfterValue;
  if (c != '"') return ReadNumberOrWord();
  const size_t begin = at_;
  absl::StatusOr<std::string> value = ReadString();
  if (!value.ok()) return value.status();
  if (!IsKept()) AddString(*std::move(value), {begin + 1, at_ - 1});
  return absl::OkStatus();
}

absl::Status JsonReader::ReadNumberOrWord() {
  for (absl::string_view word : {"true", "false", "null"}) {
    if (absl::StartsWith(text_.substr(at_), word)) {
      at_ += word.size();
      return absl::OkStatus();
    }
  }
  const auto digits = [this] {
    const size_t begin = at_;
    while (at_ < text_.size() && absl::ascii_isdigit(text_[at_])) ++at_;
    return at_ > begin;
  };
  const auto is = [this](absl::string_view bytes) {
    return at_ < text_.size() && absl::StrContains(bytes, text_.substr(at_, 1));
  };
  if (is("-")) ++at_;
  if (is("0")) {
    ++at_;
  } else if (!digits()) {
    return Unexpected("a value");
  }
  if (is(".")) {
    ++at_;
    if (!digits()) return Unexpected("a digit");
  }
  if (is("eE")) {
    ++at_;
    if (is("+-")) ++at_;
    if (!digits()) return Unexpected("a digit");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> JsonReader::ReadString() {
  std::string value;
  ++at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return value;
    }
    if (static_cast<uint8_t>(c) < 0x20) {
      return Error("a string has a control character or a line break");
    }
    if (c != '\\') {
      value += c;
      ++at_;
    } else if (absl::Status status = ReadEscape(value); !status.ok()) {
      return status;
    }
  }
  return Error("the JSON ends within a string");
}

absl::Status JsonReader::ReadEscape(std::string& value) {
  constexpr absl::string_view kLetters = "\"\\/bfnrt";
  constexpr absl::string_view kValues = "\"\\/\b\f\n\r\t";
  const absl::string_view letter = text_.substr(at_ + 1, 1);
  if (letter == "u") {
    absl::StatusOr<uint32_t> unit = ReadHex();
    if (!unit.ok()) return unit.status();
    uint32_t character = *unit;
    if (character >= 0xD800 && character < 0xDC00 &&
        absl::StartsWith(text_.substr(at_), "\\u")) {
      absl::StatusOr<uint32_t> low = ReadHex();
      if (!low.ok()) return low.status();
      if (*low < 0xDC00 || *low > 0xDFFF) return Error("half a surrogate pair");
      character = 0x10000 + ((character - 0xD800) << 10) + (*low - 0xDC00);
    }
    if (character >= 0xD800 && character < 0xE000) {
      return Error("half a surrogate pair");
    }
    AppendCharacter(static_cast<int32_t>(character), value);
    return absl::OkStatus();
  }
  const size_t index =
      letter.empty() ? absl::string_view::npos : kLetters.find(letter[0]);
  if (index == absl::string_view::npos) return Error("no such escape");
  value += kValues[index];
  at_ += 2;
  return absl::OkStatus();
}

// At "\u".
absl::StatusOr<uint32_t> JsonReader::ReadHex() {
  uint32_t unit = 0;
  for (size_t i = at_ + 2; i < at_ + 6; ++i) {
    if (i >= text_.size() || !absl::ascii_isxdigit(text_[i])) {
      return Error("\\u needs four hexadecimal digits");
    }
    const char c = absl::ascii_tolower(text_[i]);
    unit = unit * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
  }
  at_ += 6;
  return unit;
}

void JsonReader::AddString(std::string value, TextRange range) {
  std::vector<TextRange> texts = MessageTexts(value);
  const bool is_message = !texts.empty();
  if (!is_message) texts.push_back({0, value.size()});
  std::vector<StringPart> parts;
  for (const TextRange part : texts) {
    InlineText text;
    AddTaggedText(Slice(value, part), text);
    DocumentUnit unit = text.Finish();
    if (unit.text.empty()) continue;
    if (is_message && absl::StrContains(unit.text, '#')) {
      unit.do_not_translate.push_back("#");
    }
    parts.push_back({part, std::move(text),
                     builder_.AddUnit(std::move(unit), range.begin)});
  }
  if (parts.empty()) return;
  builder_.Replace(range,
                   [value = std::move(value), parts = std::move(parts),
                    is_ascii = is_ascii_](
                       DocumentBuilder::Translations translations,
                       absl::string_view raw) -> absl::StatusOr<std::string> {
                     std::string translated;
                     size_t copied = 0;
                     for (const StringPart& part : parts) {
                       translated.append(value, copied,
                                         part.range.begin - copied);
                       copied = part.range.end;
                       auto pieces = part.text.Restore(translations[part.unit]);
                       if (!pieces.ok()) return pieces.status();
                       translated += Join(*pieces);
                     }
                     translated.append(value, copied);
                     if (translated == value) return std::string(raw);
                     std::string out;
                     AppendJsonEscaped(translated, is_ascii, out);
                     return out;
                   });
}

}  // namespace

absl::Status ReadJson(size_t begin, DocumentBuilder& builder) {
  return JsonReader(begin, builder).Run();
}

}  // namespace sheaf
