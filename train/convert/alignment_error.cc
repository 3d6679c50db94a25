// SPDX-License-Identifier: Apache-2.0

#include "train/convert/alignment_error.h"

#include <algorithm>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/input_file.h"

namespace sheaf {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{64} << 20;

std::vector<absl::string_view> WordsOf(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(" "), absl::SkipEmpty());
}

// The number of words that end before the byte `at`, or at it.
size_t WordAt(absl::string_view text, size_t at) {
  size_t words = 0;
  for (size_t i = 0; i < at; ++i) {
    words += text[i] == ' ' && i > 0 && text[i - 1] != ' ';
  }
  return words;
}

bool ParseLink(absl::string_view text, GoldAlignment& gold) {
  const bool is_sure = absl::StrContains(text, '-');
  const std::pair<absl::string_view, absl::string_view> ends =
      absl::StrSplit(text, absl::MaxSplits(absl::ByAnyChar("-?"), 1));
  std::pair<size_t, size_t> link;
  if (!absl::SimpleAtoi(ends.first, &link.first) ||
      !absl::SimpleAtoi(ends.second, &link.second) ||
      link.first >= WordsOf(gold.source).size() ||
      link.second >= WordsOf(gold.target).size()) {
    return false;
  }
  gold.possible.insert(link);
  if (is_sure) gold.sure.insert(link);
  return true;
}

bool ParseLine(absl::string_view line, GoldAlignment& gold) {
  const std::vector<absl::string_view> columns = absl::StrSplit(line, '\t');
  if (columns.size() != 3) return false;
  gold.source = std::string(columns[0]);
  gold.target = std::string(columns[1]);
  const std::vector<absl::string_view> links = WordsOf(columns[2]);
  return std::all_of(links.begin(), links.end(), [&](absl::string_view link) {
    return ParseLink(link, gold);
  });
}

}  // namespace

absl::StatusOr<std::vector<GoldAlignment>> ReadGoldAlignments(
    const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(path, kMaxBytes);
  if (!text.ok()) return text.status();
  std::vector<GoldAlignment> gold;
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++line_number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    if (!ParseLine(line, gold.emplace_back())) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": line ", line_number,
          " is not source<TAB>target<TAB>links, with links such as 0-1 or 0?1 "
          "between words that there are"));
    }
  }
  return gold;
}

void AlignmentErrorRate::Add(const GoldAlignment& gold,
                             const TextAlignment& alignment) {
  GoldAlignment::Links found;
  for (const AlignedSpan& span : alignment) {
    if (span.source.size() == 0) continue;
    found.insert({WordAt(gold.source, span.source.begin),
                  WordAt(gold.target, span.target.begin)});
  }
  num_sure_ += static_cast<int64_t>(gold.sure.size());
  num_found_ += static_cast<int64_t>(found.size());
  for (const auto& link : found) {
    num_found_sure_ += gold.sure.contains(link);
    num_found_possible_ += gold.possible.contains(link);
  }
}

double AlignmentErrorRate::Value() const {
  const int64_t all = num_found_ + num_sure_;
  if (all == 0) return 0;
  return 1 - static_cast<double>(num_found_sure_ + num_found_possible_) /
                 static_cast<double>(all);
}

}  // namespace sheaf
