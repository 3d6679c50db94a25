// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_parameters.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "server/field_error.h"
#include "server/http/body_fields.h"
#include "server/http/file_texts.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr absl::string_view kTextNames[] = {"text",
                                            "source_lang",
                                            "target_lang",
                                            "context",
                                            "split_sentences",
                                            "preserve_formatting",
                                            "formality",
                                            "model_type",
                                            "glossary_id",
                                            "show_billed_characters",
                                            "tag_handling",
                                            "tag_handling_version",
                                            "outline_detection",
                                            "ignore_tags",
                                            "splitting_tags",
                                            "non_splitting_tags"};

constexpr absl::string_view kFileNames[] = {"source_lang", "target_lang",
                                            "filename",    "output_format",
                                            "formality",   "glossary_id"};

absl::Status CheckNames(const BodyFields& fields,
                        absl::Span<const absl::string_view> allowed) {
  for (const auto& [name, value] : fields.values.items()) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("Parameter '%s' not supported; allowed is %s",
                          Escaped(name), absl::StrJoin(allowed, ", ")));
    }
  }
  return absl::OkStatus();
}

// One of these strings; empty if it is absent.
absl::StatusOr<std::string> OneOf(const BodyFields& fields,
                                  absl::string_view name,
                                  absl::Span<const absl::string_view> allowed) {
  absl::StatusOr<std::string> value = fields.String(name);
  if (!value.ok() || value->empty()) return value;
  if (std::find(allowed.begin(), allowed.end(), *value) != allowed.end()) {
    return value;
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("%s is \"%s\"; this server allows %s", name,
                      Escaped(*value), absl::StrJoin(allowed, ", ")));
}

// A bool of JSON, or "0" or "1" as DeepL's forms have it.
absl::StatusOr<bool> Bool(const BodyFields& fields, absl::string_view name,
                          bool absent) {
  const json* value = fields.Find(name);
  if (value == nullptr) return absent;
  if (value->is_boolean()) return value->get<bool>();
  if (*value == "1" || *value == "true") return true;
  if (*value == "0" || *value == "false") return false;
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is no bool; this server allows true, false, 0, 1"));
}

// A string, or an array of strings.
absl::StatusOr<std::vector<std::string>> Strings(const BodyFields& fields,
                                                 absl::string_view name) {
  std::vector<std::string> strings;
  const json* value = fields.Find(name);
  if (value == nullptr) return strings;
  for (const json& each : value->is_array() ? *value : json::array({*value})) {
    if (!each.is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is neither a string nor an array of strings"));
    }
    strings.push_back(each.get<std::string>());
  }
  return strings;
}

// Names of tags; each string may have several, separated by commas.
absl::Status AddTags(const BodyFields& fields, absl::string_view name,
                     google::protobuf::RepeatedPtrField<std::string>* tags) {
  const absl::StatusOr<std::vector<std::string>> lists = Strings(fields, name);
  if (!lists.ok()) return lists.status();
  for (const std::string& list : *lists) {
    for (absl::string_view tag : absl::StrSplit(list, ',', absl::SkipEmpty())) {
      *tags->Add() = std::string(absl::StripAsciiWhitespace(tag));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadTexts(const BodyFields& fields, DeepLRequest& request) {
  absl::StatusOr<std::vector<std::string>> texts = Strings(fields, "text");
  if (!texts.ok()) return texts.status();
  if (texts->empty()) {
    return absl::InvalidArgumentError("Parameter 'text' not specified");
  }
  if (texts->size() > kMaxDeepLTexts) {
    return absl::InvalidArgumentError(
        absl::StrFormat("text has %d elements; this server allows 1..%d",
                        texts->size(), kMaxDeepLTexts));
  }
  request.texts = *std::move(texts);
  return absl::OkStatus();
}

absl::Status ReadLanguages(const BodyFields& fields,
                           v1::TranslateRequest& request) {
  const absl::StatusOr<std::string> source = fields.String("source_lang");
  if (!source.ok()) return source.status();
  const absl::StatusOr<std::string> target = fields.String("target_lang");
  if (!target.ok()) return target.status();
  if (target->empty()) {
    return absl::InvalidArgumentError("Parameter 'target_lang' not specified");
  }
  const absl::StatusOr<std::string> glossary = fields.String("glossary_id");
  if (!glossary.ok()) return glossary.status();
  if (!glossary->empty() && source->empty()) {
    return absl::InvalidArgumentError(
        "Parameter 'source_lang' not specified; glossary_id needs it");
  }
  request.set_glossary(*glossary);
  request.set_source_language(*source);
  request.set_target_language(*target);
  return absl::OkStatus();
}

absl::Status CheckFormality(const BodyFields& fields) {
  const absl::StatusOr<std::string> formality =
      OneOf(fields, "formality",
            {"default", "more", "less", "prefer_more", "prefer_less"});
  if (!formality.ok()) return formality.status();
  if (*formality != "more" && *formality != "less") return absl::OkStatus();
  return absl::InvalidArgumentError(
      "'formality' is not supported for given 'target_lang'.");
}

// Options that have no effect, or none that a model here could have.
absl::Status CheckFixed(const BodyFields& fields, DeepLRequest& request) {
  if (absl::Status status = CheckFormality(fields); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::string> model_type = OneOf(
      fields, "model_type",
      {"quality_optimized", "prefer_quality_optimized", "latency_optimized"});
  if (!model_type.ok()) return model_type.status();
  request.model_type = std::string(absl::StripPrefix(*model_type, "prefer_"));
  const absl::StatusOr<bool> billed =
      Bool(fields, "show_billed_characters", false);
  if (!billed.ok()) return billed.status();
  request.shows_billed_characters = *billed;
  absl::Status status = fields.String("context").status();
  status.Update(Bool(fields, "preserve_formatting", false).status());
  return status;
}

absl::Status ReadMarkup(const BodyFields& fields, DeepLRequest& request) {
  const absl::StatusOr<std::string> handling =
      OneOf(fields, "tag_handling", {"html", "xml"});
  if (!handling.ok()) return handling.status();
  absl::Status status =
      OneOf(fields, "tag_handling_version", {"v1", "v2"}).status();
  v1::MarkupOptions markup;
  status.Update(AddTags(fields, "ignore_tags", markup.mutable_ignored_tags()));
  status.Update(
      AddTags(fields, "splitting_tags", markup.mutable_splitting_tags()));
  status.Update(AddTags(fields, "non_splitting_tags",
                        markup.mutable_non_splitting_tags()));
  const absl::StatusOr<bool> outline = Bool(fields, "outline_detection", true);
  status.Update(outline.status());
  if (!status.ok()) return status;
  if (handling->empty()) return absl::OkStatus();  // tags are text
  request.common.set_format(*handling == "html" ? v1::TEXT_FORMAT_HTML
                                                : v1::TEXT_FORMAT_XML);
  markup.set_outline_detection(*outline);
  *request.common.mutable_markup() = std::move(markup);
  return absl::OkStatus();
}

// By default line breaks end sentences. In markup they are white space.
absl::Status ReadLineBreaks(const BodyFields& fields, DeepLRequest& request) {
  const absl::StatusOr<std::string> split =
      OneOf(fields, "split_sentences", {"0", "1", "nonewlines"});
  if (!split.ok()) return split.status();
  if (request.common.format() != v1::TEXT_FORMAT_UNSPECIFIED) {
    return absl::OkStatus();
  }
  request.common.set_line_breaks(split->empty() || *split == "1"
                                     ? v1::LINE_BREAKS_KEEP
                                     : v1::LINE_BREAKS_PARAGRAPHS);
  return absl::OkStatus();
}

// The format by the name of the file, which that of the output may only repeat.
absl::Status ReadFormat(const BodyFields& fields, DeepLDocument& document) {
  absl::StatusOr<std::string> name = fields.String("filename");
  if (!name.ok()) return name.status();
  if (name->empty()) *name = fields.files[0].file_name;
  const absl::StatusOr<std::string> output = fields.String("output_format");
  if (!output.ok()) return output.status();
  document.extension = ExtensionOfFile(*name);
  const auto format =
      DocumentFormatOfPath(absl::StrCat(".", document.extension));
  if (!format.has_value()) {
    return WithField(
        absl::InvalidArgumentError(absl::StrFormat(
            "the name of the file is \"%s\"; this server translates %s",
            Escaped(*name), absl::StrJoin(TranslatedFileExtensions(), ", "))),
        "file");
  }
  document.format = *format;
  if (output->empty() ||
      DocumentFormatOfPath(absl::StrCat(".", *output)) == format) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "output_format is \"%s\"; this server allows the format of the file, %s",
      Escaped(*output), document.extension));
}

}  // namespace

int64_t NumDeepLCharacters(absl::string_view text) {
  int64_t num = 0;
  for (char byte : text) num += (static_cast<uint8_t>(byte) & 0xc0) != 0x80;
  return num;
}

absl::StatusOr<DeepLRequest> ReadDeepLRequest(const HttpRequest& http) {
  const absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields.status();
  absl::Status status = CheckNames(*fields, kTextNames);
  if (!status.ok()) return status;
  if (!fields->files.empty()) {
    return absl::InvalidArgumentError(
        "the request has a file; texts are fields");
  }
  DeepLRequest request;
  if (status = ReadTexts(*fields, request); !status.ok()) return status;
  status = ReadLanguages(*fields, request.common);
  if (!status.ok()) return status;
  for (const auto read : {&CheckFixed, &ReadMarkup, &ReadLineBreaks}) {
    if (status = read(*fields, request); !status.ok()) return status;
  }
  return request;
}

absl::StatusOr<DeepLDocument> ReadDeepLDocument(const HttpRequest& http) {
  absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields.status();
  absl::Status status = CheckNames(*fields, kFileNames);
  if (!status.ok()) return status;
  if (fields->files.size() != 1 || fields->files[0].name != "file") {
    return WithField(
        absl::InvalidArgumentError(
            "the request has no file, or several; allowed is one, \"file\""),
        "file");
  }
  DeepLDocument document;
  status = ReadLanguages(*fields, document.common);
  if (status.ok()) status = CheckFormality(*fields);
  if (status.ok()) status = ReadFormat(*fields, document);
  if (!status.ok()) return status;
  document.bytes = std::move(fields->files[0].value);
  return document;
}

bool IsDeepLX(const HttpRequest& http) {
  // Most requests are LibreTranslate's, and are parsed once.
  if (!absl::StrContains(http.body, "target_lang")) return false;
  const absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  return fields.ok() && fields->Find("target_lang") != nullptr &&
         fields->Find("q") == nullptr;
}

}  // namespace sheaf
