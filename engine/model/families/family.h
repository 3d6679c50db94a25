// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/key_reader.h"
#include "engine/model/architecture.h"
#include "engine/model/config_keys.h"
#include "engine/model/tensor_list.h"

namespace sheaf {

// A `model_type` of config.json.
struct ModelType {
  absl::string_view name;
  absl::string_view label;  // if config.json has no `architectures`
  // The decoder's first token if no file has decoder_start_token_id; if this
  // is empty too, it is bos_token_id.
  std::optional<int32_t> decoder_start = std::nullopt;
};

// Everything that is particular to one kind of checkpoint: how its config.json
// describes an Architecture, and what its tensors are called. It computes
// nothing. docs/ADDING_A_FAMILY.md describes how to add one.
struct Family {
  absl::Span<const ModelType> model_types;

  // The keys of config.json that CommonConfigKeys() does not have.
  absl::Span<const ConfigKey> keys;

  // Fills `out`, whose `family` and `label` are set, from the keys. Sets in
  // out.tokens and out.alignment only what holds if no file says otherwise.
  // Adds a warning for each value that the reference implementation follows and
  // this one does not.
  void (*read)(KeyReader& config, Architecture& out,
               std::vector<std::string>& warnings);

  // The names that a checkpoint may use for the tensor at `place`, best first.
  // Only of the embedding table may it have several, which must be equal.
  std::vector<std::string> (*names)(const Architecture& architecture,
                                    const TensorPlace& place);

  // Prefixes of the names of all tensors that the model computes with. A tensor
  // with such a prefix and no place in the model is refused, because the model
  // would not be the one that was saved.
  absl::Span<const absl::string_view> prefixes;

  // The prefix of everything but the head, with its dot. The reference also
  // saves a model without its head, and then leaves this prefix out. Empty:
  // there is no such prefix.
  absl::string_view base_prefix = "";

  // Whether a tensor with such a prefix is a leftover that nothing reads.
  bool (*is_ignored)(absl::string_view tensor);

  // The warning for a checkpoint whose head differs from the embedding table;
  // empty if none is needed. Null: none ever is.
  std::string (*own_head_warning)(const Architecture& architecture,
                                  absl::string_view head,
                                  absl::string_view table) = nullptr;

  // The object of config.json whose num_key_value_heads is the number of KV
  // heads in both attentions of the decoder. Empty: that number is at the top
  // level, with cross_num_key_value_heads beside it.
  absl::string_view kv_heads_object = "";
};

}  // namespace sheaf
