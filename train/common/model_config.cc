// SPDX-License-Identifier: Apache-2.0

#include "train/common/model_config.h"

#include <fstream>
#include <sstream>

#include "train/common/json.h"

namespace sheaf {
namespace {

Result<void> CheckHeads(const char* key, int64_t heads, int64_t num_heads) {
  if (heads > 0 && num_heads % heads == 0) return {};
  return Error{std::string(key) + " is " + std::to_string(heads) +
               "; it must divide num_heads, " + std::to_string(num_heads)};
}

bool IsMt5(const Json& json) { return json["model_type"].string == "mt5"; }

// Reads the keys as engine/model/families/t5.cc does.
void ReadHead(const Json& json, ModelConfig& config) {
  const Json& tie = json["tie_word_embeddings"];
  const bool has_scale = json.object.count("scale_decoder_outputs") > 0;
  config.scales_output = !IsMt5(json) && json["scale_decoder_outputs"].BoolOr(
                                             !has_scale && tie.BoolOr(true));
  config.has_own_head = !tie.BoolOr(!IsMt5(json));
}

// The trainer supports only the two forms that T5 was published with.
Result<void> ReadFeedForward(const Json& json, ModelConfig& config) {
  const Json& key = json["feed_forward_proj"];
  const std::string name =
      key.is_null() ? (IsMt5(json) ? "gated-gelu" : "relu") : key.string;
  config.is_gated = name == "gated-gelu";
  if (!config.is_gated && name != "relu") {
    return Error{"feed_forward_proj is \"" + name +
                 "\"; allowed are gated-gelu and relu"};
  }
  const Json& is_gated = json["is_gated_act"];
  const Json& act = json["dense_act_fn"];
  const char* expected = config.is_gated ? "gelu_new" : "relu";
  if (is_gated.BoolOr(config.is_gated) != config.is_gated ||
      (!act.is_null() && act.string != expected)) {
    return Error{
        "is_gated_act and dense_act_fn contradict feed_forward_proj, " + name};
  }
  return {};
}

Result<void> Check(const ModelConfig& config) {
  for (const auto& [key, value] :
       {std::pair{"vocab_size", config.vocab_size},
        std::pair{"d_model", config.d_model}, std::pair{"d_kv", config.d_kv},
        std::pair{"d_ff", config.d_ff},
        std::pair{"num_heads", config.num_heads},
        std::pair{"num_layers", config.num_encoder_layers},
        std::pair{"num_decoder_layers", config.num_decoder_layers}}) {
    if (value < 1 || value > 1 << 24) {
      return Error{std::string(key) + " is " + std::to_string(value) +
                   "; allowed are 1.." + std::to_string(1 << 24)};
    }
  }
  if (config.num_buckets < 4 || config.max_distance <= config.num_buckets / 2) {
    return Error{
        "relative_attention_num_buckets or _max_distance is too small"};
  }
  Result<void> checked =
      CheckHeads("num_key_value_heads", config.num_kv_heads, config.num_heads);
  if (!checked.ok()) return checked;
  return CheckHeads("cross_num_key_value_heads", config.num_cross_kv_heads,
                    config.num_heads);
}

}  // namespace

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) return Error{path + ": cannot be read"};
  return bytes.str();
}

Result<ModelConfig> ModelConfig::Load(const std::string& directory) {
  const std::string path = directory + "/config.json";
  const Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text.error();
  const Result<Json> parsed = Json::Parse(*text);
  if (!parsed.ok()) return Error{path + ": " + parsed.error().message};
  const Json& json = *parsed;
  // Other types compute something else with tensors of the same names.
  if (const std::string& type = json["model_type"].string;
      !type.empty() && type != "t5" && type != "mt5") {
    return Error{path + ": model_type is \"" + type +
                 "\"; sheaf-train trains t5 and mt5"};
  }
  ModelConfig config;
  const auto integer = [&](const char* key, int64_t absent) {
    return static_cast<int64_t>(
        json[key].NumberOr(static_cast<double>(absent)));
  };
  config.vocab_size = integer("vocab_size", 0);
  config.d_model = integer("d_model", 0);
  config.d_kv = integer("d_kv", 0);
  config.d_ff = integer("d_ff", 0);
  config.num_heads = integer("num_heads", 0);
  config.num_kv_heads = integer("num_key_value_heads", config.num_heads);
  config.num_cross_kv_heads =
      integer("cross_num_key_value_heads", config.num_kv_heads);
  config.num_encoder_layers = integer("num_layers", 0);
  config.num_decoder_layers =
      integer("num_decoder_layers", config.num_encoder_layers);
  config.layer_norm_epsilon = json["layer_norm_epsilon"].NumberOr(1e-6);
  config.num_buckets = integer("relative_attention_num_buckets", 32);
  config.max_distance = integer("relative_attention_max_distance", 128);
  ReadHead(json, config);
  config.start_id = integer("decoder_start_token_id", 0);
  config.eos_id = integer("eos_token_id", 1);
  Result<void> checked = ReadFeedForward(json, config);
  if (checked.ok()) checked = Check(config);
  if (!checked.ok()) return Error{path + ": " + checked.error().message};
  return config;
}

}  // namespace sheaf
