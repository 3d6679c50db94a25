// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

// The languages of DeepL's API.
namespace sheaf {

// A BCP 47 tag as DeepL writes a source language, which has neither script nor
// region: "EN", "ZH".
std::string DeepLSourceCode(absl::string_view tag);

// The answers of /v2/languages. `languages` is that of
// LibreTranslateLanguages().
//   [{"language": "EN", "name": "English"}]
nlohmann::json DeepLSources(const nlohmann::json& languages);
// DeepL's clients refuse English and Portuguese without a region as targets, so
// both variants of each are listed.
//   [{"language": "EN-GB", "name": "English (United Kingdom)",
//     "supports_formality": false}]
nlohmann::json DeepLTargets(const nlohmann::json& languages);

}  // namespace sheaf
