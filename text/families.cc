// SPDX-License-Identifier: Apache-2.0

#include "text/families.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/key_reader.h"

namespace sheaf {
namespace {

absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadTokenizer(
    const std::string& directory, int32_t vocab_size) {
  return Tokenizer::Load(directory, vocab_size);
}

// Prefix and text, followed by the end token.
PromptTemplate MakeT5Template(const Tokenizer& tokenizer,
                              absl::string_view text_prefix) {
  PromptTemplate prompt;
  prompt.text_prefix = std::string(text_prefix);
  prompt.after = {tokenizer.eos_id()};
  return prompt;
}

constexpr absl::string_view kT5Types[] = {"t5", "mt5"};

constexpr TextFamily kFamilies[] = {
    {kT5Types, LoadTokenizer, MakeT5Template},
};

std::string SupportedTypes() {
  std::vector<absl::string_view> names;
  for (const TextFamily& family : kFamilies) {
    names.insert(names.end(), family.model_types.begin(),
                 family.model_types.end());
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace

absl::StatusOr<const TextFamily*> FindTextFamily(const ConfigFiles& files) {
  constexpr absl::string_view kKey = "model_type";
  KeyReader reader(files.config, files.config_path());
  const nlohmann::json* value = reader.Find(kKey);
  const std::string allowed =
      absl::StrCat("one of the supported types: ", SupportedTypes());
  if (value == nullptr) {
    reader.RefuseAbsent(kKey, allowed);
    return reader.status();
  }
  for (const TextFamily& family : kFamilies) {
    for (absl::string_view type : family.model_types) {
      if (*value == std::string(type)) return &family;
    }
  }
  reader.Refuse(kKey, *value, allowed);
  return reader.status();
}

}  // namespace sheaf
