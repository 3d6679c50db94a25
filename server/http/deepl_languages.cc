// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_languages.h"

#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "text/language_names.h"

namespace sheaf {
namespace {

// The tags under which a target is listed.
std::vector<std::string> VariantsOf(const std::string& tag) {
  if (tag == "en") return {"en-GB", "en-US"};
  if (tag == "pt") return {"pt-BR", "pt-PT"};
  return {tag};
}

}  // namespace

std::string DeepLSourceCode(absl::string_view tag) {
  return absl::AsciiStrToUpper(tag.substr(0, tag.find('-')));
}

nlohmann::json DeepLSources(const nlohmann::json& languages) {
  nlohmann::json sources = nlohmann::json::array();
  std::set<std::string> seen;
  for (const nlohmann::json& language : languages) {
    if (language["targets"].empty()) continue;
    const std::string tag = language["code"];
    const std::string code = DeepLSourceCode(tag);
    if (!seen.insert(code).second) continue;
    sources.push_back({{"language", code},
                       {"name", EnglishName(tag.substr(0, tag.find('-')))}});
  }
  return sources;
}

nlohmann::json DeepLTargets(const nlohmann::json& languages) {
  std::set<std::string> tags;
  for (const nlohmann::json& language : languages) {
    for (const std::string target : language["targets"]) {
      for (const std::string& tag : VariantsOf(target)) tags.insert(tag);
    }
  }
  nlohmann::json targets = nlohmann::json::array();
  for (const std::string& tag : tags) {
    targets.push_back({{"language", absl::AsciiStrToUpper(tag)},
                       {"name", EnglishName(tag)},
                       {"supports_formality", false}});
  }
  return targets;
}

}  // namespace sheaf
