// SPDX-License-Identifier: Apache-2.0

// Subtitles: SRT and WebVTT. The lines of a cue are one text. A sentence that
// surely continues in the next cue is translated as one and spread over its
// cues in proportion to their lengths. The lines of a dialogue ("- Yes.") are
// texts of their own. Numbers, times, settings and other blocks stay.
#include <unicode/uchar.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "text/documents/document_builder.h"
#include "text/documents/inline_tags.h"
#include "text/documents/inline_text.h"
#include "text/documents/line_ends.h"
#include "text/documents/line_wrap.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// The length of a line that broadcasters use.
constexpr int64_t kMaxColumns = 42;
constexpr int64_t kMaxLines = 2;
// Cues that one sentence may run over.
constexpr size_t kMaxCuesOfSentence = 6;

// The text of one cue, or of one speaker in it.
struct CueText {
  TextRange range;  // without the line end
  std::vector<TextRange> lines;
  InlineText text;
  DocumentUnit unit;
  int64_t max_columns = kMaxColumns;
  int64_t columns = 0;
};

// A text that is translated as one, and the cues over which it is spread.
struct Sentence {
  std::string text;
  size_t unit = 0;
  std::vector<int64_t> weights;
};

bool IsBlankLine(absl::string_view line) {
  return absl::StripAsciiWhitespace(line).empty();
}

bool IsTiming(absl::string_view line) {
  const size_t arrow = line.find("-->");
  if (arrow == absl::string_view::npos) return false;
  const auto is_time = [](absl::string_view text) {
    text = absl::StripAsciiWhitespace(text);
    return !text.empty() && absl::ascii_isdigit(text[0]) &&
           absl::StrContains(text, ':');
  };
  return is_time(line.substr(0, arrow)) && is_time(line.substr(arrow + 3));
}

bool IsNumber(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  return !line.empty() &&
         std::all_of(line.begin(), line.end(), absl::ascii_isdigit);
}

// The size of the dash with which a speaker's text begins, with spaces.
size_t DashSize(absl::string_view line) {
  for (absl::string_view dash : {"-", "\u2010", "\u2013", "\u2014"}) {
    if (!absl::StartsWith(line, dash)) continue;
    const absl::string_view rest = line.substr(dash.size());
    if (rest.empty() || rest[0] == '-') return 0;
    return line.size() - absl::StripLeadingAsciiWhitespace(rest).size();
  }
  return 0;
}

// Whether the sentence of a cue surely continues in the next.
bool Continues(const DocumentUnit& unit, const DocumentUnit& next) {
  if (unit.format != TextFormat::kPlain || next.format != TextFormat::kPlain ||
      unit.text.empty() || next.text.empty()) {
    return false;
  }
  size_t at = 0;
  const bool is_lower = u_islower(NextCharacter(next.text, at));
  if (unit.text.back() == ',') return is_lower;
  at = unit.text.size();
  return is_lower && IsLetterOrDigit(PreviousCharacter(unit.text, at));
}

// Breaks the text of a cue into lines.
std::string Wrap(const std::vector<InlinePiece>& pieces, const CueText& cue,
                 absl::string_view line_end) {
  std::string plain;
  for (const InlinePiece& piece : pieces) {
    if (!piece.is_code) plain += piece.text;
  }
  const int64_t columns = NumColumns(plain);
  const auto source_lines = static_cast<int64_t>(cue.lines.size());
  int64_t num_lines = (columns + cue.max_columns - 1) / cue.max_columns;
  // The author wanted these lines, though one would do.
  if (cue.columns <= cue.max_columns) {
    num_lines = std::max(num_lines, source_lines);
  }
  num_lines = std::min(num_lines, std::max(source_lines, kMaxLines));
  const std::vector<size_t> begins =
      BalanceLines(plain, num_lines, cue.max_columns);
  std::string out;
  size_t at = 0;
  auto next = begins.begin();
  for (const InlinePiece& piece : pieces) {
    if (piece.is_code) {
      out += piece.text;
      continue;
    }
    size_t copied = 0;
    for (; next != begins.end() && *next < at + piece.text.size(); ++next) {
      absl::StrAppend(
          &out,
          absl::string_view(piece.text).substr(copied, *next - at - copied));
      copied = *next - at;
      while (absl::EndsWith(out, " ")) out.pop_back();
      absl::StrAppend(&out, line_end);
    }
    absl::StrAppend(&out, absl::string_view(piece.text).substr(copied));
    at += piece.text.size();
  }
  return out;
}

class SubtitleReader {
 public:
  SubtitleReader(size_t begin, bool is_vtt, DocumentBuilder& builder)
      : builder_(builder),
        text_(builder.bytes()),
        is_vtt_(is_vtt),
        line_end_(LineBreakAt(text_, LineEnd(text_, 0))) {
    for (size_t at = begin; at < text_.size();) {
      const size_t end = LineEnd(text_, at);
      lines_.push_back({at, end});
      at = end + LineBreakAt(text_, end).size();
    }
  }

  absl::Status Run();

 private:
  absl::string_view Line(size_t i) const { return Slice(text_, lines_[i]); }

  absl::Status CheckHeader(size_t& line) const;
  absl::Status ReadCues();
  void EndCue();
  void AddText(std::vector<TextRange> lines);
  void AddSentences();
  void AddSentence(absl::Span<const std::shared_ptr<CueText>> cues);

  DocumentBuilder& builder_;
  const absl::string_view text_;
  const bool is_vtt_;
  const std::string line_end_;
  std::vector<TextRange> lines_;
  std::vector<TextRange> open_;  // lines of the cue that is being read
  // Shared with the functions that write them.
  std::vector<std::shared_ptr<CueText>> texts_;
};

absl::Status SubtitleReader::CheckHeader(size_t& line) const {
  if (!is_vtt_) return absl::OkStatus();
  if (lines_.empty() || !absl::StartsWith(Line(0), "WEBVTT")) {
    return builder_.Error(0, "the file does not begin with WEBVTT");
  }
  while (line < lines_.size() && !IsBlankLine(Line(line))) ++line;
  return absl::OkStatus();
}

absl::Status SubtitleReader::Run() {
  if (absl::Status read = ReadCues(); !read.ok()) return read;
  AddSentences();
  return absl::OkStatus();
}

absl::Status SubtitleReader::ReadCues() {
  size_t i = 0;
  if (absl::Status header = CheckHeader(i); !header.ok()) return header;
  bool is_in_cue = false;
  bool is_after_blank = true;
  for (; i < lines_.size(); ++i) {
    const absl::string_view line = Line(i);
    const bool is_blank = IsBlankLine(line);
    if (IsTiming(line)) {
      EndCue();
      is_in_cue = true;
    } else if (is_blank) {
      EndCue();
      // Other blocks of VTT have no times. A text of SRT may have blank lines.
      if (is_vtt_) is_in_cue = false;
    } else if (is_after_blank && i + 1 < lines_.size() &&
               IsTiming(Line(i + 1)) && (is_vtt_ || IsNumber(line))) {
      // The number or the name of the next cue.
    } else if (is_in_cue) {
      open_.push_back(lines_[i]);
    } else if (!is_vtt_) {
      return builder_.Error(lines_[i].begin,
                            "times (00:00:01,000 --> 00:00:02,000) are "
                            "expected before a text");
    }
    is_after_blank = is_blank;
  }
  EndCue();
  return absl::OkStatus();
}

void SubtitleReader::EndCue() {
  if (open_.empty()) return;
  const std::vector<TextRange> lines = std::exchange(open_, {});
  const auto is_speaker = [this](TextRange line) {
    return DashSize(Slice(text_, line)) > 0;
  };
  if (std::count_if(lines.begin(), lines.end(), is_speaker) < 2) {
    AddText(lines);
    return;
  }
  std::vector<TextRange> speaker;
  for (TextRange line : lines) {
    if (const size_t dash = DashSize(Slice(text_, line)); dash > 0) {
      if (!speaker.empty()) AddText(std::exchange(speaker, {}));
      line.begin += dash;
    }
    speaker.push_back(line);
  }
  AddText(std::move(speaker));
}

void SubtitleReader::AddText(std::vector<TextRange> lines) {
  auto cue = std::make_shared<CueText>();
  cue->range = {lines.front().begin, lines.back().end};
  std::string joined;
  for (const TextRange line : lines) {
    const absl::string_view text =
        absl::StripAsciiWhitespace(Slice(text_, line));
    absl::StrAppend(&joined, JointOfLines(joined, text), text);
    cue->max_columns = std::max(cue->max_columns, NumColumns(text));
  }
  cue->lines = std::move(lines);
  AddTaggedText(joined, cue->text);
  cue->unit = cue->text.Finish();
  cue->columns = NumColumns(cue->unit.text);
  texts_.push_back(std::move(cue));
}

void SubtitleReader::AddSentences() {
  for (size_t begin = 0; begin < texts_.size();) {
    size_t end = begin + 1;
    while (end < texts_.size() && end - begin < kMaxCuesOfSentence &&
           Continues(texts_[end - 1]->unit, texts_[end]->unit)) {
      ++end;
    }
    if (!texts_[begin]->unit.text.empty()) {
      AddSentence(absl::MakeSpan(texts_).subspan(begin, end - begin));
    }
    begin = end;
  }
}

void SubtitleReader::AddSentence(
    absl::Span<const std::shared_ptr<CueText>> cues) {
  Sentence sentence;
  DocumentUnit unit = cues[0]->unit;
  sentence.weights.push_back(cues[0]->columns);
  for (const auto& cue : cues.subspan(1)) {
    absl::StrAppend(&unit.text, " ", cue->unit.text);
    sentence.weights.push_back(cue->columns);
  }
  sentence.text = unit.text;
  sentence.unit = builder_.AddUnit(std::move(unit), cues[0]->range.begin);
  const auto shared = std::make_shared<const Sentence>(std::move(sentence));
  for (size_t part = 0; part < cues.size(); ++part) {
    builder_.Replace(cues[part]->range,
                     [cue = cues[part], shared, part, line_end = line_end_](
                         DocumentBuilder::Translations translations,
                         absl::string_view raw) -> absl::StatusOr<std::string> {
                       if (translations[shared->unit] == shared->text) {
                         return std::string(raw);
                       }
                       // A line break could end the cue's text.
                       std::string text =
                           absl::StrReplaceAll(translations[shared->unit],
                                               {{"\r", ""}, {"\n", " "}});
                       if (shared->weights.size() > 1) {
                         text = SpreadText(text, shared->weights)[part];
                       }
                       absl::StatusOr<std::vector<InlinePiece>> pieces =
                           cue->text.Restore(text);
                       if (!pieces.ok()) return pieces.status();
                       // An arrow could begin another cue.
                       for (InlinePiece& piece : *pieces) {
                         if (piece.is_code) continue;
                         absl::StrReplaceAll({{"-->", "\u2192"}}, &piece.text);
                       }
                       return Wrap(*pieces, *cue, line_end);
                     });
  }
}

}  // namespace

absl::Status ReadSrt(size_t begin, DocumentBuilder& builder) {
  return SubtitleReader(begin, /*is_vtt=*/false, builder).Run();
}

absl::Status ReadVtt(size_t begin, DocumentBuilder& builder) {
  return SubtitleReader(begin, /*is_vtt=*/true, builder).Run();
}

}  // namespace sheaf
