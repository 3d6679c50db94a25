// SPDX-License-Identifier: Apache-2.0

#include "text/terms/term_list.h"

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
// Entries between two calls of `is_wanted`: one takes about a microsecond.
constexpr size_t kEntriesPerCheck = 512;

absl::Status AtLine(int64_t line, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", what));
}

TermPair PairOf(absl::string_view source, absl::string_view target) {
  return {std::string(absl::StripAsciiWhitespace(source)),
          std::string(absl::StripAsciiWhitespace(target))};
}

// Whether a term has a control character beyond ASCII or a Unicode line break,
// at which programs that read the list end a line. REQUIRES: `term` is UTF-8.
bool HasLineEnd(absl::string_view term) {
  constexpr int32_t kFirstC1 = 0x80, kLastC1 = 0x9f;
  for (size_t at = 0; at < term.size();) {
    const int32_t c = NextCharacter(term, at);
    if ((c >= kFirstC1 && c <= kLastC1) || IsLineBreak(c)) return true;
  }
  return false;
}

// The records of comma-separated values, one after the other.
class CsvReader {
 public:
  explicit CsvReader(absl::string_view text) : rest_(text) {}

  bool has_next() const { return !rest_.empty(); }
  int64_t line() const { return line_; }  // where the last record began

  // A blank line is a record with one empty field.
  absl::StatusOr<std::vector<std::string>> Next() {
    std::vector<std::string> fields;
    line_ = next_line_;
    while (true) {
      absl::StatusOr<std::string> field =
          absl::StartsWith(rest_, "\"") ? TakeQuoted() : TakePlain();
      if (!field.ok()) return field.status();
      fields.push_back(*std::move(field));
      if (!absl::ConsumePrefix(&rest_, ",")) break;
    }
    absl::ConsumePrefix(&rest_, "\r");
    absl::ConsumePrefix(&rest_, "\n");
    ++next_line_;
    return fields;
  }

 private:
  absl::StatusOr<std::string> TakePlain() {
    std::string field(rest_.substr(0, rest_.find_first_of(",\n")));
    rest_.remove_prefix(field.size());
    if (absl::StrContains(field, '"')) {
      return AtLine(line_,
                    absl::StrCat("has a quotation mark in ", Quoted(field),
                                 ", which is not quoted as a whole"));
    }
    return std::string(absl::StripSuffix(field, "\r"));
  }

  absl::StatusOr<std::string> TakeQuoted() {
    rest_.remove_prefix(1);
    std::string field;
    while (true) {
      const size_t end = rest_.find('"');
      if (end == absl::string_view::npos) {
        return AtLine(line_, "has a quotation mark without a second one");
      }
      absl::StrAppend(&field, rest_.substr(0, end));
      rest_.remove_prefix(end + 1);
      if (!absl::ConsumePrefix(&rest_, "\"")) break;
      field += '"';
    }
    if (rest_.empty() || absl::StrContains(",\r\n", rest_.front())) {
      return field;
    }
    return AtLine(line_, "has text after a second quotation mark");
  }

  absl::string_view rest_;
  int64_t line_ = 0;
  int64_t next_line_ = 1;
};

}  // namespace

absl::StatusOr<std::vector<TermPair>> ParseTermsTsv(absl::string_view text) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  std::vector<TermPair> pairs;
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const std::pair<absl::string_view, absl::string_view> fields =
        absl::StrSplit(line, absl::MaxSplits('\t', 1));
    if (!absl::StrContains(line, '\t') ||
        absl::StrContains(fields.second, '\t')) {
      return AtLine(number, absl::StrCat("is ", Quoted(line),
                                         "; allowed is a term, one tab and its "
                                         "translation"));
    }
    pairs.push_back(PairOf(fields.first, fields.second));
  }
  return pairs;
}

absl::StatusOr<std::vector<TermPair>> ParseTermsCsv(
    absl::string_view text,
    absl::FunctionRef<bool(absl::string_view source, absl::string_view target)>
        is_of_languages) {
  constexpr size_t kWithoutLanguages = 2, kWithLanguages = 4, kWithMore = 5;
  absl::ConsumePrefix(&text, kByteOrderMark);
  std::vector<TermPair> pairs;
  CsvReader reader(text);
  while (reader.has_next()) {
    const absl::StatusOr<std::vector<std::string>> fields = reader.Next();
    if (!fields.ok()) return fields.status();
    const size_t size = fields->size();
    if (size == 1 && absl::StripAsciiWhitespace((*fields)[0]).empty()) continue;
    if (size != kWithoutLanguages && size != kWithLanguages &&
        size != kWithMore) {
      return AtLine(
          reader.line(),
          absl::StrFormat("has %d fields; allowed is 2, 4 or 5", size));
    }
    if (size >= kWithLanguages &&
        !is_of_languages((*fields)[2], (*fields)[3])) {
      continue;
    }
    pairs.push_back(PairOf((*fields)[0], (*fields)[1]));
  }
  return pairs;
}

std::string TermsToTsv(absl::Span<const TermPair> pairs) {
  std::string text;
  for (const TermPair& pair : pairs) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", pair.source, "\t",
                    pair.target);
  }
  return text;
}

std::vector<TermPair> MergeTerms(std::vector<TermPair> base,
                                 std::vector<TermPair> pairs) {
  absl::flat_hash_map<std::string, size_t> places;
  for (size_t i = 0; i < base.size(); ++i) places.emplace(base[i].source, i);
  for (TermPair& pair : pairs) {
    if (const auto found = places.find(pair.source); found != places.end()) {
      base[found->second].target = std::move(pair.target);
    } else {
      base.push_back(std::move(pair));
    }
  }
  return base;
}

absl::StatusOr<std::shared_ptr<const Glossary>> GlossaryOfTerms(
    absl::Span<const TermPair> pairs, absl::FunctionRef<bool()> is_wanted) {
  const auto name = [](int32_t place) {
    return absl::StrCat("entry ", place + 1);
  };
  auto glossary = std::make_shared<Glossary>(name);
  absl::flat_hash_map<absl::string_view, int32_t> places;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (i % kEntriesPerCheck == 0 && !is_wanted()) {
      return absl::CancelledError("the terms are no longer wanted");
    }
    const auto place = static_cast<int32_t>(i);
    const TermPair& pair = pairs[i];
    const auto [earlier, is_new] = places.emplace(pair.source, place);
    absl::Status status =
        is_new ? glossary->Add(pair.source, {pair.target}, place)
               : absl::InvalidArgumentError(absl::StrCat(
                     Quoted(pair.source), " is also ", name(earlier->second)));
    if (status.ok() && (HasLineEnd(pair.source) || HasLineEnd(pair.target))) {
      status = absl::InvalidArgumentError(
          absl::StrCat(Quoted(pair.source),
                       " or its translation has a control character or a "
                       "line break"));
    }
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name(place), ": ", status.message()));
  }
  return glossary;
}

}  // namespace sheaf
