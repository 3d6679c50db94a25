// SPDX-License-Identifier: Apache-2.0

#include "client/output.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/segment_notes.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using Json = nlohmann::ordered_json;

// Replaces bytes that are not UTF-8, for which nlohmann would throw.
std::string Dump(const Json& json) {
  return json.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
                   Json::error_handler_t::replace);
}

// "EOS"
std::string FinishReasonName(v1::FinishReason reason) {
  return std::string(
      absl::StripPrefix(v1::FinishReason_Name(reason), "FINISH_REASON_"));
}

Json IdsJson(const v1::TokenIds& tokens) {
  return std::vector<int32_t>(tokens.ids().begin(), tokens.ids().end());
}

Json UsageJson(const v1::Usage& usage) {
  return {{"input_tokens", usage.input_tokens()},
          {"output_tokens", usage.output_tokens()},
          {"segments", usage.segments()}};
}

template <typename Hypotheses>
Json HypothesesJson(const Hypotheses& hypotheses) {
  Json list = Json::array();
  for (const v1::Hypothesis& hypothesis : hypotheses) {
    list.push_back(
        {{"text", hypothesis.text()},
         {"tokens", IdsJson(hypothesis.tokens())},
         {"score", hypothesis.score()},
         {"finish_reason", FinishReasonName(hypothesis.finish_reason())}});
  }
  return list;
}

std::string TextOrIds(const v1::Hypothesis& hypothesis) {
  return hypothesis.text().empty() ? JoinIds(hypothesis.tokens())
                                   : hypothesis.text();
}

template <typename Hypotheses>
std::string ScoredTexts(const Hypotheses& hypotheses,
                        absl::string_view between) {
  return absl::StrJoin(hypotheses, between,
                       [](std::string* out, const v1::Hypothesis& hypothesis) {
                         absl::StrAppendFormat(
                             out, "%.4f\t%s", hypothesis.score(),
                             JoinLineBreaks(TextOrIds(hypothesis)));
                       });
}

Json DetectedJson(const v1::DetectedLanguage& detected) {
  return {{"language", detected.language()},
          {"confidence", detected.confidence()}};
}

Json SpanJson(const v1::TextSpan& span) { return {span.begin(), span.end()}; }

template <typename Reports>
Json SegmentsJson(const Reports& reports) {
  Json list = Json::array();
  for (const v1::SegmentReport& report : reports) {
    Json warnings = Json::array();
    for (const int warning : report.warnings()) {
      warnings.push_back(WarningName(static_cast<v1::SegmentWarning>(warning)));
    }
    list.push_back({{"source", SpanJson(report.source())},
                    {"target", SpanJson(report.target())},
                    {"mean_logprob", report.mean_logprob()},
                    {"warnings", warnings}});
  }
  return list;
}

template <typename Response>
Json TextResponseJson(const Response& response) {
  Json json = {{"text", response.text()},
               {"finish_reason", FinishReasonName(response.finish_reason())},
               {"usage", UsageJson(response.usage())},
               {"model", response.model()}};
  if (response.alternatives_size() > 0) {
    json["hypotheses"] = HypothesesJson(response.alternatives());
  }
  return json;
}

// "1.5 GiB", "512 B"
std::string FormatBytes(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.*f %s", unit == 0 ? 0 : 1, value, kUnits[unit]);
}

using Row = std::vector<std::string>;

using Strings = google::protobuf::RepeatedPtrField<std::string>;

std::vector<std::string> ToVector(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

// "en to fr", "any to 31 languages".
std::string LanguagesOf(const v1::Model& model) {
  const auto side = [](const Strings& languages) -> std::string {
    if (languages.empty()) return "any";
    if (languages.size() == 1) return languages[0];
    return absl::StrCat(languages.size(), " languages");
  };
  return absl::StrCat(side(model.source_languages()), " to ",
                      side(model.target_languages()));
}

std::string TasksOf(const v1::Model& model) {
  const std::string tasks = absl::StrJoin(model.tasks(), ",");
  return model.target_languages().empty()
             ? tasks
             : absl::StrCat(tasks, " (", LanguagesOf(model), ")");
}

Row ModelRow(const v1::Model& model) {
  return {
      model.name(),
      absl::StrFormat("%.1f M", model.num_parameters() / 1e6),
      absl::StrFormat("%d/%d/%d", model.num_query_heads(), model.num_kv_heads(),
                      model.num_cross_kv_heads()),
      absl::StrCat(model.weight_type(), ", ",
                   FormatBytes(model.weight_bytes())),
      absl::StrCat(model.kv_type(), ", ",
                   FormatBytes(model.kv_capacity_bytes())),
      absl::StrCat(FormatBytes(model.kv_bytes_per_token()), " + ",
                   FormatBytes(model.cross_kv_bytes_per_token())),
      absl::StrCat(model.max_source_tokens()),
      TasksOf(model),
  };
}

}  // namespace

std::string ToJson(const v1::TranslateResponse& response) {
  Json json = TextResponseJson(response);
  if (response.has_detected_language()) {
    json["detected_language"] = DetectedJson(response.detected_language());
  }
  if (!response.segments().empty()) {
    json["segments"] = SegmentsJson(response.segments());
  }
  return Dump(json);
}

std::string ToJson(const v1::DetectedLanguages& languages) {
  Json list = Json::array();
  for (const v1::DetectedLanguage& language : languages.languages()) {
    list.push_back(DetectedJson(language));
  }
  return Dump({{"languages", list}});
}

std::string ToJson(const v1::SummarizeResponse& response) {
  return Dump(TextResponseJson(response));
}

std::string ToJson(const v1::GenerateResponse& response) {
  v1::Hypothesis best;
  if (response.hypotheses_size() > 0) best = response.hypotheses(0);
  return Dump({{"text", best.text()},
               {"tokens", IdsJson(best.tokens())},
               {"finish_reason", FinishReasonName(best.finish_reason())},
               {"usage", UsageJson(response.usage())},
               {"model", response.model()},
               {"hypotheses", HypothesesJson(response.hypotheses())}});
}

std::string ToJson(const v1::Model& model) {
  return Dump({{"name", model.name()},
               {"architecture", model.architecture()},
               {"num_parameters", model.num_parameters()},
               {"num_query_heads", model.num_query_heads()},
               {"num_kv_heads", model.num_kv_heads()},
               {"num_cross_kv_heads", model.num_cross_kv_heads()},
               {"weight_type", model.weight_type()},
               {"kv_type", model.kv_type()},
               {"weight_bytes", model.weight_bytes()},
               {"kv_bytes_per_token", model.kv_bytes_per_token()},
               {"cross_kv_bytes_per_token", model.cross_kv_bytes_per_token()},
               {"kv_capacity_bytes", model.kv_capacity_bytes()},
               {"max_source_tokens", model.max_source_tokens()},
               {"has_shortlist", model.has_shortlist()},
               {"tasks", ToVector(model.tasks())},
               {"source_languages", ToVector(model.source_languages())},
               {"target_languages", ToVector(model.target_languages())},
               {"warnings", ToVector(model.warnings())}});
}

std::string ToText(const v1::TranslateResponse& response,
                   absl::string_view between) {
  return response.alternatives_size() > 1
             ? ScoredTexts(response.alternatives(), between)
             : response.text();
}

std::string ToText(const v1::DetectedLanguages& languages) {
  if (languages.languages().empty()) return "und\t0.00";
  const v1::DetectedLanguage& best = languages.languages(0);
  return absl::StrFormat("%s\t%.2f", best.language(), best.confidence());
}

std::string ToText(const v1::SummarizeResponse& response) {
  return response.alternatives_size() > 1
             ? ScoredTexts(response.alternatives(), "\n")
             : response.text();
}

std::string ToText(const v1::GenerateResponse& response) {
  if (response.hypotheses_size() > 1) {
    return ScoredTexts(response.hypotheses(), "\n");
  }
  return response.hypotheses_size() == 0 ? ""
                                         : TextOrIds(response.hypotheses(0));
}

std::string JoinIds(const v1::TokenIds& tokens) {
  return absl::StrJoin(tokens.ids(), ",");
}

std::string ModelTable(const v1::ListModelsResponse& models) {
  std::vector<Row> rows = {{"NAME", "PARAMETERS", "HEADS q/kv/cross", "WEIGHTS",
                            "KV CACHE", "KV A TOKEN self + cross", "MAX SOURCE",
                            "TASKS"}};
  for (const v1::Model& model : models.models()) {
    rows.push_back(ModelRow(model));
  }
  std::vector<size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string table;
  for (const Row& row : rows) {
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      absl::StrAppendFormat(&table, "%-*s  ", static_cast<int>(widths[i]),
                            row[i]);
    }
    absl::StrAppend(&table, row.back(), "\n");
  }
  for (const v1::Model& model : models.models()) {
    for (const std::string& warning : model.warnings()) {
      absl::StrAppend(&table, "warning: ", model.name(), ": ", warning, "\n");
    }
  }
  return table;
}

std::string CodeName(absl::StatusCode code) {
  const std::string name = absl::StatusCodeToString(code);
  if (!name.empty()) return name;
  return absl::StrCat("CODE_", static_cast<int>(code));
}

std::string JoinLineBreaks(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

bool IsBlank(absl::string_view text) {
  return absl::StripAsciiWhitespace(text).empty();
}

}  // namespace sheaf
