// SPDX-License-Identifier: Apache-2.0

#include "train/data/text_pairs.h"

#include <algorithm>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using nlohmann::json;

// Returns false if the line is not such an object.
bool ParseObject(const std::string& line, TextPair& pair) {
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return false;
  const auto document = object.find("document");
  const auto summaries = object.find("summaries");
  if (document == object.end() || !document->is_string() ||
      summaries == object.end() || !summaries->is_array()) {
    return false;
  }
  pair.source = document->get<std::string>();
  for (const json& summary : *summaries) {
    if (!summary.is_string()) return false;
    pair.references.push_back(summary.get<std::string>());
  }
  return !pair.references.empty();
}

bool ParseColumns(const std::string& line, TextPair& pair) {
  std::vector<std::string> columns = absl::StrSplit(line, '\t');
  pair.source = columns[0];
  pair.references.assign(columns.begin() + 1, columns.end());
  return !pair.references.empty();
}

}  // namespace

absl::StatusOr<std::vector<TextPair>> ReadTextPairs(std::istream& in,
                                                    const std::string& name,
                                                    size_t max_references) {
  std::vector<TextPair> pairs;
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    TextPair pair;
    // JSON writes a tab in a string as \t, so a tab separates columns.
    const bool is_object =
        line[0] == '{' && line.find('\t') == std::string::npos;
    if (!(is_object ? ParseObject(line, pair) : ParseColumns(line, pair))) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ":", number,
          is_object ? ": is no object with \"document\" and \"summaries\""
                    : ": has no tab between source and reference"));
    }
    if (pair.references.size() > max_references) {
      pair.references.resize(max_references);
    }
    pairs.push_back(std::move(pair));
  }
  if (in.bad())
    return absl::DataLossError(absl::StrCat(name, ": can't be read"));
  if (pairs.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": has no pair"));
  }
  return pairs;
}

absl::StatusOr<std::vector<TextPair>> ReadTextPairFile(const std::string& path,
                                                       size_t max_references) {
  if (path == "-") return ReadTextPairs(std::cin, "stdin", max_references);
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(path, ": can not be opened"));
  }
  return ReadTextPairs(file, path, max_references);
}

}  // namespace sheaf
