// SPDX-License-Identifier: Apache-2.0

#include "engine/model/description.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/key_reader.h"
#include "engine/model/alignment_heads.h"
#include "engine/model/families/common_values.h"
#include "engine/model/families/registry.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr size_t kMaxLabelBytes = 128;

// The family that config.json names; nothing after a refusal.
FoundFamily ReadFamily(KeyReader& reader) {
  const std::string allowed =
      absl::StrCat("one of the supported types: ", ModelTypeNames());
  const json* value = reader.Find("model_type");
  if (value == nullptr) {
    reader.RefuseAbsent("model_type", allowed);
    return {};
  }
  FoundFamily found;
  if (value->is_string()) {
    found = FindFamily(value->get_ref<const std::string&>());
  }
  if (found.family == nullptr) reader.Refuse("model_type", *value, allowed);
  return found;
}

std::string ReadLabel(KeyReader& reader, const ModelType& type) {
  const json* value = reader.Find("architectures");
  if (value == nullptr || (value->is_array() && value->empty())) {
    return std::string(type.label);
  }
  if (!value->is_array() || !value->front().is_string() ||
      value->front().get_ref<const std::string&>().size() > kMaxLabelBytes) {
    reader.Refuse(
        "architectures", *value,
        absl::StrFormat("a list of names of at most %d bytes", kMaxLabelBytes));
    return "";
  }
  return value->front().get<std::string>();
}

// Token ids that either file may have.
struct StartIds {
  std::optional<int32_t> decoder_start, bos;
  std::optional<int32_t> type_default;
};

// Takes the token ids that the file has and leaves the others unchanged.
void ReadTokenIds(KeyReader& reader, int32_t vocab_size, TokenRules& tokens,
                  StartIds& start) {
  const int32_t max_id = vocab_size - 1;
  tokens.pad_id = reader.Int("pad_token_id", 0, max_id, tokens.pad_id);
  constexpr absl::string_view kStart = "decoder_start_token_id";
  if (const json* id = reader.Find(kStart)) {
    start.decoder_start = reader.IntOf(kStart, *id, 0, max_id);
  }
  // Read only where it replaces the start token, so other values are allowed.
  const json* bos = reader.Find("bos_token_id");
  if (bos != nullptr && bos->is_number_integer() && *bos >= 0 &&
      *bos <= max_id) {
    start.bos = bos->get<int32_t>();
  }
  ReadEosIds(reader, max_id, tokens);
}

void ReadConfig(KeyReader& reader, ModelDescription& out, StartIds& start) {
  const FoundFamily found = ReadFamily(reader);
  if (found.family == nullptr) return;
  Architecture& architecture = out.architecture;
  out.family = found.family;
  architecture.family = std::string(found.type->name);
  start.type_default = found.type->decoder_start;
  architecture.label = ReadLabel(reader, *found.type);
  if (!reader.Bool("is_encoder_decoder", true)) {
    reader.Refuse("is_encoder_decoder", false, "true");
  }
  out.family->read(reader, architecture, out.warnings);
  if (!architecture.has_source_embedding) {
    architecture.source_vocab_size = architecture.vocab_size;
  }
  JudgeCommonKeys(reader, out.warnings);
  ReadTokenIds(reader, architecture.vocab_size, architecture.tokens, start);
}

}  // namespace

absl::StatusOr<ModelDescription> DescribeModel(ConfigFiles files) {
  ModelDescription out;
  out.files = std::move(files);
  StartIds start;
  KeyReader config(out.files.config, out.files.config_path());
  ReadConfig(config, out, start);
  if (!config.status().ok()) return config.status();
  TokenRules& tokens = out.architecture.tokens;
  if (out.files.generation.has_value()) {
    KeyReader generation(*out.files.generation, out.files.generation_path());
    ReadTokenIds(generation, out.architecture.vocab_size, tokens, start);
    if (!generation.status().ok()) return generation.status();
  }
  // As in the reference, which does not decode if it has none.
  if (!start.decoder_start.has_value())
    start.decoder_start = start.type_default;
  tokens.start_id =
      start.decoder_start.value_or(start.bos.value_or(tokens.start_id));
  absl::Status status = SetAlignmentHeads(out.files, out.architecture);
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<ModelDescription> ReadDescription(const std::string& directory) {
  absl::StatusOr<ConfigFiles> files = ReadConfigFiles(directory);
  if (!files.ok()) return files.status();
  return DescribeModel(*std::move(files));
}

}  // namespace sheaf
