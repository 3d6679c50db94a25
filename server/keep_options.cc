// SPDX-License-Identifier: Apache-2.0

#include "server/keep_options.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "server/field_error.h"
#include "server/term_options.h"

namespace sheaf {
namespace {

using absl::StatusCode;

constexpr int kMaxTags = 1000;  // of a list
constexpr size_t kMaxTagBytes = 64;

using Names = google::protobuf::RepeatedPtrField<std::string>;

// Reads the names of elements in one list. No name may be in `seen`.
absl::StatusOr<std::vector<std::string>> ReadTags(
    absl::string_view field, const Names& names, TextFormat format,
    absl::flat_hash_set<std::string>& seen) {
  if (names.size() > kMaxTags) {
    return FieldError(StatusCode::kInvalidArgument, field,
                      "has %d names; this server allows 0..%d", names.size(),
                      kMaxTags);
  }
  for (int i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    const std::string path = absl::StrCat(field, "[", i, "]");
    if (name.empty() || name.size() > kMaxTagBytes) {
      return FieldError(StatusCode::kInvalidArgument, path,
                        "has %d bytes; this server allows 1..%d", name.size(),
                        kMaxTagBytes);
    }
    const std::string key =
        format == TextFormat::kHtml ? absl::AsciiStrToLower(name) : name;
    if (!seen.insert(key).second) {
      return FieldError(StatusCode::kInvalidArgument, path,
                        "is \"%s\", which is listed before; a name may be "
                        "listed once",
                        Escaped(name));
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

// The error of DoNotTranslate::Create(), with its field.
absl::Status WithListField(const absl::Status& status) {
  const absl::string_view message = status.message();
  return WithField(status, message.substr(0, message.find(' ')));
}

absl::Status CheckLines(const Names& strings) {
  for (int i = 0; i < strings.size(); ++i) {
    if (strings[i].find_first_of("\r\n") == std::string::npos) continue;
    return FieldError(StatusCode::kInvalidArgument,
                      absl::StrCat("do_not_translate[", i, "]"),
                      "has a line break; this server allows text within a "
                      "line");
  }
  return absl::OkStatus();
}

// Fields that cannot be combined with markup.
absl::Status CheckWithMarkup(const v1::TranslateRequest& request) {
  if (request.line_breaks() != v1::LINE_BREAKS_UNSPECIFIED) {
    return FieldError(StatusCode::kInvalidArgument, "line_breaks",
                      "is %s; with format %s, in which line breaks are white "
                      "space, it must not be set",
                      v1::LineBreaks_Name(request.line_breaks()),
                      v1::TextFormat_Name(request.format()));
  }
  if (request.decoding().stop_size() > 0) {
    return FieldError(StatusCode::kInvalidArgument, "decoding.stop",
                      "has %d sequences; with format %s, whose tags must all "
                      "be in the answer, 0 are allowed",
                      request.decoding().stop_size(),
                      v1::TextFormat_Name(request.format()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WithTextField(const absl::Status& status) {
  if (status.code() != StatusCode::kInvalidArgument) return status;
  return WithField(
      absl::InvalidArgumentError(absl::StrCat("text ", status.message())),
      "text");
}

absl::StatusOr<TextFormat> ReadTextFormat(v1::TextFormat format) {
  switch (format) {
    case v1::TEXT_FORMAT_UNSPECIFIED:
    case v1::TEXT_FORMAT_PLAIN:
      return TextFormat::kPlain;
    case v1::TEXT_FORMAT_HTML:
      return TextFormat::kHtml;
    case v1::TEXT_FORMAT_XML:
      return TextFormat::kXml;
    default:
      return FieldError(StatusCode::kInvalidArgument, "format",
                        "is %d; this server allows 0..%d",
                        static_cast<int>(format),
                        static_cast<int>(v1::TextFormat_MAX));
  }
}

absl::StatusOr<MarkupOptions> ReadMarkupOptions(
    const v1::TranslateRequest& request, TextFormat format) {
  MarkupOptions options;
  if (!request.has_markup()) return options;
  if (format == TextFormat::kPlain) {
    return FieldError(StatusCode::kInvalidArgument, "markup",
                      "is set; it is allowed with format TEXT_FORMAT_HTML and "
                      "TEXT_FORMAT_XML");
  }
  const v1::MarkupOptions& asked = request.markup();
  absl::flat_hash_set<std::string> seen;
  for (const auto& [field, names, list] :
       {std::tuple("markup.ignored_tags", &asked.ignored_tags(),
                   &options.ignored_tags),
        std::tuple("markup.splitting_tags", &asked.splitting_tags(),
                   &options.splitting_tags),
        std::tuple("markup.non_splitting_tags", &asked.non_splitting_tags(),
                   &options.non_splitting_tags)}) {
    absl::StatusOr<std::vector<std::string>> read =
        ReadTags(field, *names, format, seen);
    if (!read.ok()) return read.status();
    *list = *std::move(read);
  }
  if (asked.has_outline_detection()) {
    options.outline_detection = asked.outline_detection();
  }
  return options;
}

absl::StatusOr<KeepOptions> ReadKeepOptions(
    const v1::TranslateRequest& request) {
  KeepOptions keep;
  const absl::StatusOr<TextFormat> format = ReadTextFormat(request.format());
  if (!format.ok()) return format.status();
  keep.format = *format;
  if (keep.format != TextFormat::kPlain) {
    if (absl::Status status = CheckWithMarkup(request); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = CheckLines(request.do_not_translate());
      !status.ok()) {
    return status;
  }
  absl::StatusOr<DoNotTranslate> strings = DoNotTranslate::Create(
      std::vector<std::string>(request.do_not_translate().begin(),
                               request.do_not_translate().end()));
  if (!strings.ok()) return WithListField(strings.status());
  keep.strings = *std::move(strings);
  absl::StatusOr<std::shared_ptr<const Glossary>> terms =
      ReadGlossaryTerms(request);
  if (!terms.ok()) return terms.status();
  keep.own_terms = *std::move(terms);
  keep.target_language = request.target_language();
  keep.protects_spans = !request.has_protect_spans() || request.protect_spans();
  keep.may_repair = !request.has_repair() || request.repair();
  keep.has_alignments = request.return_alignments();
  keep.has_reports = request.return_segments() || keep.has_alignments;
  return keep;
}

}  // namespace sheaf
