// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/t5.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "engine/model/families/common_values.h"
#include "engine/model/families/t5_config_keys.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr ModelType kModelTypes[] = {
    {"t5", "T5ForConditionalGeneration"},
    {"mt5", "MT5ForConditionalGeneration"},
    {"umt5", "UMT5ForConditionalGeneration"},
};

// How the model types differ.
bool IsT5(const Architecture& out) { return out.family == kModelTypes[0].name; }
bool IsMt5(const Architecture& out) {
  return out.family == kModelTypes[1].name;
}
bool IsUmt5(const Architecture& out) {
  return out.family == kModelTypes[2].name;
}

constexpr absl::string_view kFeedForwardKey = "feed_forward_proj";
constexpr absl::string_view kDenseKey = "dense_act_fn";
constexpr absl::string_view kGatedKey = "is_gated_act";

constexpr int32_t kDefaultEosTokenId = 1;
constexpr int32_t kMinVocab = kDefaultEosTokenId + 1;

constexpr int32_t kMaxBuckets = 1 << 12;
constexpr int32_t kMaxDistance = 1 << 24;
// Two per direction, the first of which holds a single distance.
constexpr int32_t kMinBuckets = 4;
constexpr double kMinEpsilon = 1e-12, kMaxEpsilon = 1.0;

constexpr KeyAlias kAliases[] = {
    {"hidden_size", "d_model"},
    {"head_dim", "d_kv"},
    {"num_hidden_layers", "num_layers"},
    {"num_attention_heads", "num_heads"},
};

constexpr absl::string_view kAfterGated = ", alone or after \"gated-\"";

// dense_act_fn and is_gated_act, which the reference saves, take precedence
// over feed_forward_proj, from which it derives them.
void ReadFeedForward(KeyReader& reader, Architecture& out) {
  const json* value = reader.Find(kFeedForwardKey);
  if (value != nullptr && !value->is_string()) {
    reader.Refuse(kFeedForwardKey, *value, "a name");
    return;
  }
  const std::string name = value != nullptr ? value->get<std::string>()
                           : IsT5(out)      ? "relu"
                                            : "gated-gelu";
  absl::string_view activation = name;
  const bool is_gated = absl::ConsumePrefix(&activation, "gated-");
  // It has meant the tanh form since the first T5 1.1.
  if (name == "gated-gelu") activation = "gelu_new";
  for (const absl::string_view key : {kDenseKey, kGatedKey}) {
    if (reader.Has(key) && reader.Find(key) == nullptr) {
      reader.Refuse(key, nullptr,
                    "what feed_forward_proj says, or no such key");
    }
  }
  out.is_gated = reader.Bool(kGatedKey, is_gated);
  const json* dense = reader.Find(kDenseKey);
  if (dense == nullptr) {
    ReadActivation(reader, kFeedForwardKey, activation, kAfterGated, out);
  } else if (dense->is_string()) {
    ReadActivation(reader, kDenseKey, dense->get<std::string>(), "", out);
  } else {
    reader.Refuse(kDenseKey, *dense, "a name");
  }
}

bool IsBeforeVersion5(absl::string_view version) {
  return version.size() > 1 && version[0] >= '2' && version[0] <= '4' &&
         version[1] == '.';
}

// As transformers 5 does: it always ties the head to the table, unless the
// checkpoint has a separate head, and tie_word_embeddings is what tells T5
// (true or absent) from T5 1.1 (false). It then saves scale_decoder_outputs.
// UMT5 does the same; mT5 never scales.
void ReadOutputScale(KeyReader& reader, Architecture& out,
                     std::vector<std::string>& warnings) {
  constexpr absl::string_view kScale = "scale_decoder_outputs";
  constexpr absl::string_view kTie = "tie_word_embeddings";
  constexpr absl::string_view kVersion = "transformers_version";
  const bool is_tied = reader.Bool(kTie, true);
  // Null does not mean absent here, but false.
  const bool scales = reader.Bool(kScale, !reader.Has(kScale) && is_tied);
  if (scales && !IsMt5(out)) {
    out.logit_scale = 1.0f / std::sqrt(static_cast<float>(out.decoder.d_model));
  }
  const json* version = reader.Find(kVersion);
  if (IsMt5(out) && reader.Find(kTie) != nullptr && is_tied &&
      version != nullptr && version->is_string() &&
      IsBeforeVersion5(version->get_ref<const std::string&>())) {
    warnings.push_back(absl::StrFormat(
        "config.json: %s is true and %s %s: that version multiplied %s's "
        "decoder output by d_model^-0.5, transformers 5 and this server do not",
        kTie, kVersion, Shown(*version), out.family));
  }
}

void ReadStacks(KeyReader& reader, Architecture& out) {
  StackShape& encoder = out.encoder;
  encoder.d_model = reader.Int("d_model", 1, kMaxModelDim);
  encoder.head_dim = reader.Int("d_kv", 1, kMaxHeadDim);
  encoder.d_ff = reader.Int("d_ff", 1, kMaxFfDim);
  encoder.num_layers = reader.Int("num_layers", 1, kMaxLayers);
  out.decoder = encoder;
  out.decoder.num_layers =
      reader.Int("num_decoder_layers", 1, kMaxLayers, encoder.num_layers);
}

void ReadHeads(KeyReader& reader, Architecture& out) {
  constexpr absl::string_view kHeads = "num_heads";
  const int32_t num_heads = reader.Int(kHeads, 1, kMaxHeads);
  out.encoder.num_heads = out.encoder.num_kv_heads = num_heads;
  out.decoder.num_heads = num_heads;
  ReadDecoderKvHeads(reader, kHeads, out);
}

void ReadPositions(KeyReader& reader, Architecture& out) {
  Positions& positions = out.positions;
  positions.is_per_layer = IsUmt5(out);
  positions.num_buckets = reader.Int("relative_attention_num_buckets",
                                     kMinBuckets, kMaxBuckets, 32);
  const int32_t min_distance = positions.num_buckets / 2 + 1;
  constexpr absl::string_view kDistance = "relative_attention_max_distance";
  positions.max_distance =
      reader.Int(kDistance, min_distance, kMaxDistance, 128);
  if (positions.max_distance < min_distance) {  // the default
    reader.Refuse(
        kDistance, positions.max_distance,
        absl::StrFormat("an integer in %d..%d", min_distance, kMaxDistance));
  }
  if (reader.Find("n_positions") != nullptr) {
    out.trained_source_tokens = reader.Int("n_positions", 1, kMaxDistance);
  }
}

void Read(KeyReader& reader, Architecture& out,
          std::vector<std::string>& warnings) {
  out.vocab_size = reader.Int("vocab_size", kMinVocab, kMaxVocab);
  out.tokens.eos_ids = {kDefaultEosTokenId};
  ReadStacks(reader, out);
  out.norm_epsilon = static_cast<float>(
      reader.Number("layer_norm_epsilon", kMinEpsilon, kMaxEpsilon, 1e-6));
  ReadOutputScale(reader, out, warnings);
  CheckAliases(reader, kAliases);
  ReadHeads(reader, out);
  ReadFeedForward(reader, out);
  ReadPositions(reader, out);
}

// Best first, as the reference looks for the table.
constexpr absl::string_view kTables[] = {"shared.weight",
                                         "encoder.embed_tokens.weight",
                                         "decoder.embed_tokens.weight"};

constexpr absl::string_view kPrefixes[] = {"encoder.", "decoder.", "shared.",
                                           "lm_head."};

// The name of a tensor within its sub-layer.
absl::string_view SlotName(const Architecture& architecture, Slot slot) {
  switch (slot) {
    case Slot::kNorm:
      return "layer_norm";
    case Slot::kQuery:
      return "q";
    case Slot::kKey:
      return "k";
    case Slot::kValue:
      return "v";
    case Slot::kOutput:
      return "o";
    case Slot::kGate:
      return "wi_0";
    case Slot::kUp:
      return architecture.is_gated ? "wi_1" : "wi";
    case Slot::kDown:
      return "wo";
    default:
      return "";
  }
}

// Each sub-layer has a norm and a module. Its number within the block depends
// on whether cross-attention stands between the other two.
std::string SublayerTensor(const Architecture& architecture,
                           absl::string_view stack, const TensorPlace& place) {
  int number = 0;
  absl::string_view module = "SelfAttention.";
  if (place.sublayer == Sublayer::kCrossAttention) {
    number = 1;
    module = "EncDecAttention.";
  } else if (place.sublayer == Sublayer::kFeedForward) {
    number = place.stack == Stack::kDecoder ? 2 : 1;
    module = "DenseReluDense.";
  }
  if (place.slot == Slot::kNorm) module = "";
  return absl::StrCat(stack, ".block.", place.layer, ".layer.", number, ".",
                      module, SlotName(architecture, place.slot), ".weight");
}

std::vector<std::string> Names(const Architecture& architecture,
                               const TensorPlace& place) {
  const absl::string_view stack =
      place.stack == Stack::kEncoder ? "encoder" : "decoder";
  switch (place.slot) {
    case Slot::kEmbedding:
      return {std::begin(kTables), std::end(kTables)};
    case Slot::kHead:
      return {"lm_head.weight"};
    case Slot::kPositionBias:  // T5's first block has it for all blocks
      return {absl::StrCat(stack, ".block.", place.layer,
                           ".layer.0.SelfAttention."
                           "relative_attention_bias.weight")};
    case Slot::kFinalNorm:
      return {absl::StrCat(stack, ".final_layer_norm.weight")};
    default:
      return {SublayerTensor(architecture, stack, place)};
  }
}

// Old checkpoints hold the position bias of a cross-attention that has none.
bool IsIgnored(absl::string_view tensor) {
  return tensor ==
         "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias."
         "weight";
}

std::string OwnHeadWarning(const Architecture& architecture,
                           absl::string_view head, absl::string_view table) {
  if (architecture.logit_scale == 1) return "";
  return absl::StrFormat(
      "tensor %s differs from %s and is the head, whose input is scaled by "
      "d_model^-0.5 as config.json says (scale_decoder_outputs, "
      "tie_word_embeddings): transformers 5 reads it so, older versions take "
      "another head or do not scale",
      Quoted(head), Quoted(table));
}

}  // namespace

const Family& T5Family() {
  static const Family kFamily = {.model_types = kModelTypes,
                                 .keys = T5ConfigKeys(),
                                 .read = Read,
                                 .names = Names,
                                 .prefixes = kPrefixes,
                                 .is_ignored = IsIgnored,
                                 .own_head_warning = OwnHeadWarning};
  return kFamily;
}

}  // namespace sheaf
