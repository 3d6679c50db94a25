// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/t5gemma.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "engine/model/families/common_values.h"
#include "engine/model/families/t5gemma_config_keys.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr ModelType kModelTypes[] = {
    {"t5gemma", "T5GemmaForConditionalGeneration"},
    {"t5gemma2", "T5Gemma2ForConditionalGeneration"},
};

bool IsSecond(const Architecture& out) {
  return out.family == kModelTypes[1].name;
}

// Values of the reference's classes where a file has none.
struct Defaults {
  int32_t vocab_size;
  int32_t window_pattern;  // every so many layers, one has no window
  double score_softcap, logit_softcap;
  double full_base, window_base;  // of rotations
  int32_t max_positions;
};
constexpr Defaults kDefaults[] = {
    {.vocab_size = 256000,
     .window_pattern = 2,
     .score_softcap = 50,
     .logit_softcap = 30,
     .full_base = 1e4,
     .window_base = 1e4,
     .max_positions = 8192},
    {.vocab_size = 262208,
     .window_pattern = 6,
     .score_softcap = 0,
     .logit_softcap = 0,
     .full_base = 1e6,
     .window_base = 1e4,
     .max_positions = 131072},
};

constexpr int32_t kMinVocab = 3;
constexpr int32_t kMaxPositions = 1 << 24;
constexpr double kMinEpsilon = 1e-12, kMaxEpsilon = 1.0;
constexpr double kMinSoftcap = 1e-3, kMaxSoftcap = 1e6;
constexpr double kMinBase = 1.0, kMaxBase = 1e12;
constexpr double kMinFactor = 1e-3, kMaxFactor = 1e6;
constexpr double kMaxScalar = 1e6;
constexpr int32_t kEoiTokenId = 256000;

constexpr absl::string_view kWindowed = "sliding_attention";
constexpr absl::string_view kFull = "full_attention";

// One of the stacks while it is read.
struct StackReader {
  KeyReader& keys;
  const Architecture& model;
  Stack stack;
  StackShape& out;

  const Defaults& defaults() const { return kDefaults[IsSecond(model)]; }

  // Null means none here, and only an absent key the default.
  float Softcap(absl::string_view key, double default_value) {
    if (keys.Has(key) && keys.Find(key) == nullptr) return 0;
    return static_cast<float>(
        keys.Number(key, kMinSoftcap, kMaxSoftcap, default_value));
  }

  void ReadSizes() {
    out.d_model = keys.Int("hidden_size", 1, kMaxModelDim, 2304);
    out.d_ff = keys.Int("intermediate_size", 1, kMaxFfDim, 9216);
    out.num_layers = keys.Int("num_hidden_layers", 1, kMaxLayers, 26);
    out.num_heads = keys.Int("num_attention_heads", 1, kMaxHeads, 8);
    constexpr absl::string_view kKvHeads = "num_key_value_heads";
    out.num_kv_heads = keys.Int(kKvHeads, 1, out.num_heads, 4);
    if (out.num_heads % out.num_kv_heads != 0) {
      keys.Refuse(kKvHeads, out.num_kv_heads,
                  absl::StrFormat("a number that divides num_attention_heads, "
                                  "%d",
                                  out.num_heads));
    }
    out.head_dim = keys.Int("head_dim", 2, kMaxHeadDim, 256);
    if (out.head_dim % 2 != 0) {
      keys.Refuse("head_dim", out.head_dim, "an even number");
    }
    out.embedding_scale = std::sqrt(static_cast<float>(out.d_model));
  }

  void ReadScores() {
    constexpr absl::string_view kScalar = "query_pre_attn_scalar";
    const double scalar = keys.Number(kScalar, 1, kMaxScalar, 256);
    out.score_scale = static_cast<float>(1 / std::sqrt(scalar));
    // T5Gemma 2 does not cap scores, whatever the key says.
    if (!IsSecond(model)) {
      out.score_softcap =
          Softcap("attn_logit_softcapping", defaults().score_softcap);
    }
  }

  // Whether each layer has a window.
  std::vector<bool> ReadLayerTypes() {
    constexpr absl::string_view kTypes = "layer_types";
    std::vector<bool> has_window(out.num_layers);
    const json* value = keys.Find(kTypes);
    if (value == nullptr) {
      const int32_t pattern = keys.Int("sliding_window_pattern", 1, kMaxLayers,
                                       defaults().window_pattern);
      for (int32_t i = 0; i < out.num_layers; ++i) {
        has_window[i] = (i + 1) % pattern != 0;
      }
      return has_window;
    }
    const std::string allowed =
        absl::StrFormat("a list of %d values, each \"%s\" or \"%s\"",
                        out.num_layers, kWindowed, kFull);
    if (!value->is_array() ||
        static_cast<int32_t>(value->size()) != out.num_layers) {
      keys.Refuse(kTypes, *value, allowed);
      return has_window;
    }
    for (int32_t i = 0; i < out.num_layers; ++i) {
      const json& type = (*value)[i];
      has_window[i] = type == std::string(kWindowed);
      if (!has_window[i] && type != std::string(kFull)) {
        keys.Refuse(kTypes, *value, allowed);
      }
    }
    return has_window;
  }

  // As transformers 5.24 has them; other versions differ by one token.
  Window ReadWindow() {
    const int32_t size = keys.Int("sliding_window", 1, kMaxPositions, 4096);
    if (stack == Stack::kDecoder) return {size - 1, 0};
    if (!IsSecond(model)) return {size, size};
    return {(size + 1) / 2 - 1, size / 2};
  }

  // `object` has the keys of one kind of layers; bases are defaults.
  static Rotation ReadRotation(KeyReader& object, double base) {
    Rotation rotation;
    rotation.base = static_cast<float>(
        object.Number("rope_theta", kMinBase, kMaxBase, base));
    constexpr absl::string_view kWhole = "partial_rotary_factor";
    if (object.Number(kWhole, 0, 1, 1) != 1) {
      object.Refuse(kWhole, *object.Find(kWhole), "1: whole heads turn");
    }
    // `type` is the old name.
    for (const absl::string_view key : {"rope_type", "type"}) {
      const json* type = object.Find(key);
      if (type == nullptr || *type == "default") continue;
      if (*type != "linear") {
        object.Refuse(key, *type, "\"default\" or \"linear\"");
        continue;
      }
      if (object.Find("factor") == nullptr) {
        object.RefuseAbsent("factor", "a number");
      }
      rotation.factor = static_cast<float>(
          object.Number("factor", kMinFactor, kMaxFactor, 1));
    }
    return rotation;
  }

  // The rotation of layers of `type`, from its own object if there is one.
  Rotation ReadRotationOf(absl::string_view type, double base) {
    constexpr absl::string_view kParameters = "rope_parameters";
    constexpr absl::string_view kScaling = "rope_scaling";
    Rotation rotation = {.base = static_cast<float>(base), .factor = 1};
    const json* scaling = keys.Find(kScaling);
    if (keys.Find(kParameters) == nullptr) {
      // Old files scale only the layers without a window, if the types differ.
      if (scaling == nullptr || (IsSecond(model) && type != kFull)) {
        return rotation;
      }
      keys.Object(kScaling, [&](KeyReader& object) {
        rotation = ReadRotation(object, base);
      });
      return rotation;
    }
    if (scaling != nullptr) {
      keys.Refuse(kScaling, *scaling, "none beside rope_parameters");
    }
    keys.Object(kParameters, [&](KeyReader& parameters) {
      if (parameters.Find(kFull) == nullptr &&
          parameters.Find(kWindowed) == nullptr && !IsSecond(model)) {
        rotation = ReadRotation(parameters, base);
      } else if (parameters.Find(type) != nullptr) {
        parameters.Object(type, [&](KeyReader& object) {
          rotation = ReadRotation(object, base);
        });
      }
    });
    return rotation;
  }

  void ReadLayers() {
    const std::vector<bool> has_window = ReadLayerTypes();
    const Window window = ReadWindow();
    const double full_base =
        keys.Number("rope_theta", kMinBase, kMaxBase, defaults().full_base);
    const double window_base =
        IsSecond(model) ? keys.Number("rope_local_base_freq", kMinBase,
                                      kMaxBase, defaults().window_base)
                        : full_base;
    const Rotation full = ReadRotationOf(kFull, full_base);
    const Rotation windowed = ReadRotationOf(kWindowed, window_base);
    for (const bool is_windowed : has_window) {
      out.windows.push_back(is_windowed ? std::make_optional(window)
                                        : std::nullopt);
      out.rotations.push_back(is_windowed ? windowed : full);
    }
  }

  int32_t ReadVocab() {
    return keys.Int("vocab_size", kMinVocab, kMaxVocab, defaults().vocab_size);
  }
};

// Values that both stacks must share.
struct CommonValues {
  float norm_epsilon = 0;
  Activation activation = Activation::kGeluTanh;
  bool operator==(const CommonValues&) const = default;
};

CommonValues ReadCommonValues(KeyReader& keys, Architecture& out) {
  const float epsilon = static_cast<float>(
      keys.Number("rms_norm_eps", kMinEpsilon, kMaxEpsilon, 1e-6));
  constexpr absl::string_view kActivation = "hidden_activation";
  const json* activation = keys.Find(kActivation);
  if (activation == nullptr || activation->is_string()) {
    ReadActivation(keys, kActivation,
                   activation == nullptr ? "gelu_pytorch_tanh"
                                         : activation->get<std::string>(),
                   "", out);
  } else {
    keys.Refuse(kActivation, *activation, "a name");
  }
  return {epsilon, out.activation};
}

void JudgeStackKeys(KeyReader& keys, std::vector<std::string>& warnings) {
  JudgeCommonKeys(keys, warnings);
  for (const ConfigKey& key : T5GemmaStackKeys()) {
    const json* value = keys.Find(key.name);
    if (key.fate == ConfigKey::Fate::kRefused && value != nullptr &&
        *value != false) {
      keys.Refuse(key.name, *value, key.note);
    }
  }
}

void ReadStack(KeyReader& keys, Stack stack, Architecture& out,
               std::vector<std::string>& warnings) {
  StackShape& shape = stack == Stack::kEncoder ? out.encoder : out.decoder;
  StackReader reader = {keys, out, stack, shape};
  reader.ReadSizes();
  reader.ReadScores();
  reader.ReadLayers();
  JudgeStackKeys(keys, warnings);
}

void ReadEncoder(KeyReader& keys, Architecture& out, CommonValues& common,
                 std::vector<std::string>& warnings) {
  ReadStack(keys, Stack::kEncoder, out, warnings);
  common = ReadCommonValues(keys, out);
  out.norm_epsilon = common.norm_epsilon;
  StackReader reader = {keys, out, Stack::kEncoder, out.encoder};
  out.source_vocab_size = reader.ReadVocab();
  out.trained_source_tokens =
      keys.Int("max_position_embeddings", 1, kMaxPositions,
               reader.defaults().max_positions);
}

// Refuses a value of the decoder that must be the encoder's.
void RequireEqual(KeyReader& keys, absl::string_view key, int32_t value,
                  int32_t encoders) {
  if (value == encoders) return;
  keys.Refuse(key, value, absl::StrFormat("the encoder's, %d", encoders));
}

void ReadDecoder(KeyReader& keys, Architecture& out, const CommonValues& common,
                 std::vector<std::string>& warnings) {
  ReadStack(keys, Stack::kDecoder, out, warnings);
  if (!(ReadCommonValues(keys, out) == common)) {
    const absl::string_view key = out.activation == common.activation
                                      ? "rms_norm_eps"
                                      : "hidden_activation";
    const json* value = keys.Find(key);
    keys.Refuse(key, value == nullptr ? json() : *value, "the encoder's");
  }
  StackReader reader = {keys, out, Stack::kDecoder, out.decoder};
  out.vocab_size = reader.ReadVocab();
  out.logit_softcap = reader.Softcap("final_logit_softcapping",
                                     reader.defaults().logit_softcap);
  out.num_cross_kv_heads = out.decoder.num_kv_heads;
  if (IsSecond(out)) {
    RequireEqual(keys, "hidden_size", out.decoder.d_model, out.encoder.d_model);
    RequireEqual(keys, "vocab_size", out.vocab_size, out.source_vocab_size);
  }
  const int32_t max_id = out.vocab_size - 1;
  out.tokens.pad_id = keys.Int("pad_token_id", 0, max_id, 0);
  out.tokens.start_id = keys.Int("bos_token_id", 0, max_id, 2);
  out.tokens.eos_ids = {1};
  ReadEosIds(keys, max_id, out.tokens);
}

void Read(KeyReader& reader, Architecture& out,
          std::vector<std::string>& warnings) {
  out.is_gated = true;
  out.norm_place = NormPlace::kBoth;
  out.norms_add_one = true;
  out.positions.kind = PositionKind::kRotary;
  out.has_qk_norm = out.has_merged_attention = IsSecond(out);
  out.has_source_embedding = !IsSecond(out);
  CommonValues common;
  reader.Object("encoder", [&](KeyReader& encoder) {
    if (!IsSecond(out)) return ReadEncoder(encoder, out, common, warnings);
    out.own_vector_id =
        encoder.Int("eoi_token_index", 0, kMaxVocab, kEoiTokenId);
    encoder.Object("text_config", [&](KeyReader& text) {
      ReadEncoder(text, out, common, warnings);
    });
  });
  reader.Object("decoder", [&](KeyReader& decoder) {
    ReadDecoder(decoder, out, common, warnings);
  });
}

constexpr absl::string_view kPrefixes[] = {"model.", "lm_head."};

// The module of T5Gemma 2 that reads text. The reference leaves it out when it
// saves a model that it has not read from a checkpoint.
constexpr absl::string_view kTextModel = "text_model.";

std::string StackPrefix(const Architecture& architecture, Stack stack) {
  if (stack == Stack::kDecoder) return "model.decoder.";
  return absl::StrCat("model.encoder.",
                      IsSecond(architecture) ? kTextModel : "");
}

// The name of a product or norm within its sub-layer.
absl::string_view SlotName(Slot slot) {
  switch (slot) {
    case Slot::kQuery:
      return "q_proj";
    case Slot::kKey:
      return "k_proj";
    case Slot::kValue:
      return "v_proj";
    case Slot::kOutput:
      return "o_proj";
    case Slot::kQueryNorm:
      return "q_norm";
    case Slot::kKeyNorm:
      return "k_norm";
    case Slot::kGate:
      return "gate_proj";
    case Slot::kUp:
      return "up_proj";
    case Slot::kDown:
      return "down_proj";
    default:
      return "";
  }
}

std::string SublayerTensor(const Architecture& architecture,
                           const TensorPlace& place) {
  absl::string_view module = "self_attn", norm = "self_attn";
  if (place.sublayer == Sublayer::kCrossAttention) {
    module = norm = "cross_attn";
  } else if (place.sublayer == Sublayer::kFeedForward) {
    module = "mlp";
    norm = "feedforward";
  }
  const std::string layer = absl::StrCat(StackPrefix(architecture, place.stack),
                                         "layers.", place.layer, ".");
  switch (place.slot) {
    case Slot::kNorm:
      return absl::StrCat(layer, "pre_", norm, "_layernorm.weight");
    case Slot::kSecondNorm:
      return absl::StrCat(layer, "post_", norm, "_layernorm.weight");
    default:
      return absl::StrCat(layer, module, ".", SlotName(place.slot), ".weight");
  }
}

constexpr absl::string_view kOwnVector =
    "model.encoder.text_model.embed_tokens.eoi_embedding";
constexpr absl::string_view kDecodersOwnVector =
    "model.decoder.embed_tokens.eoi_embedding";

std::vector<std::string> NamesInModules(const Architecture& architecture,
                                        const TensorPlace& place) {
  const auto table = [&](Stack stack) {
    return absl::StrCat(StackPrefix(architecture, stack),
                        "embed_tokens.weight");
  };
  switch (place.slot) {
    case Slot::kEmbedding:  // one table serves all in T5Gemma 2
      if (!IsSecond(architecture)) return {table(Stack::kDecoder)};
      return {table(Stack::kEncoder), table(Stack::kDecoder)};
    case Slot::kSourceEmbedding:
      return {table(Stack::kEncoder)};
    case Slot::kHead:
      return {"lm_head.out_proj.weight"};
    case Slot::kOwnVector:
      return {std::string(kOwnVector)};
    case Slot::kFinalNorm:
      return {
          absl::StrCat(StackPrefix(architecture, place.stack), "norm.weight")};
    default:
      return {SublayerTensor(architecture, place)};
  }
}

std::vector<std::string> Names(const Architecture& architecture,
                               const TensorPlace& place) {
  std::vector<std::string> names = NamesInModules(architecture, place);
  const size_t count = names.size();
  for (size_t i = 0; i < count; ++i) {
    std::string shorter = absl::StrReplaceAll(names[i], {{kTextModel, ""}});
    if (shorter != names[i]) names.push_back(std::move(shorter));
  }
  return names;
}

// Images, and a copy: the reference takes the encoder's vector for both.
bool IsIgnored(absl::string_view tensor) {
  return tensor == kDecodersOwnVector ||
         absl::StartsWith(tensor, "model.encoder.vision_tower.") ||
         absl::StartsWith(tensor, "model.encoder.multi_modal_projector.");
}

}  // namespace

const Family& T5GemmaFamily() {
  static const Family kFamily = {.model_types = kModelTypes,
                                 .keys = T5GemmaConfigKeys(),
                                 .read = Read,
                                 .names = Names,
                                 .prefixes = kPrefixes,
                                 .base_prefix = "model.",
                                 .is_ignored = IsIgnored,
                                 .kv_heads_object = "decoder"};
  return kFamily;
}

}  // namespace sheaf
