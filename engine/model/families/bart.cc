// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/bart.h"

#include <cmath>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "engine/model/families/bart_config_keys.h"
#include "engine/model/families/common_values.h"

namespace sheaf {
namespace {

using nlohmann::json;

// The ids of Marian's configuration class where a file has none.
constexpr int32_t kMarianPadId = 58100;

constexpr ModelType kModelTypes[] = {
    {"bart", "BartForConditionalGeneration", /*decoder_start=*/2},
    {"mbart", "MBartForConditionalGeneration"},
    {"marian", "MarianMTModel", /*decoder_start=*/kMarianPadId},
    {"m2m_100", "M2M100ForConditionalGeneration", /*decoder_start=*/2},
    {"pegasus", "PegasusForConditionalGeneration", /*decoder_start=*/0},
};

// How the model types differ, and what the reference takes for absent keys.
struct Setting {
  NormPlace norm_place;
  bool has_embedding_norm;
  Positions positions;
  bool has_logit_bias;
  absl::string_view activation = "gelu";
  bool scales_embedding = false;
  int32_t vocab_size = 50265;
  int32_t pad_id = 1, eos_id = 2;
};

constexpr Setting kSettings[] = {
    {.norm_place = NormPlace::kAfter,
     .has_embedding_norm = true,
     .positions = {.kind = PositionKind::kLearned, .first_position = 2},
     .has_logit_bias = true},
    {.norm_place = NormPlace::kBefore,
     .has_embedding_norm = true,
     .positions = {.kind = PositionKind::kLearned, .first_position = 2},
     .has_logit_bias = true},
    {.norm_place = NormPlace::kAfter,
     .has_embedding_norm = false,
     .positions = {.kind = PositionKind::kSinusoidal},
     .has_logit_bias = true,
     .vocab_size = kMarianPadId + 1,
     .pad_id = kMarianPadId,
     .eos_id = 0},
    {.norm_place = NormPlace::kBefore,
     .has_embedding_norm = false,
     .positions = {.kind = PositionKind::kSinusoidalToLast,
                   .first_position = 2,
                   .skips_padding = true},
     .has_logit_bias = false,
     .activation = "relu",
     .scales_embedding = true,
     .vocab_size = 128112},
    {.norm_place = NormPlace::kBefore,
     .has_embedding_norm = false,
     .positions = {.kind = PositionKind::kSinusoidal},
     .has_logit_bias = true,
     .pad_id = 0,
     .eos_id = 1},
};
static_assert(std::size(kSettings) == std::size(kModelTypes));

const Setting& SettingOf(const Architecture& out) {
  size_t i = 0;
  while (kModelTypes[i].name != out.family) ++i;
  return kSettings[i];
}

bool IsMarian(const Architecture& out) { return out.family == "marian"; }

constexpr KeyAlias kAliases[] = {
    {"hidden_size", "d_model"},
    {"num_attention_heads", "encoder_attention_heads"},
};

// Ids 0 to 2 have a meaning of their own.
constexpr int32_t kMinVocab = 3;
constexpr int32_t kMaxPositions = 1 << 20;
// Positions to the last frequency divide by d_model / 2 - 1.
constexpr int32_t kMinModelDim = 4;
// A constant of the reference's classes.
constexpr float kNormEpsilon = 1e-5f;

void ReadVocabularies(KeyReader& reader, const Setting& setting,
                      Architecture& out) {
  const int32_t vocab =
      reader.Int("vocab_size", kMinVocab, kMaxVocab, setting.vocab_size);
  out.vocab_size = vocab;
  constexpr absl::string_view kShare = "share_encoder_decoder_embeddings";
  if (IsMarian(out) && !reader.Bool(kShare, true)) {
    out.has_source_embedding = true;
    out.source_vocab_size = vocab;
    out.vocab_size =
        reader.Int("decoder_vocab_size", kMinVocab, kMaxVocab, vocab);
  }
  out.tokens.pad_id = setting.pad_id;
  out.tokens.eos_ids = {setting.eos_id};
  if (setting.pad_id < out.vocab_size) return;
  for (const absl::string_view key :
       {"pad_token_id", "decoder_start_token_id"}) {
    if (reader.Find(key) == nullptr) {
      reader.RefuseAbsent(
          key, absl::StrFormat("an integer in 0..%d", out.vocab_size - 1));
    }
  }
}

void ReadStack(KeyReader& reader, absl::string_view stack, int32_t d_model,
               bool scales_embedding, StackShape& out) {
  const auto read = [&](absl::string_view key, int32_t max,
                        int32_t default_value) {
    return reader.Int(absl::StrCat(stack, key), 1, max, default_value);
  };
  out.d_model = d_model;
  out.num_layers = read("_layers", kMaxLayers, 12);
  out.d_ff = read("_ffn_dim", kMaxFfDim, 4096);
  out.num_heads = out.num_kv_heads = read("_attention_heads", kMaxHeads, 16);
  if (d_model % out.num_heads != 0 || d_model / out.num_heads > kMaxHeadDim) {
    reader.Refuse(absl::StrCat(stack, "_attention_heads"), out.num_heads,
                  absl::StrFormat("a number that divides d_model, %d, into "
                                  "heads of at most %d",
                                  d_model, kMaxHeadDim));
    return;
  }
  out.head_dim = d_model / out.num_heads;
  out.score_scale = 1.0f / std::sqrt(static_cast<float>(out.head_dim));
  if (scales_embedding) {
    out.embedding_scale = std::sqrt(static_cast<float>(d_model));
  }
}

void ReadStacks(KeyReader& reader, const Setting& setting, Architecture& out) {
  const int32_t d_model =
      reader.Int("d_model", kMinModelDim, kMaxModelDim, 1024);
  if (out.positions.is_computed() && d_model % 2 != 0) {
    reader.Refuse("d_model", d_model, "an even number");
  }
  const bool scales = reader.Bool("scale_embedding", setting.scales_embedding);
  ReadStack(reader, "encoder", d_model, scales, out.encoder);
  ReadStack(reader, "decoder", d_model, scales, out.decoder);
  CheckAliases(reader, kAliases);
  ReadDecoderKvHeads(reader, "decoder_attention_heads", out);
}

void ReadActivationFunction(KeyReader& reader, const Setting& setting,
                            Architecture& out) {
  constexpr absl::string_view kKey = "activation_function";
  const json* value = reader.Find(kKey);
  if (value == nullptr) {
    ReadActivation(reader, kKey, setting.activation, "", out);
  } else if (value->is_string()) {
    ReadActivation(reader, kKey, value->get<std::string>(), "", out);
  } else {
    reader.Refuse(kKey, *value, "a name");
  }
}

void ReadPositions(KeyReader& reader, Architecture& out) {
  const int32_t count =
      reader.Int("max_position_embeddings", 1, kMaxPositions, 1024);
  out.trained_source_tokens = count;
  if (!out.positions.is_computed()) out.max_positions = count;
}

// Old files say what the type has. The reference does not read these keys: the
// type decides, here too.
void CheckOldKeys(KeyReader& reader, const Architecture& out,
                  std::vector<std::string>& warnings) {
  const struct {
    absl::string_view key;
    bool has;
  } kOldKeys[] = {
      {"normalize_before", out.norm_place == NormPlace::kBefore},
      {"normalize_embedding", out.has_embedding_norm},
      {"add_final_layer_norm", out.has_final_norm},
      {"static_position_embeddings", out.positions.is_computed()},
  };
  for (const auto& [key, has] : kOldKeys) {
    if (reader.Bool(key, has) == has) continue;
    warnings.push_back(absl::StrFormat(
        "config.json: %s is %s, which models of type %s do not follow, neither "
        "here nor in the reference implementation",
        key, has ? "false" : "true", out.family));
  }
}

void Read(KeyReader& reader, Architecture& out,
          std::vector<std::string>& warnings) {
  const Setting& setting = SettingOf(out);
  out.norm = NormKind::kLayer;
  out.norm_epsilon = kNormEpsilon;
  out.norm_place = setting.norm_place;
  out.has_final_norm = setting.norm_place == NormPlace::kBefore;
  out.has_embedding_norm = setting.has_embedding_norm;
  out.has_biases = true;
  out.has_logit_bias = setting.has_logit_bias;
  out.positions = setting.positions;
  ReadVocabularies(reader, setting, out);
  ReadStacks(reader, setting, out);
  ReadActivationFunction(reader, setting, out);
  ReadPositions(reader, out);
  CheckOldKeys(reader, out, warnings);
  // Marian's guided alignment trains this head, at the step that predicts.
  if (IsMarian(out)) {
    out.alignment = {{{out.decoder.num_layers - 1, 0}}, /*shift=*/0};
  }
}

constexpr absl::string_view kPrefixes[] = {"model.", "lm_head.",
                                           "final_logits_bias"};

// The name of a tensor within its sub-layer.
absl::string_view SlotName(Slot slot) {
  switch (slot) {
    case Slot::kQuery:
      return "q_proj";
    case Slot::kKey:
      return "k_proj";
    case Slot::kValue:
      return "v_proj";
    case Slot::kOutput:
      return "out_proj";
    case Slot::kUp:
      return "fc1";
    case Slot::kDown:
      return "fc2";
    default:
      SHEAF_CHECK(false);  // The family has no such tensors.
      return "";
  }
}

// The norm of the feed-forward sub-layer is called "final" too; that of the
// stack is "layer_norm".
std::string SublayerTensor(const TensorPlace& place) {
  const bool is_norm = place.slot == Slot::kNorm;
  switch (place.sublayer) {
    case Sublayer::kSelfAttention:
      return is_norm ? "self_attn_layer_norm"
                     : absl::StrCat("self_attn.", SlotName(place.slot));
    case Sublayer::kCrossAttention:
      return is_norm ? "encoder_attn_layer_norm"
                     : absl::StrCat("encoder_attn.", SlotName(place.slot));
    case Sublayer::kFeedForward:
      return is_norm ? "final_layer_norm" : std::string(SlotName(place.slot));
  }
  return "";
}

constexpr absl::string_view kEncoderTable = "model.encoder.embed_tokens.weight";
constexpr absl::string_view kDecoderTable = "model.decoder.embed_tokens.weight";

std::vector<std::string> Names(const Architecture& architecture,
                               const TensorPlace& place) {
  const absl::string_view kind = place.is_bias ? ".bias" : ".weight";
  const std::string stack =
      place.stack == Stack::kEncoder ? "model.encoder." : "model.decoder.";
  switch (place.slot) {
    case Slot::kEmbedding:
      if (architecture.has_source_embedding)
        return {std::string(kDecoderTable)};
      return {"model.shared.weight", std::string(kEncoderTable),
              std::string(kDecoderTable)};
    case Slot::kSourceEmbedding:
      return {std::string(kEncoderTable)};
    case Slot::kHead:
      return {"lm_head.weight"};
    case Slot::kLogitBias:
      return {"final_logits_bias"};
    case Slot::kPositions:
      return {absl::StrCat(stack, "embed_positions.weight")};
    case Slot::kEmbeddingNorm:
      return {absl::StrCat(stack, "layernorm_embedding", kind)};
    case Slot::kFinalNorm:
      return {absl::StrCat(stack, "layer_norm", kind)};
    default:
      return {absl::StrCat(stack, "layers.", place.layer, ".",
                           SublayerTensor(place), kind)};
  }
}

// Old checkpoints hold a number of the format, and M2M100's the computed
// positions, which the reference computes anew.
bool IsIgnored(absl::string_view tensor) {
  return absl::EndsWith(tensor, "coder.version") ||
         absl::EndsWith(tensor, "coder.embed_positions.weights") ||
         absl::EndsWith(tensor, "coder.embed_positions._float_tensor");
}

}  // namespace

const Family& BartFamily() {
  static const Family kFamily = {.model_types = kModelTypes,
                                 .keys = BartConfigKeys(),
                                 .read = Read,
                                 .names = Names,
                                 .prefixes = kPrefixes,
                                 .base_prefix = "model.",
                                 .is_ignored = IsIgnored};
  return kFamily;
}

}  // namespace sheaf
