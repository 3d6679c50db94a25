// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/key_reader.h"
#include "engine/model/architecture.h"

namespace sheaf {

// Values of config.json that several families have.

// Several times what the largest known models have (d_ff 65536, 128 heads of
// 128, 262144 tokens).
inline constexpr int32_t kMaxVocab = 1 << 22;
inline constexpr int32_t kMaxModelDim = 1 << 16;
inline constexpr int32_t kMaxFfDim = 1 << 20;
inline constexpr int32_t kMaxHeads = 1024;
inline constexpr int32_t kMaxHeadDim = 1024;
inline constexpr int32_t kMaxLayers = 512;

// Another name of a key, which the reference takes for the same.
struct KeyAlias {
  absl::string_view name;
  absl::string_view key;
};

// Refuses an alias whose value is not that of the key.
void CheckAliases(KeyReader& reader, absl::Span<const KeyAlias> aliases);

// Sets out.activation to what `name` means in the reference, where "gelu" alone
// is the exact form. Refuses the value of `key` if it means none; `also` ends
// the list of what is allowed.
void ReadActivation(KeyReader& reader, absl::string_view key,
                    absl::string_view name, absl::string_view also,
                    Architecture& out);

// Reads num_key_value_heads and cross_num_key_value_heads, keys of this project
// that concern the decoder only. Both divide out.decoder.num_heads, the value
// of `heads_key`, and are that number by default.
void ReadDecoderKvHeads(KeyReader& reader, absl::string_view heads_key,
                        Architecture& out);

// Replaces tokens.eos_ids if the file has eos_token_id, an id or a list of ids.
void ReadEosIds(KeyReader& reader, int32_t max_id, TokenRules& tokens);

}  // namespace sheaf
