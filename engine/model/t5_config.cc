#include "engine/model/t5_config.h"

#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "base/strict_json.h"
#include "engine/model/t5_config_keys.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr absl::string_view kConfigFile = "config.json";
constexpr absl::string_view kGenerationFile = "generation_config.json";

constexpr absl::string_view kFeedForwardKey = "feed_forward_proj";
constexpr absl::string_view kDenseKey = "dense_act_fn";
constexpr absl::string_view kGatedKey = "is_gated_act";

constexpr int32_t kDefaultEosTokenId = 1;
constexpr int32_t kMinVocab = kDefaultEosTokenId + 1;

// Several times what the largest known models have (T5-11B: d_ff 65536, heads
// 128 x 128; mT5: 250112 tokens).
constexpr int32_t kMaxVocab = 1 << 22;
constexpr int32_t kMaxModelDim = 1 << 16;
constexpr int32_t kMaxFfDim = 1 << 20;
constexpr int32_t kMaxHeads = 1024;
constexpr int32_t kMaxHeadDim = 1024;
constexpr int32_t kMaxLayers = 512;
constexpr int32_t kMaxBuckets = 1 << 12;
constexpr int32_t kMaxDistance = 1 << 24;
constexpr int32_t kMinBuckets = 4;  // two a direction, one of them of one token
constexpr double kMinEpsilon = 1e-12, kMaxEpsilon = 1.0;
constexpr size_t kMaxEosTokens = 64;
constexpr size_t kMaxLabelBytes = 128;

struct ModelType {
  absl::string_view name;
  absl::string_view feed_forward_proj;  // if the key is absent
  bool can_scale;                       // its decoder's output
  absl::string_view architecture;       // if architectures is absent
};

constexpr ModelType kModelTypes[] = {
    {"t5", "relu", true, "T5ForConditionalGeneration"},
    {"mt5", "gated-gelu", false, "MT5ForConditionalGeneration"},
};

struct ActivationName {
  absl::string_view name;
  Activation activation;
};

// As the reference names them: "gelu" alone is the exact form.
constexpr ActivationName kActivations[] = {
    {"relu", Activation::kRelu},
    {"gelu", Activation::kGeluErf},
    {"gelu_python", Activation::kGeluErf},
    {"gelu_new", Activation::kGeluTanh},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"silu", Activation::kSilu},
    {"swish", Activation::kSilu},
};

// Other names of keys, which the reference takes for the same.
struct Alias {
  absl::string_view name;
  absl::string_view key;
};
constexpr Alias kAliases[] = {
    {"hidden_size", "d_model"},
    {"head_dim", "d_kv"},
    {"num_hidden_layers", "num_layers"},
    {"num_attention_heads", "num_heads"},
};

// The entry of `table` whose name is `name`, or null.
template <typename Entry, size_t kSize>
const Entry* FindByName(const Entry (&table)[kSize], absl::string_view name) {
  for (const Entry& entry : table) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

template <typename Entry, size_t kSize>
std::string JoinNames(const Entry (&table)[kSize]) {
  return absl::StrJoin(table, ", ", [](std::string* out, const Entry& entry) {
    absl::StrAppend(out, entry.name);
  });
}

const ModelType* ReadModelType(KeyReader& reader) {
  const std::string allowed =
      absl::StrCat("one of the supported types: ", JoinNames(kModelTypes));
  const json* value = reader.Find("model_type");
  if (value == nullptr) {
    reader.RefuseAbsent("model_type", allowed);
    return nullptr;
  }
  const ModelType* type =
      value->is_string()
          ? FindByName(kModelTypes, value->get_ref<const std::string&>())
          : nullptr;
  if (type == nullptr) reader.Refuse("model_type", *value, allowed);
  return type;
}

std::string ReadArchitecture(KeyReader& reader, const ModelType& type) {
  const json* value = reader.Find("architectures");
  if (value == nullptr || (value->is_array() && value->empty())) {
    return std::string(type.architecture);
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

const ActivationName* FindActivation(KeyReader& reader, absl::string_view key,
                                     absl::string_view name) {
  const ActivationName* found = FindByName(kActivations, name);
  if (found == nullptr) {
    reader.Refuse(
        key, std::string(name),
        absl::StrFormat(
            "one of %s%s", JoinNames(kActivations),
            key == kFeedForwardKey ? ", alone or after \"gated-\"" : ""));
  }
  return found;
}

// dense_act_fn and is_gated_act, which the reference saves, count before what
// it derives them from.
void ReadFeedForward(KeyReader& reader, const ModelType& type,
                     T5Config& config) {
  const json* value = reader.Find(kFeedForwardKey);
  if (value != nullptr && !value->is_string()) {
    reader.Refuse(kFeedForwardKey, *value, "a name");
    return;
  }
  const std::string name = value == nullptr
                               ? std::string(type.feed_forward_proj)
                               : value->get<std::string>();
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
  config.is_gated = reader.Bool(kGatedKey, is_gated);
  const json* dense = reader.Find(kDenseKey);
  const ActivationName* found = nullptr;
  if (dense == nullptr) {
    found = FindActivation(reader, kFeedForwardKey, activation);
  } else if (dense->is_string()) {
    found = FindActivation(reader, kDenseKey, dense->get<std::string>());
  } else {
    reader.Refuse(kDenseKey, *dense, "a name");
  }
  if (found != nullptr) config.activation = found->activation;
}

void CheckAliases(KeyReader& reader) {
  for (const Alias& alias : kAliases) {
    const json* value = reader.Find(alias.name);
    if (value == nullptr) continue;
    const json* meant = reader.Find(alias.key);
    if (meant != nullptr && *value == *meant) continue;
    reader.Refuse(alias.name, *value,
                  absl::StrFormat("the value of %s, which it is another name "
                                  "of, or no such key",
                                  alias.key));
  }
}

bool IsBeforeVersion5(absl::string_view version) {
  return version.size() > 1 && version[0] >= '2' && version[0] <= '4' &&
         version[1] == '.';
}

// As transformers 5 does: it always ties the head to the table, unless the
// checkpoint has a head of its own, and tie_word_embeddings is what tells T5
// (true or absent) from T5 1.1 (false). It then saves scale_decoder_outputs.
void ReadOutputScale(KeyReader& reader, const ModelType& type,
                     T5Config& config) {
  constexpr absl::string_view kScale = "scale_decoder_outputs";
  constexpr absl::string_view kTie = "tie_word_embeddings";
  constexpr absl::string_view kVersion = "transformers_version";
  const bool is_tied = reader.Bool(kTie, true);
  // Null is not absent here: it stands for false.
  const bool scales = reader.Bool(kScale, !reader.Has(kScale) && is_tied);
  config.scales_output = type.can_scale && scales;
  const json* version = reader.Find(kVersion);
  if (!type.can_scale && reader.Find(kTie) != nullptr && is_tied &&
      version != nullptr && version->is_string() &&
      IsBeforeVersion5(version->get_ref<const std::string&>())) {
    config.warnings.push_back(absl::StrFormat(
        "%s: %s is true and %s %s: that version multiplied %s's decoder output "
        "by d_model^-0.5, transformers 5 and this server do not",
        kConfigFile, kTie, kVersion, Shown(*version), type.name));
  }
}

void ReadHeads(KeyReader& reader, T5Config& config) {
  config.num_heads = reader.Int("num_heads", 1, kMaxHeads);
  const auto kv_heads = [&](absl::string_view key, int32_t default_value) {
    const int32_t count = reader.Int(key, 1, config.num_heads, default_value);
    if (config.num_heads % count != 0) {
      reader.Refuse(key, count,
                    absl::StrFormat("a number that divides num_heads, %d",
                                    config.num_heads));
    }
    return count;
  };
  config.num_kv_heads = kv_heads("num_key_value_heads", config.num_heads);
  config.num_cross_kv_heads =
      kv_heads("cross_num_key_value_heads", config.num_kv_heads);
}

void ReadPositions(KeyReader& reader, T5Config& config) {
  config.relative_attention_num_buckets = reader.Int(
      "relative_attention_num_buckets", kMinBuckets, kMaxBuckets, 32);
  const int32_t min_distance = config.relative_attention_num_buckets / 2 + 1;
  constexpr absl::string_view kDistance = "relative_attention_max_distance";
  config.relative_attention_max_distance =
      reader.Int(kDistance, min_distance, kMaxDistance, 128);
  if (config.relative_attention_max_distance < min_distance) {  // the default
    reader.Refuse(
        kDistance, config.relative_attention_max_distance,
        absl::StrFormat("an integer in %d..%d", min_distance, kMaxDistance));
  }
  if (reader.Find("n_positions") != nullptr) {
    config.n_positions = reader.Int("n_positions", 1, kMaxDistance);
  }
}

// Token ids of both files, as far as they are there.
struct StartIds {
  std::optional<int32_t> decoder_start, bos;
};

// Takes the token ids that the file has and leaves the others as they are.
void ReadTokenIds(KeyReader& reader, T5Config& config, StartIds& start) {
  const int32_t max_id = config.vocab_size - 1;
  config.pad_token_id =
      reader.Int("pad_token_id", 0, max_id, config.pad_token_id);
  constexpr absl::string_view kStart = "decoder_start_token_id";
  if (const json* id = reader.Find(kStart)) {
    start.decoder_start = reader.IntOf(kStart, *id, 0, max_id);
  }
  // Only read where it stands for the start token, so it may be anything else.
  const json* bos = reader.Find("bos_token_id");
  if (bos != nullptr && bos->is_number_integer() && *bos >= 0 &&
      *bos <= max_id) {
    start.bos = bos->get<int32_t>();
  }
  constexpr absl::string_view kEos = "eos_token_id";
  const json* eos = reader.Find(kEos);
  if (eos == nullptr) return;
  config.eos_token_ids.clear();
  if (!eos->is_array()) {
    config.eos_token_ids.push_back(reader.IntOf(kEos, *eos, 0, max_id));
    return;
  }
  if (eos->empty() || eos->size() > kMaxEosTokens) {
    reader.Refuse(kEos, *eos,
                  absl::StrFormat("an id, or a list of 1..%d", kMaxEosTokens));
    return;
  }
  for (const json& id : *eos) {
    config.eos_token_ids.push_back(reader.IntOf(kEos, id, 0, max_id));
  }
}

void ReadConfig(KeyReader& reader, T5Config& config, StartIds& start) {
  const ModelType* type = ReadModelType(reader);
  if (type == nullptr) return;
  config.model_type = std::string(type->name);
  config.architecture = ReadArchitecture(reader, *type);
  if (!reader.Bool("is_encoder_decoder", true)) {
    reader.Refuse("is_encoder_decoder", false, "true");
  }
  config.eos_token_ids = {kDefaultEosTokenId};
  config.vocab_size = reader.Int("vocab_size", kMinVocab, kMaxVocab);
  config.d_model = reader.Int("d_model", 1, kMaxModelDim);
  config.head_dim = reader.Int("d_kv", 1, kMaxHeadDim);
  config.d_ff = reader.Int("d_ff", 1, kMaxFfDim);
  config.num_encoder_layers = reader.Int("num_layers", 1, kMaxLayers);
  config.num_decoder_layers = reader.Int("num_decoder_layers", 1, kMaxLayers,
                                         config.num_encoder_layers);
  config.layer_norm_epsilon = static_cast<float>(
      reader.Number("layer_norm_epsilon", kMinEpsilon, kMaxEpsilon, 1e-6));
  ReadOutputScale(reader, *type, config);
  CheckAliases(reader);
  JudgeT5ConfigKeys(reader, config.warnings);
  ReadHeads(reader, config);
  ReadFeedForward(reader, *type, config);
  ReadPositions(reader, config);
  ReadTokenIds(reader, config, start);
}

// Has `read` take from the object that is `text` what it wants.
absl::Status ReadObject(absl::string_view text, const std::string& path,
                        absl::FunctionRef<void(KeyReader& reader)> read) {
  absl::StatusOr<json> object = ParseStrictJson(text, path);
  if (!object.ok()) return object.status();
  if (!object->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": must hold an object"));
  }
  KeyReader reader(*object, path);
  read(reader);
  return reader.status();
}

}  // namespace

absl::StatusOr<T5Config> ParseT5Config(
    absl::string_view config_json,
    std::optional<absl::string_view> generation_config_json,
    absl::string_view directory) {
  T5Config config;
  StartIds start;
  absl::Status status =
      ReadObject(config_json, absl::StrCat(directory, "/", kConfigFile),
                 [&](KeyReader& reader) { ReadConfig(reader, config, start); });
  if (!status.ok()) return status;
  if (generation_config_json.has_value()) {
    status = ReadObject(
        *generation_config_json, absl::StrCat(directory, "/", kGenerationFile),
        [&](KeyReader& reader) { ReadTokenIds(reader, config, start); });
    if (!status.ok()) return status;
  }
  // As the reference; where it has neither, it does not decode.
  config.decoder_start_token_id = start.decoder_start.value_or(
      start.bos.value_or(config.decoder_start_token_id));
  return config;
}

absl::StatusOr<T5Config> LoadT5Config(const std::string& directory) {
  absl::StatusOr<std::string> config =
      ReadTextFile(absl::StrCat(directory, "/", kConfigFile), kMaxJsonBytes);
  if (!config.ok()) return config.status();
  absl::StatusOr<std::string> generation = ReadTextFile(
      absl::StrCat(directory, "/", kGenerationFile), kMaxJsonBytes);
  if (!generation.ok() && !absl::IsNotFound(generation.status())) {
    return generation.status();
  }
  std::optional<absl::string_view> generation_text;
  if (generation.ok()) generation_text = *generation;
  return ParseT5Config(*config, generation_text, directory);
}

int64_t NumParameters(const T5Config& config) {
  const int64_t d_model = config.d_model;
  const int64_t q_dim = int64_t{config.num_heads} * config.head_dim;
  // q and o of all heads, k and v of `num_kv_heads`, and the norm before them.
  const auto attention = [&](int64_t num_kv_heads) {
    return 2 * d_model * (q_dim + num_kv_heads * config.head_dim) + d_model;
  };
  const int64_t feed_forward =
      (config.is_gated ? 3 : 2) * d_model * config.d_ff + d_model;
  const int64_t position_bias =
      int64_t{config.relative_attention_num_buckets} * config.num_heads;
  const int64_t encoder =
      config.num_encoder_layers * (attention(config.num_heads) + feed_forward);
  const int64_t decoder = config.num_decoder_layers *
                          (attention(config.num_kv_heads) +
                           attention(config.num_cross_kv_heads) + feed_forward);
  const int64_t tables = config.has_own_head() ? 2 : 1;
  return tables * config.vocab_size * d_model + encoder + decoder +
         2 * (position_bias + d_model);
}

}  // namespace sheaf
