// SPDX-License-Identifier: Apache-2.0

#include "text/families.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/key_reader.h"

namespace sheaf {
namespace {

absl::StatusOr<Tokenizers> LoadT5(const ConfigFiles& files,
                                  int32_t source_vocab_size,
                                  int32_t target_vocab_size) {
  auto tokenizer = Tokenizer::Load(
      files.directory, std::min(source_vocab_size, target_vocab_size));
  if (!tokenizer.ok()) return tokenizer.status();
  Tokenizers out;
  out.source = *std::move(tokenizer);
  out.target = out.source;
  return out;
}

// Prefix and text, followed by the end token.
PromptTemplate MakeT5Template(const Tokenizers& tokenizers,
                              const TextPrompt& prompt) {
  PromptTemplate out;
  out.text_prefix = std::string(prompt.prefix);
  out.after = {tokenizers.source->eos_id()};
  return out;
}

constexpr absl::string_view kT5Types[] = {"t5", "mt5"};

constexpr TextFamily kFamilies[] = {
    {kT5Types, LoadT5, MakeT5Template},
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

std::vector<std::string> Tokenizers::warnings() const {
  std::vector<std::string> all;
  for (const Tokenizer* tokenizer : {source.get(), target.get()}) {
    if (tokenizer == nullptr) continue;
    for (const std::string& warning : tokenizer->warnings()) {
      // Both may have read the same file.
      if (std::find(all.begin(), all.end(), warning) == all.end()) {
        all.push_back(warning);
      }
    }
  }
  return all;
}

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
