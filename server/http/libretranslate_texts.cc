// SPDX-License-Identifier: Apache-2.0

#include "server/http/libretranslate_texts.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "server/field_error.h"
#include "server/http/body_fields.h"
#include "server/http/json_integer.h"
#include "server/http/json_text.h"
#include "sheaf/v1/text.pb.h"
#include "text/tasks.h"

namespace sheaf {
namespace {

using nlohmann::json;

// So that one alternative does not make the best translation worse.
constexpr int32_t kMinBeams = 4;

absl::Status Missing(absl::string_view name) {
  return absl::InvalidArgumentError(
      absl::StrCat("Invalid request: missing ", name, " parameter"));
}

// The texts of q.
struct Texts {
  std::vector<std::string> texts;
  bool is_array = false;
};

absl::StatusOr<Texts> ReadTexts(const BodyFields& fields) {
  const json* q = fields.Find("q");
  if (q == nullptr || q->empty() || (q->is_string() && *q == "")) {
    return Missing("q");
  }
  Texts texts;
  texts.is_array = q->is_array();
  for (const json& text : texts.is_array ? *q : json::array({*q})) {
    if (!text.is_string()) {
      return absl::InvalidArgumentError(
          "q is neither a string nor an array of strings");
    }
    texts.texts.push_back(text.get<std::string>());
  }
  if (texts.texts.size() > kMaxLibreTranslateTexts) {
    return absl::InvalidArgumentError(
        absl::StrFormat("q has %d texts; this server allows %d in a request",
                        texts.texts.size(), kMaxLibreTranslateTexts));
  }
  return texts;
}

absl::StatusOr<int32_t> ReadAlternatives(const BodyFields& fields,
                                         const RequestLimits& limits) {
  const json* value = fields.Find("alternatives");
  if (value == nullptr) return 0;
  std::optional<int64_t> number = JsonInteger(*value);
  if (int64_t parsed = 0;
      value->is_string() &&
      absl::SimpleAtoi(value->get_ref<const std::string&>(), &parsed)) {
    number = parsed;
  }
  if (!number.has_value()) {
    return absl::InvalidArgumentError(
        "Invalid request: alternatives parameter is not a number");
  }
  // They and the best one are as many beams.
  const int64_t most = limits.max_beam_size - 1;
  if (*number > most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Invalid request: alternatives parameter must be <= ", most));
  }
  return static_cast<int32_t>(std::max<int64_t>(*number, 0));
}

absl::StatusOr<v1::TextFormat> ReadFormat(const BodyFields& fields) {
  const absl::StatusOr<std::string> format = fields.String("format");
  if (!format.ok()) return format.status();
  if (format->empty() || *format == "text") return v1::TEXT_FORMAT_PLAIN;
  if (*format == "html") return v1::TEXT_FORMAT_HTML;
  return absl::InvalidArgumentError(
      absl::StrCat(Escaped(*format), " format is not supported"));
}

// What of a request for a translation its answer depends on.
struct Asked {
  std::vector<bool> is_blank;  // of each text
  bool is_array = false;
  bool is_detected = false;  // the items behind those of the texts detect
  int32_t num_alternatives = 0;
};

json DetectedOf(const std::vector<LanguageGuess>& guesses) {
  if (guesses.empty()) return {{"language", "en"}, {"confidence", 0}};
  const LanguageGuess& best = guesses.front();
  return {{"language", best.tag},
          {"confidence", std::round(best.confidence * 100)}};
}

HttpResponse AnswerTranslate(const Asked& asked,
                             const std::vector<TextAnswer>& answers) {
  const size_t num_texts = asked.is_blank.size();
  json texts = json::array(), others = json::array(), found = json::array();
  for (size_t i = 0; i < num_texts; ++i) {
    texts.push_back(asked.is_blank[i] ? "" : answers[i].whole.text);
    json alternatives = json::array();
    for (const FinishedPart& other : answers[i].summary.others) {
      alternatives.push_back(other.text);
    }
    others.push_back(std::move(alternatives));
  }
  for (size_t i = num_texts; i < answers.size(); ++i) {
    for (const auto& guesses : answers[i].summary.detected) {
      found.push_back(DetectedOf(guesses));
    }
  }
  // A translation knows it better, because it reads markup as such. It detects
  // nothing if the model has one source language only.
  for (size_t i = 0; asked.is_detected && i < num_texts; ++i) {
    const DetectedTexts& detected = answers[i].summary.detected;
    if (!detected.empty()) found[i] = DetectedOf(detected.front());
  }
  const auto only = [&asked](json& values) {
    return asked.is_array ? std::move(values) : std::move(values[0]);
  };
  json answer = {{"translatedText", only(texts)}};
  if (asked.num_alternatives > 0) answer["alternatives"] = only(others);
  if (asked.is_detected) answer["detectedLanguage"] = only(found);
  return HttpResponse::Json(200, JsonText(answer));
}

// Adds items that detect the languages of the texts. Each has no more texts and
// bytes than a request may have.
void AddDetection(const Texts& texts, const std::string& target,
                  const RequestReader* reader, int64_t max_bytes,
                  TextWork& work) {
  v1::DetectLanguageRequest request;
  int64_t num_bytes = 0;
  for (const std::string& text : texts.texts) {
    const auto size = static_cast<int64_t>(text.size());
    if (num_bytes + size > max_bytes && request.texts_size() > 0) {
      work.items.push_back(TextWork::ItemOf(reader, std::move(request)));
      request.Clear();
      num_bytes = 0;
    }
    num_bytes += size;
    request.add_texts(text);
    request.set_target_language(target);
  }
  work.items.push_back(TextWork::ItemOf(reader, std::move(request)));
}

absl::StatusOr<TextWork> ReadTranslate(const HttpRequest& http,
                                       const RequestReader* reader,
                                       const RequestLimits& limits) {
  absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields.status();
  const absl::StatusOr<Texts> texts = ReadTexts(*fields);
  if (!texts.ok()) return texts.status();
  const absl::StatusOr<std::string> source = RequiredString(*fields, "source");
  if (!source.ok()) return source.status();
  const absl::StatusOr<std::string> target = RequiredString(*fields, "target");
  if (!target.ok()) return target.status();
  const absl::StatusOr<std::string> key = LibreTranslateKey(*fields);
  if (!key.ok()) return key.status();
  const absl::StatusOr<v1::TextFormat> format = ReadFormat(*fields);
  if (!format.ok()) return format.status();
  const absl::StatusOr<int32_t> alternatives =
      ReadAlternatives(*fields, limits);
  if (!alternatives.ok()) return alternatives.status();

  Asked asked;
  asked.is_array = texts->is_array;
  asked.is_detected = IsAnySource(*source);
  asked.num_alternatives = *alternatives;
  TextWork work;
  work.token = *key;
  v1::TranslateRequest request;
  request.set_source_language(*source);
  request.set_target_language(*target);
  request.set_format(*format);
  if (*alternatives > 0) {
    v1::DecodingOptions& decoding = *request.mutable_decoding();
    decoding.set_beam_size(
        std::min(std::max(*alternatives + 1, kMinBeams), limits.max_beam_size));
    decoding.set_num_hypotheses(*alternatives + 1);
  }
  for (const std::string& text : texts->texts) {
    // A request has a text that is not empty. Its language is checked all the
    // same.
    asked.is_blank.push_back(text.empty());
    request.set_text(text.empty() ? " " : text);
    work.items.push_back(TextWork::ItemOf(reader, request));
  }
  if (asked.is_detected) {
    AddDetection(*texts, *target, reader, limits.max_text_bytes, work);
  }
  work.answer = [asked](const std::vector<TextAnswer>& answers) {
    return AnswerTranslate(asked, answers);
  };
  return work;
}

HttpResponse AnswerDetect(const std::vector<TextAnswer>& answers) {
  json found = json::array();
  for (const LanguageGuess& guess : answers[0].summary.detected[0]) {
    found.push_back(DetectedOf({guess}));
  }
  if (found.empty()) found.push_back(DetectedOf({}));
  return HttpResponse::Json(200, JsonText(found));
}

absl::StatusOr<TextWork> ReadDetect(const HttpRequest& http,
                                    const RequestReader* reader) {
  absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields.status();
  const absl::StatusOr<std::string> text = RequiredString(*fields, "q");
  if (!text.ok()) return text.status();
  const absl::StatusOr<std::string> key = LibreTranslateKey(*fields);
  if (!key.ok()) return key.status();
  v1::DetectLanguageRequest request;
  request.add_texts(*text);
  TextWork work;
  work.token = *key;
  work.items = {TextWork::ItemOf(reader, std::move(request))};
  work.answer = AnswerDetect;
  return work;
}

}  // namespace

absl::StatusOr<std::string> RequiredString(const BodyFields& fields,
                                           absl::string_view name) {
  absl::StatusOr<std::string> value = fields.String(name);
  if (value.ok() && value->empty()) return Missing(name);
  return value;
}

absl::StatusOr<std::string> LibreTranslateKey(const BodyFields& fields) {
  absl::StatusOr<std::string> key = fields.String("api_key");
  return key.ok() && key->empty() ? fields.String("apiKey") : key;
}

std::function<absl::StatusOr<TextWork>(HttpRequest)> LibreTranslateReader(
    const RequestReader* reader, const RequestLimits& limits) {
  return [reader, limits](const HttpRequest& request) {
    return ReadTranslate(request, reader, limits);
  };
}

std::function<absl::StatusOr<TextWork>(HttpRequest)> LibreTranslateDetectReader(
    const RequestReader* reader) {
  return [reader](const HttpRequest& request) {
    return ReadDetect(request, reader);
  };
}

}  // namespace sheaf
