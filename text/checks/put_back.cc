// SPDX-License-Identifier: Apache-2.0

#include "text/checks/put_back.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "text/checks/aligned_place.h"
#include "text/checks/kept_spans.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using Occurrence = SpanTexts::Occurrence;

bool IsPlainSign(char c) {
  return absl::ascii_isspace(c) || absl::StrContains(".,;:!?'\"()-", c);
}

// Whether `text` has only signs, and not only those of ordinary text.
bool HasOddSignsOnly(absl::string_view text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), IsPlainSign);
  return !is_plain && !HasLetterOrDigit(text);
}

// Whether `text` has a sign of the span that is rare in ordinary text, or
// kCommonBytes bytes of it.
bool Resembles(absl::string_view text, absl::string_view span) {
  constexpr size_t kCommonBytes = 3;
  const auto is_sign = [](char c) {
    return absl::ascii_isprint(c) && !absl::ascii_isalnum(c) && !IsPlainSign(c);
  };
  for (char c : span) {
    if (is_sign(c) && absl::StrContains(text, c)) return true;
  }
  const std::string lower = absl::AsciiStrToLower(text);
  const std::string wanted = absl::AsciiStrToLower(span);
  for (size_t at = 0; at + kCommonBytes <= wanted.size(); ++at) {
    const absl::string_view bytes =
        absl::string_view(wanted).substr(at, kCommonBytes);
    if (absl::StrContains(lower, bytes)) return true;
  }
  return false;
}

// Whether a span has only letters, white space and plain signs, so that a model
// may have translated it.
bool HasWordsOnly(absl::string_view span) {
  for (size_t at = 0; at < span.size();) {
    const int32_t character = NextCharacter(span, at);
    const bool is_plain =
        character < 0x80 && IsPlainSign(static_cast<char>(character));
    if (!IsLetter(character) && !is_plain) return false;
  }
  return true;
}

// Collects the edits that restore all spans.
class Restorer {
 public:
  Restorer(absl::string_view source, absl::Span<const TextRange> spans,
           absl::string_view target, const TextAlignment& alignment)
      : source_(source),
        target_(target),
        alignment_(alignment),
        texts_(source, spans),
        wanted_(texts_.FindIn(source)),
        found_(texts_.FindIn(target)),
        is_matched_(wanted_.size(), false),
        is_kept_(found_.size(), false) {}

  std::optional<EditedText> Restore() {
    constexpr size_t kMaxFound = 1000;  // a target that repeats spans
    if (found_.size() > kMaxFound) return std::nullopt;
    MatchByAlignment();
    if (!MatchRest()) return std::nullopt;
    for (size_t i = 0; i < found_.size(); ++i) {
      if (is_kept_[i]) taken_.push_back(found_[i].range);
    }
    for (size_t i = 0; i < found_.size(); ++i) {
      if (!is_kept_[i]) Remove(found_[i].range);
    }
    for (size_t i = 0; i < wanted_.size(); ++i) {
      if (!is_matched_[i] && !Put(wanted_[i].range)) return std::nullopt;
    }
    return Apply();
  }

 private:
  // Whether a token in this range of the target is aligned to `source`.
  bool IsAligned(TextRange target, TextRange source) const {
    auto span = std::partition_point(
        alignment_.begin(), alignment_.end(),
        [&](const AlignedSpan& s) { return s.target.end <= target.begin; });
    for (; span != alignment_.end() && span->target.begin < target.end;
         ++span) {
      if (Overlap(span->source, source)) return true;
    }
    return false;
  }

  // Pairs occurrences of one text that the alignment connects.
  void MatchByAlignment() {
    for (size_t i = 0; i < found_.size(); ++i) {
      for (size_t j = 0; j < wanted_.size() && !is_kept_[i]; ++j) {
        if (is_matched_[j] || wanted_[j].text_index != found_[i].text_index ||
            !IsAligned(found_[i].range, wanted_[j].range)) {
          continue;
        }
        is_kept_[i] = is_matched_[j] = true;
      }
    }
  }

  // Pairs the others in order. False if it is not certain which occurrence of a
  // text is missing.
  bool MatchRest() {
    for (int32_t text = 0; text < texts_.size(); ++text) {
      std::vector<size_t> found, wanted;
      for (size_t i = 0; i < found_.size(); ++i) {
        if (found_[i].text_index == text && !is_kept_[i]) found.push_back(i);
      }
      for (size_t j = 0; j < wanted_.size(); ++j) {
        if (wanted_[j].text_index == text && !is_matched_[j]) {
          wanted.push_back(j);
        }
      }
      if (!found.empty() && found.size() < wanted.size()) return false;
      for (size_t n = 0; n < std::min(found.size(), wanted.size()); ++n) {
        is_kept_[found[n]] = is_matched_[wanted[n]] = true;
      }
    }
    return true;
  }

  PlaceQuery Query() const { return {source_, target_, alignment_, taken_}; }

  // Removes a surplus copy and the white space before or after it.
  void Remove(TextRange range) {
    TextRange left = Trim(target_, {0, range.begin});
    if (left.size() > 0) {
      range.begin = left.end;
    } else {
      range.end = Trim(target_, {range.end, target_.size()}).begin;
    }
    edits_.push_back({range, "", {}});
  }

  bool Put(TextRange span) {
    const PlaceQuery query = Query();
    const absl::string_view text = Slice(source_, span);
    const std::optional<TextRange> became = FindTranslation(query, span);
    if (became.has_value() &&
        (HasWordsOnly(text) || HasOddSignsOnly(Slice(target_, *became)) ||
         Resembles(Slice(target_, *became), text))) {
      edits_.push_back(PutAt(query, span, *became));
      return true;
    }
    const std::optional<size_t> place = FindInsertion(query, span);
    if (!place.has_value()) return false;
    edits_.push_back(PutAt(query, span, {*place, *place}));
    return true;
  }

  std::optional<EditedText> Apply() {
    absl::c_stable_sort(edits_, [](const TextEdit& a, const TextEdit& b) {
      return a.range.begin < b.range.begin;
    });
    for (size_t i = 1; i < edits_.size(); ++i) {
      if (edits_[i].range.begin < edits_[i - 1].range.end) return std::nullopt;
    }
    EditedText result = ApplyEdits(target_, alignment_, edits_);
    if (!texts_.AreKeptIn(result.text)) return std::nullopt;
    return result;
  }

  const absl::string_view source_;
  const absl::string_view target_;
  const TextAlignment& alignment_;
  const SpanTexts texts_;
  const std::vector<Occurrence> wanted_;  // in the source
  const std::vector<Occurrence> found_;   // in the target
  std::vector<bool> is_matched_;          // by wanted_
  std::vector<bool> is_kept_;             // by found_
  std::vector<TextRange> taken_;          // by kept spans
  std::vector<TextEdit> edits_;
};

}  // namespace

std::optional<EditedText> PutBack(absl::string_view source,
                                  absl::Span<const TextRange> spans,
                                  absl::string_view target,
                                  const TextAlignment& alignment) {
  // The work is the product of spans, their places and tokens.
  constexpr size_t kMaxSpans = 100;
  if (spans.size() > kMaxSpans) return std::nullopt;
  return Restorer(source, spans, target, alignment).Restore();
}

}  // namespace sheaf
