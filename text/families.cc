// SPDX-License-Identifier: Apache-2.0

#include "text/families.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "text/added_token_files.h"
#include "text/byte_tokenizer.h"
#include "text/language_lists.h"
#include "text/language_tokenizers.h"
#include "text/marked_tokenizer.h"

namespace sheaf {
namespace {

using Source = LanguagePlaces::Source;
using Target = LanguagePlaces::Target;

absl::StatusOr<Tokenizers> OneTokenizer(
    absl::StatusOr<std::unique_ptr<const Tokenizer>> tokenizer) {
  if (!tokenizer.ok()) return tokenizer.status();
  Tokenizers out;
  out.source = *std::move(tokenizer);
  out.target = out.source;
  return out;
}

absl::StatusOr<Tokenizers> LoadOne(const ConfigFiles& files,
                                   int32_t source_vocab_size,
                                   int32_t target_vocab_size) {
  return OneTokenizer(Tokenizer::Load(
      files.directory, std::min(source_vocab_size, target_vocab_size)));
}

absl::StatusOr<Tokenizers> LoadMarian(const ConfigFiles& files,
                                      int32_t source_vocab_size,
                                      int32_t target_vocab_size) {
  return LoadPairTokenizers(files.directory, source_vocab_size,
                            target_vocab_size);
}

absl::StatusOr<Tokenizers> LoadPegasus(const ConfigFiles& files,
                                       int32_t source_vocab_size,
                                       int32_t target_vocab_size) {
  absl::StatusOr<AddedTokenFiles> added = ReadAddedTokenFiles(
      files.directory, std::min(source_vocab_size, target_vocab_size));
  if (!added.ok()) return added.status();
  return OneTokenizer(LoadMarkedTokenizer(*added));
}

// The class that a file names for the tokenizer, without "Fast". Empty if none
// does, or only one that holds for all models.
struct TokenizerClass {
  std::string name;
  std::string path;  // of the file
};

TokenizerClass FindClass(const ConfigFiles& files,
                         const AddedTokenFiles& added) {
  for (const auto& [object, path] :
       {std::pair{&added.config.value, added.config.path},
        {&files.config, files.config_path()}}) {
    const auto value = object->find("tokenizer_class");
    if (value == object->end() || !value->is_string()) continue;
    absl::string_view name = value->get_ref<const std::string&>();
    absl::ConsumeSuffix(&name, "Fast");
    if (name == "PreTrainedTokenizer" || name == "TokenizersBackend") continue;
    return {std::string(name), path};
  }
  return {};
}

absl::Status CheckClass(const TokenizerClass& found,
                        absl::Span<const absl::string_view> allowed) {
  if (found.name.empty() || absl::c_linear_search(allowed, found.name)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: tokenizer_class is %s; allowed is %s", found.path,
                      Quoted(found.name), absl::StrJoin(allowed, " or ")));
}

// Models of bytes have the same type as those of pieces.
absl::StatusOr<Tokenizers> LoadT5(const ConfigFiles& files,
                                  int32_t source_vocab_size,
                                  int32_t target_vocab_size) {
  const int32_t vocab_size = std::min(source_vocab_size, target_vocab_size);
  absl::StatusOr<AddedTokenFiles> added =
      ReadAddedTokenFiles(files.directory, vocab_size);
  if (!added.ok()) return added.status();
  if (FindClass(files, *added).name == "ByT5Tokenizer") {
    return OneTokenizer(LoadByteTokenizer(*std::move(added)));
  }
  return OneTokenizer(Tokenizer::Load(files.directory, vocab_size));
}

absl::StatusOr<Tokenizers> LoadMBart(const ConfigFiles& files,
                                     int32_t source_vocab_size,
                                     int32_t target_vocab_size) {
  constexpr absl::string_view kFirst = "MBartTokenizer";
  constexpr absl::string_view kSecond = "MBart50Tokenizer";
  absl::StatusOr<AddedTokenFiles> added = ReadAddedTokenFiles(
      files.directory, std::min(source_vocab_size, target_vocab_size));
  if (!added.ok()) return added.status();
  const TokenizerClass found = FindClass(files, *added);
  absl::Status status = CheckClass(found, {kFirst, kSecond});
  if (!status.ok()) return status;
  LanguageScheme scheme;
  scheme.has_mask = true;
  scheme.default_source = "en_XX";
  if (found.name == kSecond) {
    scheme.languages = Ml50Languages();
    scheme.places = {Source::kBeforeText, Target::kFirst};
  } else {
    scheme.languages = Cc25Languages();
    scheme.places = {Source::kAfterEnd, Target::kDecoderStart};
  }
  return LoadLanguageTokenizers(*added, scheme);
}

absl::StatusOr<LanguageScheme> M2M100Scheme(const NamedObject& config) {
  LanguageScheme scheme;
  scheme.has_vocabulary = true;
  scheme.default_source = "en";
  scheme.places = {Source::kBeforeText, Target::kFirst};
  constexpr absl::string_view kKey = "language_codes";
  KeyReader reader(config.value, config.path);
  const nlohmann::json* value = reader.Find(kKey);
  if (value == nullptr || *value == "m2m100") {
    scheme.languages = HundredLanguages();
  } else if (*value == "wmt21") {
    scheme.languages = Wmt21Languages();
  } else {
    reader.Refuse(kKey, *value, "m2m100 or wmt21");
  }
  if (!reader.status().ok()) return reader.status();
  return scheme;
}

absl::StatusOr<LanguageScheme> NllbScheme(const NamedObject& config) {
  LanguageScheme scheme;
  scheme.languages = FloresLanguages();
  scheme.has_mask = true;
  scheme.default_source = "eng_Latn";
  KeyReader reader(config.value, config.path);
  const bool is_legacy =
      reader.Bool("legacy_behaviour", /*default_value=*/false);
  scheme.places = {is_legacy ? Source::kAfterEnd : Source::kBeforeText,
                   Target::kFirst};
  if (!reader.status().ok()) return reader.status();
  return scheme;
}

// The models of two tokenizers have the same type. Only that of M2M100 has a
// vocab.json.
absl::StatusOr<Tokenizers> LoadM2M100(const ConfigFiles& files,
                                      int32_t source_vocab_size,
                                      int32_t target_vocab_size) {
  constexpr absl::string_view kM2M100 = "M2M100Tokenizer";
  constexpr absl::string_view kNllb = "NllbTokenizer";
  absl::StatusOr<AddedTokenFiles> added = ReadAddedTokenFiles(
      files.directory, std::min(source_vocab_size, target_vocab_size));
  if (!added.ok()) return added.status();
  const TokenizerClass found = FindClass(files, *added);
  absl::Status status = CheckClass(found, {kM2M100, kNllb});
  if (!status.ok()) return status;
  std::error_code error;
  const bool has_vocabulary =
      std::filesystem::exists(files.directory + "/vocab.json", error);
  const bool is_m2m100 =
      found.name == kM2M100 || (found.name.empty() && has_vocabulary);
  const absl::StatusOr<LanguageScheme> scheme =
      is_m2m100 ? M2M100Scheme(added->config) : NllbScheme(added->config);
  if (!scheme.ok()) return scheme.status();
  return LoadLanguageTokenizers(*added, *scheme);
}

// Prefix and text, followed by the end token, with the languages where the
// model expects them.
PromptTemplate MakeTemplate(const Tokenizers& tokenizers,
                            const TextPrompt& prompt) {
  const LanguagePlaces& places = tokenizers.places;
  PromptTemplate out;
  out.text_prefix = std::string(prompt.prefix);
  out.after = {tokenizers.source->eos_id()};
  const int32_t source_id = prompt.source_language != nullptr
                                ? prompt.source_language->id
                                : places.default_source_id;
  if (source_id >= 0 && places.source == Source::kBeforeText) {
    out.before.push_back(source_id);
  }
  if (source_id >= 0 && places.source == Source::kAfterEnd) {
    out.after.push_back(source_id);
  }
  if (prompt.target_language == nullptr) return out;
  const int32_t target_id = prompt.target_language->id;
  switch (places.target) {
    case Target::kNowhere:
      break;
    case Target::kBeforeText:
      out.before.push_back(target_id);
      break;
    case Target::kDecoderStart:
      out.decoder_start = target_id;
      break;
    case Target::kFirst:
      out.forced_first = target_id;
      break;
  }
  return out;
}

// Prefix and text within the ids that the tokenizer's files put around them, or
// followed by the end token if they name none.
PromptTemplate MakeSurroundedTemplate(const Tokenizers& tokenizers,
                                      const TextPrompt& prompt) {
  const auto& surrounding = tokenizers.source->surrounding();
  if (!surrounding.has_value()) return MakeTemplate(tokenizers, prompt);
  PromptTemplate out;
  out.text_prefix = std::string(prompt.prefix);
  out.before = surrounding->before;
  out.after = surrounding->after;
  return out;
}

constexpr absl::string_view kT5Types[] = {"t5", "mt5", "umt5"};
constexpr absl::string_view kMarianTypes[] = {"marian"};
constexpr absl::string_view kMBartTypes[] = {"mbart"};
constexpr absl::string_view kM2M100Types[] = {"m2m_100"};
constexpr absl::string_view kPegasusTypes[] = {"pegasus"};
constexpr absl::string_view kBartTypes[] = {"bart"};
constexpr absl::string_view kT5GemmaTypes[] = {"t5gemma", "t5gemma2"};

constexpr TextFamily kFamilies[] = {
    {kT5Types, LoadT5, MakeSurroundedTemplate},
    {kMarianTypes, LoadMarian, MakeTemplate},
    {kMBartTypes, LoadMBart, MakeTemplate},
    {kM2M100Types, LoadM2M100, MakeTemplate},
    {kPegasusTypes, LoadPegasus, MakeTemplate, Summaries::kAlways},
    {kBartTypes, LoadOne, MakeSurroundedTemplate, Summaries::kIfNamed},
    {kT5GemmaTypes, LoadOne, MakeSurroundedTemplate},
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
