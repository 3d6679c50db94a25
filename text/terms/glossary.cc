// SPDX-License-Identifier: Apache-2.0

#include "text/terms/glossary.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "text/checks/word_borders.h"
#include "text/terms/words.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr uint64_t kHashStart = 0xcbf29ce484222325;
constexpr uint64_t kHashPrime = 0x100000001b3;
constexpr size_t kMaxTextBytes = std::numeric_limits<uint32_t>::max();

// The folded characters of a word, with one before it if it follows the word
// before at a distance.
template <typename Take>
void ForEachFolded(absl::string_view text, const Word& word, bool is_first,
                   Take take) {
  if (!is_first && word.follows_space) take(' ');
  for (size_t at = word.range.begin; at < word.range.end;) {
    take(FoldCase(NextCharacter(text, at)));
  }
}

uint64_t HashWith(uint64_t hash, absl::string_view text, const Word& word,
                  bool is_first) {
  ForEachFolded(text, word, is_first, [&](int32_t character) {
    hash = (hash ^ static_cast<uint32_t>(character)) * kHashPrime;
  });
  // The end of a word, so that "ab" is not "a" and "b".
  return (hash ^ 1) * kHashPrime;
}

std::string Folded(absl::string_view text, absl::Span<const Word> words) {
  std::string folded;
  for (const Word& word : words) {
    ForEachFolded(text, word, &word == &words.front(), [&](int32_t character) {
      AppendCharacter(character, folded);
    });
  }
  return folded;
}

std::string Folded(absl::string_view text) {
  return Folded(text, SplitIntoWords(text));
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), absl::ascii_iscntrl);
}

absl::Status CheckTerm(absl::string_view what, absl::string_view term) {
  if (!term.empty() && term.size() <= Glossary::kMaxTermBytes &&
      IsValidUtf8(term) && !HasControl(term)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "the %s is %s; allowed is 1..%d bytes of UTF-8 without control "
      "characters",
      what, Quoted(term), Glossary::kMaxTermBytes));
}

absl::Status CheckTarget(absl::string_view target) {
  absl::Status status = CheckTerm("target", target);
  if (!status.ok() || !absl::ConsumeSuffix(&target, "*")) return status;
  if (HasWordBefore(target, target.size())) return status;
  return absl::InvalidArgumentError(absl::StrFormat(
      "the target is %s*; allowed is \"*\" after a letter or digit",
      Quoted(target)));
}

}  // namespace

absl::Status Glossary::Add(absl::string_view source,
                           absl::Span<const absl::string_view> targets,
                           int32_t place) {
  source = absl::StripAsciiWhitespace(source);
  if (absl::Status status = CheckTerm("source", source); !status.ok()) {
    return status;
  }
  if (targets.empty() || targets.size() > kMaxTargets) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s has %d targets; allowed is 1..%d", Quoted(source),
                        targets.size(), kMaxTargets));
  }
  std::vector<absl::string_view> fields = {source};
  fields.reserve(targets.size() + 1);
  for (absl::string_view target : targets) {
    fields.push_back(absl::StripAsciiWhitespace(target));
    if (absl::Status status = CheckTarget(fields.back()); !status.ok()) {
      return status;
    }
  }
  const std::vector<Word> words = SplitIntoWords(source);
  if (words.empty() || words.size() > kMaxTermWords) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the source is %s, which has %d words; allowed is 1..%d",
        Quoted(source), words.size(), kMaxTermWords));
  }
  uint64_t hash = kHashStart;
  for (const Word& word : words) {
    const bool is_first = &word == &words.front();
    if (!is_first) prefixes_[hash].has_longer = true;
    hash = HashWith(hash, source, word, is_first);
  }
  Prefix& prefix = prefixes_[hash];
  if (prefix.entry >= 0) {
    const absl::string_view earlier = LineOf(prefix.entry);
    if (TargetsOf(prefix.entry) ==
        std::vector<absl::string_view>(fields.begin() + 1, fields.end())) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s has other targets than in %s, which is %s", Quoted(source),
        name_of_place_(entries_[prefix.entry].place), Quoted(earlier)));
  }
  const std::string line = absl::StrJoin(fields, "\t");
  if (text_.size() + line.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the terms have more than %d bytes", kMaxTextBytes));
  }
  prefix.entry = size();
  entries_.push_back({static_cast<uint32_t>(text_.size()), place});
  text_ += line;
  return absl::OkStatus();
}

std::vector<Glossary::Match> Glossary::Find(absl::string_view text) const {
  std::vector<Match> matches;
  if (entries_.empty()) return matches;
  const std::vector<Word> words = SplitIntoWords(text);
  for (size_t first = 0; first < words.size();) {
    Match longest;
    size_t end = first;
    uint64_t hash = kHashStart;
    for (size_t i = first; i < words.size(); ++i) {
      hash = HashWith(hash, text, words[i], /*is_first=*/i == first);
      const auto found = prefixes_.find(hash);
      if (found == prefixes_.end()) break;
      if (found->second.entry >= 0) {
        longest = {{words[first].range.begin, words[i].range.end},
                   found->second.entry};
        end = i + 1;
      }
      if (!found->second.has_longer) break;
    }
    // Other words may have the same hash.
    if (end > first &&
        Folded(text, absl::MakeConstSpan(words).subspan(first, end - first)) ==
            Folded(SourceOf(longest.entry))) {
      matches.push_back(longest);
      first = end;
    } else {
      ++first;
    }
  }
  return matches;
}

absl::string_view Glossary::LineOf(int32_t entry) const {
  const size_t end =
      entry + 1 < size() ? entries_[entry + 1].begin : text_.size();
  return absl::string_view(text_).substr(entries_[entry].begin,
                                         end - entries_[entry].begin);
}

absl::string_view Glossary::SourceOf(int32_t entry) const {
  const absl::string_view line = LineOf(entry);
  return line.substr(0, line.find('\t'));
}

std::vector<absl::string_view> Glossary::TargetsOf(int32_t entry) const {
  std::vector<absl::string_view> fields = absl::StrSplit(LineOf(entry), '\t');
  fields.erase(fields.begin());
  return fields;
}

int64_t Glossary::num_bytes() const {
  constexpr size_t kSlotBytes = sizeof(std::pair<uint64_t, Prefix>) + 1;
  return static_cast<int64_t>(text_.capacity() +
                              entries_.capacity() * sizeof(Entry) +
                              prefixes_.capacity() * kSlotBytes);
}

}  // namespace sheaf
