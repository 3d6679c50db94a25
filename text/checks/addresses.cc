// SPDX-License-Identifier: Apache-2.0

#include "text/checks/addresses.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// What is read before an "@", a "://" or a path's first separator.
constexpr size_t kMaxBytesBefore = 64;

bool IsOneOf(char byte, absl::string_view bytes) {
  return byte != '\0' && absl::StrContains(bytes, byte);
}

// The end of the characters from `at` on that are letters, digits or `signs`.
size_t EndOf(absl::string_view text, size_t at, absl::string_view signs) {
  while (at < text.size()) {
    size_t next = at;
    const int32_t character = NextCharacter(text, next);
    const bool is_part = character < 0x80 ? absl::ascii_isalnum(text[at]) ||
                                                IsOneOf(text[at], signs)
                                          : IsOfSpacedWord(character);
    if (!is_part) break;
    at = next;
  }
  return at;
}

// The beginning of the ASCII letters, digits and `signs` that end at `at`. At
// most kMaxBytesBefore are read.
size_t BeginOf(absl::string_view text, size_t at, absl::string_view signs) {
  const size_t limit = at - std::min(at, kMaxBytesBefore);
  while (at > limit &&
         (absl::ascii_isalnum(text[at - 1]) || IsOneOf(text[at - 1], signs))) {
    --at;
  }
  return at;
}

// The number of times that `byte` occurs.
int Count(absl::string_view text, char byte) {
  return static_cast<int>(std::count(text.begin(), text.end(), byte));
}

// Takes the punctuation of the sentence off an address's end, and brackets that
// it does not open.
size_t WithoutPunctuation(absl::string_view text, size_t begin, size_t end) {
  const absl::string_view whole = text.substr(begin, end - begin);
  int open_round = Count(whole, ')') - Count(whole, '(');
  int open_square = Count(whole, ']') - Count(whole, '[');
  int open_brace = Count(whole, '}') - Count(whole, '{');
  for (; end > begin; --end) {
    const char last = text[end - 1];
    if (last == ')' && open_round > 0) {
      --open_round;
    } else if (last == ']' && open_square > 0) {
      --open_square;
    } else if (last == '}' && open_brace > 0) {
      --open_brace;
    } else if (!IsOneOf(last, "?!.,:;*_~'")) {
      break;
    }
  }
  return end;
}

constexpr absl::string_view kUrlSigns = "-._~:/?#[]@!$&'()*+,;=%{}|\\^";

// https://example.org/a, at the ':'.
TextRange UrlWithScheme(absl::string_view text, size_t colon) {
  if (!absl::StartsWith(text.substr(colon), "://")) return {};
  size_t begin = BeginOf(text, colon, "+.-");
  while (begin < colon && !absl::ascii_isalpha(text[begin])) ++begin;
  if (begin == colon || HasWordBefore(text, begin)) return {};
  const size_t host = colon + 3;
  const size_t end =
      WithoutPunctuation(text, host, EndOf(text, host, kUrlSigns));
  if (end == host) return {};
  return {begin, end};
}

// www.example.org/a, at the first 'w'.
TextRange UrlWithoutScheme(absl::string_view text, size_t at) {
  constexpr absl::string_view kPrefix = "www.";
  if (!absl::StartsWithIgnoreCase(text.substr(at, kPrefix.size()), kPrefix) ||
      HasWordBefore(text, at)) {
    return {};
  }
  const size_t end = WithoutPunctuation(text, at, EndOf(text, at, kUrlSigns));
  return end > at + kPrefix.size() ? TextRange{at, end} : TextRange{};
}

// The end of a host's name at `at` that has two labels or more, of which the
// last has letters only. `at` if there is none.
size_t HostEnd(absl::string_view text, size_t at) {
  size_t end = EndOf(text, at, "-.");
  while (end > at && IsOneOf(text[end - 1], "-.")) --end;
  const absl::string_view host = text.substr(at, end - at);
  const size_t dot = host.rfind('.');
  if (dot == host.npos || dot == 0 || host.size() - dot < 3) return at;
  for (char c : host.substr(dot + 1)) {
    if (absl::ascii_isdigit(c) || c == '-') return at;
  }
  return absl::StrContains(host, "..") ? at : end;
}

// mary@example.org, @name, @scope/package, at the '@'.
TextRange AtSign(absl::string_view text, size_t at) {
  size_t begin = BeginOf(text, at, "._%+-");
  while (begin < at && text[begin] == '.') ++begin;
  if (begin < at) {
    const size_t end = HostEnd(text, at + 1);
    if (end == at + 1 || HasWordBefore(text, begin)) return {};
    return {begin, end};
  }
  if (HasWordBefore(text, at)) return {};
  size_t end = EndOf(text, at + 1, "_-./");
  while (end > at + 1 && IsOneOf(text[end - 1], "-./")) --end;
  return end > at + 1 ? TextRange{at, end} : TextRange{};
}

// #tag, at the '#'.
TextRange HashTag(absl::string_view text, size_t at) {
  if (HasWordBefore(text, at) || (at > 0 && IsOneOf(text[at - 1], "#&/"))) {
    return {};
  }
  bool has_letter = false;
  size_t end = at + 1;
  while (end < text.size()) {
    size_t next = end;
    const int32_t character = NextCharacter(text, next);
    if (!IsWordCharacter(character) && character != '-') break;
    has_letter = has_letter || IsLetter(character);
    end = next;
  }
  while (end > at + 1 && text[end - 1] == '-') --end;
  return has_letter ? TextRange{at, end} : TextRange{};
}

bool IsKnownExtension(absl::string_view extension) {
  static constexpr absl::string_view kExtensions[] = {
      "bat",  "bin",  "bmp", "c",    "cc",  "cfg",  "conf", "cpp",  "cs",
      "css",  "csv",  "deb", "dll",  "doc", "docx", "exe",  "gif",  "go",
      "gz",   "h",    "hpp", "html", "ico", "ini",  "iso",  "jar",  "java",
      "jpeg", "jpg",  "js",  "json", "log", "lua",  "md",   "mkv",  "mov",
      "mp3",  "mp4",  "odt", "ogg",  "pdf", "php",  "pl",   "png",  "po",
      "ppt",  "pptx", "ps1", "py",   "rar", "rb",   "rpm",  "rs",   "rst",
      "rtf",  "sh",   "sql", "svg",  "tar", "tex",  "tiff", "toml", "ts",
      "tsv",  "txt",  "wav", "webp", "xls", "xlsx", "xml",  "yaml", "yml",
      "zip"};
  // "README.MD" is one, "B.C" is none.
  const std::string lower = absl::AsciiStrToLower(extension);
  const bool is_upper = absl::AsciiStrToUpper(extension) == extension;
  if (extension != lower && (!is_upper || extension.size() < 2)) return false;
  return std::binary_search(std::begin(kExtensions), std::end(kExtensions),
                            absl::string_view(lower));
}

// config.json, at the '.'.
TextRange FileName(absl::string_view text, size_t dot) {
  const size_t begin = BeginOf(text, dot, "_-.");
  if (begin == dot || HasWordBefore(text, begin)) return {};
  size_t end = dot + 1;
  while (absl::ascii_isalnum(ByteAt(text, end))) ++end;
  if (HasWordAt(text, end) || (text[dot - 1] == '.')) return {};
  if (ByteAt(text, end) == '.' && HasWordAt(text, end + 1)) return {};
  return IsKnownExtension(text.substr(dot + 1, end - dot - 1))
             ? TextRange{begin, end}
             : TextRange{};
}

constexpr absl::string_view kPathSigns = "/._-+~@%=:#{}$";

// Whether a path's first component looks like a host, known or not.
bool LooksLikeHost(absl::string_view first) {
  const size_t dot = first.rfind('.');
  return dot != first.npos && dot > 0 && first.size() - dot > 2 &&
         std::all_of(first.begin() + dot + 1, first.end(),
                     [](char c) { return absl::ascii_islower(c); });
}

// Whether the last component of a path has an extension, unlike "and/or" and
// "24/7.5".
bool HasExtension(absl::string_view path) {
  const absl::string_view last = path.substr(path.rfind('/') + 1);
  const size_t dot = last.rfind('.');
  if (dot == last.npos) return false;
  const absl::string_view extension = last.substr(dot + 1);
  return IsKnownExtension(extension) ||
         (extension.size() > 1 && absl::ascii_isalpha(extension.front()));
}

// /etc/hosts, ./a, ~/a, src/main.cc, at the first '/'.
TextRange UnixPath(absl::string_view text, size_t slash) {
  const size_t begin = BeginOf(text, slash, "._-~");
  if (HasWordBefore(text, begin) ||
      (begin > 0 && IsOneOf(text[begin - 1], "/\\:<@&=+%#{}$"))) {
    return {};
  }
  const absl::string_view before = text.substr(begin, slash - begin);
  size_t end =
      EndOf(text, slash + 1, LooksLikeHost(before) ? kUrlSigns : kPathSigns);
  end = WithoutPunctuation(text, slash + 1, end);
  constexpr size_t kMinRootBytes = 4;  // "/etc"
  const absl::string_view path = text.substr(begin, end - begin);
  if (before.empty()) {
    const bool is_name = absl::ascii_isalpha(ByteAt(text, slash + 1)) ||
                         IsOneOf(ByteAt(text, slash + 1), "._");
    return is_name && path.size() >= kMinRootBytes ? TextRange{begin, end}
                                                   : TextRange{};
  }
  if (before == "." || before == ".." || before == "~") {
    return end > slash + 1 ? TextRange{begin, end} : TextRange{};
  }
  const bool is_path =
      LooksLikeHost(before) ? end > slash + 1 : HasExtension(path);
  return is_path ? TextRange{begin, end} : TextRange{};
}

// Top-level labels of many hosts. Labels that are also words of English or
// German ("at", "es", "in", "is", "it", "me", "so", "to") are missing, because
// people forget the space after a full stop.
bool IsTopLevelLabel(absl::string_view label) {
  static constexpr absl::string_view kLabels[] = {
      "ai",  "au", "biz", "br", "ca", "ch",  "cn",   "com", "cz", "de",
      "dev", "dk", "edu", "eu", "fr", "gov", "info", "io",  "jp", "kr",
      "net", "nl", "org", "pl", "ru", "se",  "tv",   "ua",  "uk"};
  return std::binary_search(std::begin(kLabels), std::end(kLabels), label);
}

// Whether a text is the name of a host: labels of letters, digits and hyphens,
// the last of which is known, and the one before it no initial ("M.de").
bool IsHostName(absl::string_view host) {
  const size_t last = host.rfind('.');
  if (last == host.npos || absl::StrContains(host, "..")) return false;
  const absl::string_view rest = host.substr(0, last);
  const absl::string_view domain = rest.substr(rest.rfind('.') + 1);
  return IsTopLevelLabel(host.substr(last + 1)) && domain.size() > 1 &&
         std::any_of(rest.begin(), rest.end(),
                     [](char c) { return absl::ascii_isalpha(c); });
}

// example.org, at a '.'.
TextRange Host(absl::string_view text, size_t dot) {
  constexpr size_t kMaxBytes = 253;
  const size_t begin = BeginOf(text, dot, "-.");
  if (begin == dot || IsOneOf(text[begin], "-.") ||
      HasWordBefore(text, begin) ||
      (begin > 0 && IsOneOf(text[begin - 1], "_/\\@#&=+%{}$"))) {
    return {};
  }
  size_t end = begin;
  while (end - begin <= kMaxBytes && (absl::ascii_isalnum(ByteAt(text, end)) ||
                                      IsOneOf(ByteAt(text, end), "-."))) {
    ++end;
  }
  if (end - begin > kMaxBytes || HasWordAt(text, end) ||
      IsOneOf(ByteAt(text, end), "@_")) {
    return {};
  }
  while (end > dot && IsOneOf(text[end - 1], "-.")) --end;
  // A '.' at the end is of the sentence.
  if (end == dot || !IsHostName(text.substr(begin, end - begin))) return {};
  if (ByteAt(text, end) == '/') {
    const TextRange path = UnixPath(text, end);
    if (path.size() > 0) return path;
  }
  size_t port = end + 1;
  while (absl::ascii_isdigit(ByteAt(text, port))) ++port;
  if (ByteAt(text, end) == ':' && port > end + 1) end = port;
  return {begin, end};
}

// The end of the components of a Windows path, which may have spaces if a
// backslash follows soon: "Program Files\a".
size_t BackslashPathEnd(absl::string_view text, size_t at) {
  constexpr absl::string_view kSigns = "\\._-+~@%=#{}$()";
  constexpr int kMaxWords = 3;  // of a component
  size_t end = EndOf(text, at, kSigns);
  for (;;) {
    const absl::string_view path = text.substr(at, end - at);
    if (absl::StrContains(path.substr(path.rfind('\\') + 1), '.')) break;
    size_t next = end;
    for (int words = 0; words < kMaxWords && ByteAt(text, next) == ' ';
         ++words) {
      const size_t word = next + 1;
      next = EndOf(text, word, "._-()");
      if (next == word) break;
    }
    if (next == end || ByteAt(text, next) != '\\' || text[next - 1] == ' ') {
      break;
    }
    end = EndOf(text, next, kSigns);
  }
  return WithoutPunctuation(text, at, end);
}

// C:\a, at the ':'.
TextRange DrivePath(absl::string_view text, size_t colon) {
  if (colon == 0 || !absl::ascii_isalpha(text[colon - 1]) ||
      HasWordBefore(text, colon - 1) ||
      !IsOneOf(ByteAt(text, colon + 1), "\\/") ||
      ByteAt(text, colon + 2) == '/') {
    return {};
  }
  return {colon - 1,
          ByteAt(text, colon + 1) == '/'
              ? WithoutPunctuation(text, colon + 2,
                                   EndOf(text, colon + 2, kPathSigns))
              : BackslashPathEnd(text, colon + 2)};
}

// \\server\a, at the first backslash.
TextRange SharePath(absl::string_view text, size_t at) {
  if (at > 0 && (text[at - 1] == '\\' || HasWordBefore(text, at))) return {};
  if (!absl::StartsWith(text.substr(at), "\\\\")) return {};
  const size_t share = EndOf(text, at + 2, "._-$");
  if (share == at + 2 || ByteAt(text, share) != '\\' ||
      !HasWordAt(text, share + 1)) {
    return {};
  }
  return {at, BackslashPathEnd(text, at + 2)};
}

bool IsDate(absl::string_view version) {
  constexpr size_t kMaxDayBytes = 2;
  const size_t first = version.find('.');
  const size_t second = version.find('.', first + 1);
  const absl::string_view rest = version.substr(second + 1);
  return first <= kMaxDayBytes && second - first - 1 <= kMaxDayBytes &&
         (rest.size() == 4 || rest.size() == 2) &&
         !absl::StrContains(rest, '.');
}

// Whether dots divide a number into groups of three digits.
bool HasThousands(absl::string_view version) {
  const size_t first = version.find('.');
  if (first > 3) return false;
  for (size_t at = first; at < version.size(); at += 4) {
    if (version[at] != '.' || version.size() - at < 4) return false;
    if (absl::StrContains(version.substr(at + 1, 3), '.')) return false;
  }
  return true;
}

// v1.2.3, 1.2.3-rc1, at the first character.
TextRange Version(absl::string_view text, size_t at) {
  if (HasWordBefore(text, at) || (at > 0 && IsOneOf(text[at - 1], ".,"))) {
    return {};
  }
  const bool has_v = !absl::ascii_isdigit(text[at]);
  const size_t begin = at + (has_v ? 1 : 0);
  size_t end = begin;
  int num_parts = 0;
  while (absl::ascii_isdigit(ByteAt(text, end))) {
    while (absl::ascii_isdigit(ByteAt(text, end))) ++end;
    ++num_parts;
    if (ByteAt(text, end) != '.' ||
        !absl::ascii_isdigit(ByteAt(text, end + 1))) {
      break;
    }
    ++end;
  }
  if (num_parts < (has_v ? 1 : 3)) return {};
  const absl::string_view number = text.substr(begin, end - begin);
  if (!has_v && (IsDate(number) || HasThousands(number))) return {};
  if (IsOneOf(ByteAt(text, end), "-+") && num_parts > 1) {
    const size_t suffix = EndOf(text, end + 1, ".-+");
    if (suffix > end + 1) end = WithoutPunctuation(text, end + 1, suffix);
  }
  return HasWordAt(text, end) ? TextRange{} : TextRange{at, end};
}

}  // namespace

TextRange AddressAt(absl::string_view text, size_t at) {
  const char byte = text[at];
  switch (byte) {
    case ':': {
      const TextRange url = UrlWithScheme(text, at);
      return url.size() > 0 ? url : DrivePath(text, at);
    }
    case 'w':
    case 'W':
      return UrlWithoutScheme(text, at);
    case '@':
      return AtSign(text, at);
    case '#':
      return HashTag(text, at);
    case '/':
      return UnixPath(text, at);
    case '\\':
      return SharePath(text, at);
    case '.': {
      const TextRange file = FileName(text, at);
      return file.size() > 0 ? file : Host(text, at);
    }
    case 'v':
    case 'V':
      return absl::ascii_isdigit(ByteAt(text, at + 1)) ? Version(text, at)
                                                       : TextRange{};
    default:
      return absl::ascii_isdigit(byte) ? Version(text, at) : TextRange{};
  }
}

}  // namespace sheaf
