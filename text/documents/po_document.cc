// SPDX-License-Identifier: Apache-2.0

// gettext's PO and POT files. A message without a translation is translated.
// Its translation begins and ends with line breaks where the message does,
// which msgfmt demands. Comments, contexts and obsolete messages stay.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "text/documents/document_builder.h"
#include "text/documents/inline_tags.h"
#include "text/documents/inline_text.h"
#include "text/documents/plural_forms.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// A string with its keyword: msgid "..." and the lines below.
struct PoString {
  bool is_present = false;
  std::string value;
  TextRange range;  // from the keyword to the last quote
};

struct Message {
  PoString context, id, plural;
  std::array<PoString, kMaxPluralForms> translations;
  int num_translations = 0;
  bool is_begun = false;    // a keyword was read
  size_t begin = 0;         // of the first keyword
  absl::string_view flags;  // the first line of "#,"
  bool is_fuzzy = false;
  bool has_forms = false;  // of a header: has the field Plural-Forms
};

// One side of a message as a unit, if it has letters.
struct MessageText {
  InlineText text;
  std::optional<size_t> unit;

  absl::StatusOr<std::string> Translate(
      DocumentBuilder::Translations translations) const {
    auto pieces = text.Restore(unit ? translations[*unit] : "");
    if (!pieces.ok()) return pieces.status();
    return Join(*pieces);
  }
};

// The translation of one plural form, or the only one: a text to translate, or
// a string of the file that stays.
struct Form {
  std::optional<size_t> text;  // of the message's texts
  std::string kept;            // from the keyword on
};

void AppendQuoted(absl::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    constexpr absl::string_view kBytes = "\"\\\n\t\r\a\b\f\v";
    constexpr absl::string_view kLetters = "\"\\ntrabfv";
    const size_t index = kBytes.find(c);
    if (index != absl::string_view::npos) {
      out += '\\';
      out += kLetters[index];
    } else if (static_cast<uint8_t>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\%03o", c);
    } else {
      out += c;
    }
  }
  out += '"';
}

// The string as gettext's programs write it: on one line, or after an empty
// string one line for each of the text's.
std::string Quoted(absl::string_view text, absl::string_view line_end) {
  std::string out;
  const size_t first = text.find('\n');
  if (first == absl::string_view::npos || first + 1 == text.size()) {
    AppendQuoted(text, out);
    return out;
  }
  out = "\"\"";
  while (!text.empty()) {
    const size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    absl::StrAppend(&out, line_end);
    AppendQuoted(text.substr(0, size), out);
    text.remove_prefix(size);
  }
  return out;
}

// A template has this value in the place of plural forms.
constexpr absl::string_view kOpenForms = "nplurals=INTEGER; plural=EXPRESSION;";

// "pt_BR", as gettext names a language.
std::string LocaleOf(absl::string_view tag) {
  if (tag == "zh" || absl::StartsWithIgnoreCase(tag, "zh-Hans")) return "zh_CN";
  if (absl::StartsWithIgnoreCase(tag, "zh-Hant")) return "zh_TW";
  if (absl::StartsWithIgnoreCase(tag, "sr-Latn")) return "sr@latin";
  return absl::StrReplaceAll(tag, {{"-", "_"}});
}

class PoReader {
 public:
  PoReader(size_t begin, const DocumentOptions& options,
           DocumentBuilder& builder)
      : options_(options),
        builder_(builder),
        text_(builder.bytes()),
        begin_(begin),
        at_(begin),
        line_end_(
            absl::StrContains(text_.substr(0, text_.find('\n') + 1), "\r\n")
                ? "\r\n"
                : "\n") {}

  absl::Status Run();

 private:
  absl::Status ReadLine(absl::string_view line);
  absl::Status ReadComment(absl::string_view line);
  absl::Status ReadKeyword(absl::string_view line);
  absl::StatusOr<PoString*> StringOf(absl::string_view keyword);
  absl::Status ReadQuoted(absl::string_view quoted);
  absl::Status EndMessage();
  absl::Status ReadHeader();
  absl::Status ReadCharset(absl::string_view value);
  absl::Status ReadForms(absl::string_view value);
  void FillHeader();
  void AddMessage();
  size_t AddText(const PoString& string, std::vector<MessageText>& texts);
  void AddHeader();
  void MarkFuzzy();

  absl::Status Error(absl::string_view part, absl::string_view message) const {
    return builder_.Error(PositionOf(part), message);
  }
  size_t PositionOf(absl::string_view part) const {
    return part.data() - text_.data();
  }

  const DocumentOptions& options_;
  DocumentBuilder& builder_;
  const absl::string_view text_;
  const size_t begin_;
  size_t at_;
  const std::string line_end_;
  Message message_;
  PoString* open_ = nullptr;  // the string that further quotes continue
  PluralForms forms_;
  bool has_forms_ = false;
  bool has_header_ = false;
};

absl::Status PoReader::Run() {
  while (at_ < text_.size()) {
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    const absl::string_view line = text_.substr(at_, end - at_);
    at_ = std::min(end + 1, text_.size());
    absl::Status status = ReadLine(absl::StripAsciiWhitespace(line));
    if (!status.ok()) return status;
  }
  return EndMessage();
}

absl::Status PoReader::ReadLine(absl::string_view line) {
  if (line.empty()) return absl::OkStatus();
  if (line[0] == '#') return ReadComment(line);
  if (line[0] != '"') return ReadKeyword(line);
  if (open_ == nullptr) return Error(line, "a string without a keyword");
  return ReadQuoted(line);
}

absl::Status PoReader::ReadComment(absl::string_view line) {
  // It belongs to the next message.
  if (message_.num_translations > 0) {
    if (absl::Status ended = EndMessage(); !ended.ok()) return ended;
  }
  if (!absl::StartsWith(line, "#,")) return absl::OkStatus();
  if (message_.flags.empty()) message_.flags = line;
  if (absl::StrContains(line, "fuzzy")) message_.is_fuzzy = true;
  return absl::OkStatus();
}

absl::Status PoReader::ReadKeyword(absl::string_view line) {
  const size_t quote = std::min(line.find('"'), line.size());
  const absl::string_view keyword =
      absl::StripTrailingAsciiWhitespace(line.substr(0, quote));
  if (keyword == "domain") {
    open_ = nullptr;
    return EndMessage();
  }
  const bool begins = keyword == "msgctxt" || keyword == "msgid";
  if (begins && message_.num_translations > 0) {
    if (absl::Status ended = EndMessage(); !ended.ok()) return ended;
  }
  absl::StatusOr<PoString*> string = StringOf(keyword);
  if (!string.ok()) return Error(line, string.status().message());
  if ((*string)->is_present) {
    return Error(line, absl::StrCat(keyword, " twice in one message"));
  }
  if (quote == line.size()) {
    return Error(line, absl::StrCat("a string must follow ", keyword));
  }
  if (!message_.is_begun) {
    message_.is_begun = true;
    message_.begin = PositionOf(line);
  }
  open_ = *string;
  open_->is_present = true;
  open_->range.begin = PositionOf(line);
  return ReadQuoted(line.substr(quote));
}

absl::StatusOr<PoString*> PoReader::StringOf(absl::string_view keyword) {
  if (keyword == "msgctxt") return &message_.context;
  if (keyword == "msgid") return &message_.id;
  if (keyword == "msgid_plural") return &message_.plural;
  absl::string_view rest = keyword;
  if (!absl::ConsumePrefix(&rest, "msgstr")) {
    return absl::InvalidArgumentError("not a line of a PO file");
  }
  int index = 0;
  if (rest.empty() == message_.plural.is_present) {
    return absl::InvalidArgumentError(
        "msgstr[N] must follow msgid_plural, and msgstr a msgid without it");
  }
  if (!rest.empty() &&
      (!absl::ConsumePrefix(&rest, "[") || !absl::ConsumeSuffix(&rest, "]") ||
       !absl::SimpleAtoi(rest, &index) || index != message_.num_translations ||
       index >= kMaxPluralForms)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the next translation of this message must be msgstr[N] with N = ",
        message_.num_translations, ", at most ", kMaxPluralForms - 1));
  }
  message_.num_translations = std::max(message_.num_translations, index + 1);
  return &message_.translations[index];
}

absl::Status PoReader::ReadQuoted(absl::string_view quoted) {
  std::string& value = open_->value;
  size_t at = 1;
  for (; at < quoted.size() && quoted[at] != '"'; ++at) {
    if (quoted[at] != '\\') {
      value += quoted[at];
      continue;
    }
    ++at;
    // As in C: a letter, or up to three octal or any hexadecimal digits.
    size_t size = 1;
    if (at < quoted.size() && quoted[at] == 'x') {
      while (at + size < quoted.size() && size < 3 &&
             absl::ascii_isxdigit(quoted[at + size])) {
        ++size;
      }
    } else if (at < quoted.size() && quoted[at] >= '0' && quoted[at] <= '7') {
      while (at + size < quoted.size() && size < 3 &&
             quoted[at + size] >= '0' && quoted[at + size] <= '7') {
        ++size;
      }
    }
    std::string bytes;
    if (!absl::CUnescape(quoted.substr(at - 1, size + 1), &bytes)) {
      return Error(quoted.substr(at - 1), "no such escape");
    }
    value += bytes;
    at += size - 1;
  }
  if (at + 1 != quoted.size()) {
    return Error(quoted, at >= quoted.size()
                             ? "the string has no closing quote"
                             : "something follows the closing quote");
  }
  if (!IsValidUtf8(value)) return Error(quoted, "the string is not UTF-8");
  open_->range.end = PositionOf(quoted) + quoted.size();
  return absl::OkStatus();
}

absl::Status PoReader::EndMessage() {
  absl::Status status;
  if (message_.is_begun) {
    const absl::string_view begin = text_.substr(message_.begin);
    if (!message_.id.is_present) {
      status = Error(begin, "a message without msgid");
    } else if (message_.num_translations == 0) {
      status = Error(begin, "a message without msgstr");
    } else if (message_.id.value.empty() && !message_.context.is_present) {
      status = ReadHeader();
    } else {
      AddMessage();
    }
  }
  message_ = Message();
  open_ = nullptr;
  return status;
}

absl::Status PoReader::ReadHeader() {
  bool has_forms = false;
  for (absl::string_view line :
       absl::StrSplit(message_.translations[0].value, '\n')) {
    absl::Status status;
    if (absl::ConsumePrefix(&line, "Content-Type:")) status = ReadCharset(line);
    if (absl::ConsumePrefix(&line, "Plural-Forms:")) {
      has_forms = true;
      status = ReadForms(line);
    }
    if (!status.ok()) {
      return Error(text_.substr(message_.translations[0].range.begin),
                   status.message());
    }
  }
  has_header_ = true;
  message_.has_forms = has_forms;
  FillHeader();
  return absl::OkStatus();
}

absl::Status PoReader::ReadCharset(absl::string_view value) {
  constexpr absl::string_view kKey = "charset=";
  const size_t at = value.find(kKey);
  if (at == absl::string_view::npos) return absl::OkStatus();
  const absl::string_view charset =
      absl::StripAsciiWhitespace(value.substr(at + kKey.size()));
  for (absl::string_view known :
       {"UTF-8", "UTF8", "US-ASCII", "ASCII", "CHARSET"}) {
    if (absl::EqualsIgnoreCase(charset, known)) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("charset is ", charset,
                   "; only UTF-8 is read (msgconv --to-code=UTF-8 converts "
                   "the file)"));
}

absl::Status PoReader::ReadForms(absl::string_view value) {
  value = absl::StripAsciiWhitespace(value);
  if (value == absl::StripSuffix(kOpenForms, ";") || value == kOpenForms) {
    return absl::OkStatus();
  }
  absl::StatusOr<PluralForms> forms = ParsePluralForms(value);
  if (!forms.ok()) return forms.status();
  forms_ = *forms;
  has_forms_ = true;
  return absl::OkStatus();
}

// Gives values to the fields that a template leaves open.
void PoReader::FillHeader() {
  struct Fill {
    TextRange range;
    std::string text;
  };
  std::vector<Fill> fills;
  const TextRange range = message_.translations[0].range;
  const absl::string_view header = Slice(text_, range);
  const auto replace = [&](absl::string_view old, absl::string_view text) {
    const size_t at = header.find(old);
    if (at == absl::string_view::npos) return false;
    const size_t begin = range.begin + at;
    fills.push_back({{begin, begin + old.size()}, std::string(text)});
    return true;
  };
  const std::string forms = PluralFormsOf(options_.target_language);
  const bool is_template = replace("charset=CHARSET", "charset=UTF-8");
  if (!replace("\"Language: \\n",
               absl::StrCat("\"Language: ", LocaleOf(options_.target_language),
                            "\\n"))) {
    replace("\"Language:\\n",
            absl::StrCat("\"Language: ", LocaleOf(options_.target_language),
                         "\\n"));
  }
  const bool is_filled = replace(absl::StrCat("Plural-Forms: ", kOpenForms),
                                 absl::StrCat("Plural-Forms: ", forms));
  if (!message_.has_forms && absl::StrContains(text_, "msgid_plural")) {
    const bool is_line_open = !absl::EndsWith(header, "\\n\"");
    fills.push_back({{range.end, range.end},
                     absl::StrCat(line_end_, "\"", is_line_open ? "\\n" : "",
                                  "Plural-Forms: ", forms, "\\n\"")});
  }
  // A fuzzy header does not count, and only that of a template may be so.
  if ((is_template || is_filled) && message_.flags == "#, fuzzy") {
    const size_t begin = PositionOf(message_.flags);
    const size_t end = std::min(text_.find('\n', begin), text_.size() - 1) + 1;
    builder_.ReplaceWith({begin, end}, "");
  }
  std::sort(fills.begin(), fills.end(), [](const Fill& a, const Fill& b) {
    return a.range.begin < b.range.begin;
  });
  for (Fill& fill : fills) {
    builder_.ReplaceWith(fill.range, std::move(fill.text));
  }
}

size_t PoReader::AddText(const PoString& string,
                         std::vector<MessageText>& texts) {
  MessageText text;
  AddTaggedText(string.value, text.text);
  DocumentUnit unit = text.text.Finish();
  unit.line_breaks = LineBreaks::kAutomatic;
  if (!unit.text.empty()) {
    text.unit = builder_.AddUnit(std::move(unit), string.range.begin);
  }
  texts.push_back(std::move(text));
  return texts.size() - 1;
}

void PoReader::AddMessage() {
  const bool is_plural = message_.plural.is_present;
  if (is_plural && !has_forms_) {
    absl::StatusOr<PluralForms> forms =
        ParsePluralForms(PluralFormsOf(options_.target_language));
    SHEAF_CHECK(forms.ok());
    forms_ = *forms;
    has_forms_ = true;
  }
  int num_forms = is_plural ? forms_.num_forms : 1;
  // Forms beyond these stay if they have a translation.
  for (int i = num_forms; i < message_.num_translations; ++i) {
    if (!message_.translations[i].value.empty()) num_forms = i + 1;
  }
  std::vector<MessageText> texts;
  std::vector<Form> forms(num_forms);
  std::optional<size_t> one, many;
  for (int i = 0; i < num_forms; ++i) {
    const PoString& old = message_.translations[i];
    if (!old.value.empty() && !options_.retranslate) {
      forms[i].kept = std::string(Slice(text_, old.range));
      continue;
    }
    const bool is_one =
        !is_plural || (i == forms_.form_of_one && forms_.num_forms > 1);
    std::optional<size_t>& text = is_one ? one : many;
    if (!text) text = AddText(is_one ? message_.id : message_.plural, texts);
    forms[i].text = text;
  }
  if (texts.empty()) return;
  if (!has_header_) AddHeader();
  if (options_.mark_for_review && !message_.is_fuzzy) MarkFuzzy();
  const TextRange range{
      message_.translations[0].range.begin,
      message_.translations[message_.num_translations - 1].range.end};
  builder_.Replace(
      range,
      [texts = std::move(texts), forms = std::move(forms), is_plural,
       line_end = line_end_](DocumentBuilder::Translations translations,
                             absl::string_view) -> absl::StatusOr<std::string> {
        std::string out;
        for (size_t i = 0; i < forms.size(); ++i) {
          if (i > 0) out += line_end;
          if (!forms[i].text) {
            out += forms[i].kept;
            continue;
          }
          absl::StatusOr<std::string> text =
              texts[*forms[i].text].Translate(translations);
          if (!text.ok()) return text.status();
          absl::StrAppend(&out, "msgstr",
                          is_plural ? absl::StrCat("[", i, "]") : "", " ",
                          Quoted(*text, line_end));
        }
        return out;
      });
}

// Without a header, msgfmt takes no translation beyond ASCII.
void PoReader::AddHeader() {
  has_header_ = true;
  std::string header;
  for (absl::string_view line :
       {"msgid \"\"", "msgstr \"\"", "\"MIME-Version: 1.0\\n\"",
        "\"Content-Type: text/plain; charset=UTF-8\\n\"",
        "\"Content-Transfer-Encoding: 8bit\\n\""}) {
    absl::StrAppend(&header, line, line_end_);
  }
  if (!options_.target_language.empty()) {
    absl::StrAppend(&header, "\"Language: ", LocaleOf(options_.target_language),
                    "\\n\"", line_end_);
  }
  absl::StrAppend(&header,
                  "\"Plural-Forms: ", PluralFormsOf(options_.target_language),
                  "\\n\"", line_end_, line_end_);
  builder_.ReplaceWith({begin_, begin_}, std::move(header));
}

void PoReader::MarkFuzzy() {
  if (!message_.flags.empty()) {
    const size_t at = PositionOf(message_.flags) + 2;
    builder_.ReplaceWith({at, at}, " fuzzy,");
  } else {
    builder_.ReplaceWith({message_.begin, message_.begin},
                         absl::StrCat("#, fuzzy", line_end_));
  }
}

}  // namespace

absl::Status ReadPo(size_t begin, const DocumentOptions& options,
                    DocumentBuilder& builder) {
  return PoReader(begin, options, builder).Run();
}

}  // namespace sheaf
