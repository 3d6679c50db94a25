#include "engine/model/t5_config.h"

#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "engine/model/key_reader.h"
#include "files/input_file.h"
#include "files/strict_json.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr absl::string_view kConfigFile = "config.json";
constexpr absl::string_view kGenerationFile = "generation_config.json";

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

struct FeedForward {
  absl::string_view name;
  bool is_gated;
  Activation activation;
};

// "gated-gelu" has meant the tanh form since the first T5 1.1; "gelu" alone is
// the exact one.
constexpr FeedForward kFeedForwards[] = {
    {"relu", false, Activation::kRelu},
    {"gelu", false, Activation::kGeluErf},
    {"gelu_new", false, Activation::kGeluTanh},
    {"silu", false, Activation::kSilu},
    {"gated-relu", true, Activation::kRelu},
    {"gated-gelu", true, Activation::kGeluTanh},
    {"gated-gelu_new", true, Activation::kGeluTanh},
    {"gated-silu", true, Activation::kSilu},
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

void ReadFeedForward(KeyReader& reader, const ModelType& type,
                     T5Config& config) {
  constexpr absl::string_view kKey = "feed_forward_proj";
  const json* value = reader.Find(kKey);
  const FeedForward* found = nullptr;
  if (value == nullptr) {
    found = FindByName(kFeedForwards, type.feed_forward_proj);
  } else if (value->is_string()) {
    found = FindByName(kFeedForwards, value->get_ref<const std::string&>());
  }
  if (found == nullptr) {
    reader.Refuse(kKey, *value,
                  absl::StrCat("one of ", JoinNames(kFeedForwards)));
    return;
  }
  config.is_gated = found->is_gated;
  config.activation = found->activation;
}

// As transformers 5 does: it always ties the head to the table, unless the
// checkpoint has a head of its own, and tie_word_embeddings is what tells T5
// (true or absent) from T5 1.1 (false). It then saves scale_decoder_outputs.
void ReadOutputScale(KeyReader& reader, const ModelType& type,
                     T5Config& config) {
  constexpr absl::string_view kScale = "scale_decoder_outputs";
  const bool is_tied = reader.Bool("tie_word_embeddings", true);
  // Null is not absent here: it stands for false.
  const bool scales = reader.Bool(kScale, !reader.Has(kScale) && is_tied);
  config.scales_output = type.can_scale && scales;
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

// Takes the token ids that the file has and leaves the others as they are.
void ReadTokenIds(KeyReader& reader, T5Config& config) {
  const int32_t max_id = config.vocab_size - 1;
  config.pad_token_id =
      reader.Int("pad_token_id", 0, max_id, config.pad_token_id);
  config.decoder_start_token_id = reader.Int(
      "decoder_start_token_id", 0, max_id, config.decoder_start_token_id);
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

void ReadConfig(KeyReader& reader, T5Config& config) {
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
  config.d_kv = reader.Int("d_kv", 1, kMaxHeadDim);
  config.d_ff = reader.Int("d_ff", 1, kMaxFfDim);
  config.num_encoder_layers = reader.Int("num_layers", 1, kMaxLayers);
  config.num_decoder_layers = reader.Int("num_decoder_layers", 1, kMaxLayers,
                                         config.num_encoder_layers);
  config.layer_norm_epsilon = static_cast<float>(
      reader.Number("layer_norm_epsilon", kMinEpsilon, kMaxEpsilon, 1e-6));
  ReadOutputScale(reader, *type, config);
  ReadHeads(reader, config);
  ReadFeedForward(reader, *type, config);
  ReadPositions(reader, config);
  ReadTokenIds(reader, config);
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
  absl::Status status =
      ReadObject(config_json, absl::StrCat(directory, "/", kConfigFile),
                 [&](KeyReader& reader) { ReadConfig(reader, config); });
  if (!status.ok()) return status;
  if (generation_config_json.has_value()) {
    status = ReadObject(
        *generation_config_json, absl::StrCat(directory, "/", kGenerationFile),
        [&](KeyReader& reader) { ReadTokenIds(reader, config); });
    if (!status.ok()) return status;
  }
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
  const int64_t q_dim = int64_t{config.num_heads} * config.d_kv;
  // q and o of all heads, k and v of `num_kv_heads`, and the norm before them.
  const auto attention = [&](int64_t num_kv_heads) {
    return 2 * d_model * (q_dim + num_kv_heads * config.d_kv) + d_model;
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
