// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/common_values.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace sheaf {
namespace {

using nlohmann::json;

struct ActivationName {
  absl::string_view name;
  Activation activation;
};

constexpr ActivationName kActivations[] = {
    {"relu", Activation::kRelu},
    {"gelu", Activation::kGeluErf},
    {"gelu_python", Activation::kGeluErf},
    {"gelu_new", Activation::kGeluTanh},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"silu", Activation::kSilu},
    {"swish", Activation::kSilu},
};

constexpr size_t kMaxEosTokens = 64;

}  // namespace

void CheckAliases(KeyReader& reader, absl::Span<const KeyAlias> aliases) {
  for (const KeyAlias& alias : aliases) {
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

void ReadActivation(KeyReader& reader, absl::string_view key,
                    absl::string_view name, absl::string_view also,
                    Architecture& out) {
  for (const ActivationName& entry : kActivations) {
    if (entry.name != name) continue;
    out.activation = entry.activation;
    return;
  }
  const std::string names = absl::StrJoin(
      kActivations, ", ", [](std::string* to, const ActivationName& entry) {
        absl::StrAppend(to, entry.name);
      });
  reader.Refuse(key, std::string(name), absl::StrCat("one of ", names, also));
}

void ReadDecoderKvHeads(KeyReader& reader, absl::string_view heads_key,
                        Architecture& out) {
  const int32_t num_heads = out.decoder.num_heads;
  const auto kv_heads = [&](absl::string_view key, int32_t default_value) {
    const int32_t count = reader.Int(key, 1, num_heads, default_value);
    if (num_heads % count != 0) {
      reader.Refuse(key, count,
                    absl::StrFormat("a number that divides %s, %d", heads_key,
                                    num_heads));
    }
    return count;
  };
  out.decoder.num_kv_heads = kv_heads("num_key_value_heads", num_heads);
  out.num_cross_kv_heads =
      kv_heads("cross_num_key_value_heads", out.decoder.num_kv_heads);
}

void ReadEosIds(KeyReader& reader, int32_t max_id, TokenRules& tokens) {
  constexpr absl::string_view kEos = "eos_token_id";
  const json* eos = reader.Find(kEos);
  if (eos == nullptr) return;
  tokens.eos_ids.clear();
  if (!eos->is_array()) {
    tokens.eos_ids.push_back(reader.IntOf(kEos, *eos, 0, max_id));
    return;
  }
  if (eos->empty() || eos->size() > kMaxEosTokens) {
    reader.Refuse(kEos, *eos,
                  absl::StrFormat("an id, or a list of 1..%d", kMaxEosTokens));
    return;
  }
  for (const json& id : *eos) {
    tokens.eos_ids.push_back(reader.IntOf(kEos, id, 0, max_id));
  }
}

}  // namespace sheaf
