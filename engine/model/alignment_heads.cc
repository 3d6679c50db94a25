// SPDX-License-Identifier: Apache-2.0

#include "engine/model/alignment_heads.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/key_reader.h"

namespace sheaf {
namespace {

using nlohmann::json;

// Reads pairs of a layer and a head, each pair once.
void ReadHeads(KeyReader& reader, absl::string_view key,
               const StackShape& decoder, std::vector<AlignmentHead>& heads) {
  const json* list = reader.Find(key);
  const std::string allowed = absl::StrFormat(
      "a list of different pairs [layer, head] with layers 0..%d and heads "
      "0..%d, at least one",
      decoder.num_layers - 1, decoder.num_heads - 1);
  if (list == nullptr) return reader.RefuseAbsent(key, allowed);
  if (!list->is_array() || list->empty()) {
    return reader.Refuse(key, *list, allowed);
  }
  for (const json& pair : *list) {
    if (!pair.is_array() || pair.size() != 2) {
      return reader.Refuse(key, pair, allowed);
    }
    const AlignmentHead head = {
        reader.IntOf(key, pair[0], 0, decoder.num_layers - 1),
        reader.IntOf(key, pair[1], 0, decoder.num_heads - 1)};
    if (!reader.status().ok()) return;
    const auto place = std::lower_bound(heads.begin(), heads.end(), head);
    if (place != heads.end() && *place == head) {
      return reader.Refuse(key, pair, allowed);
    }
    heads.insert(place, head);
  }
}

// This file is read by this program only, so it has no other keys.
void ReadAlignmentFile(KeyReader& reader, const json& file,
                       const StackShape& decoder, AlignmentHeads& out) {
  constexpr absl::string_view kHeads = "heads", kShift = "shift";
  for (const auto& [key, value] : file.items()) {
    if (key == kHeads || key == kShift) continue;
    return reader.Refuse(key, value, "no key except heads and shift");
  }
  ReadHeads(reader, kHeads, decoder, out.heads);
  out.shift = reader.Int(kShift, 0, 1);
}

}  // namespace

absl::Status SetAlignmentHeads(const ConfigFiles& files,
                               Architecture& architecture) {
  const StackShape& decoder = architecture.decoder;
  AlignmentHeads read;
  if (files.alignment.has_value()) {
    KeyReader reader(*files.alignment, files.alignment_path());
    ReadAlignmentFile(reader, *files.alignment, decoder, read);
    if (!reader.status().ok()) return reader.status();
  } else if (files.generation.has_value()) {
    KeyReader reader(*files.generation, files.generation_path());
    constexpr absl::string_view kKey = "alignment_heads";
    read.shift = 0;
    if (reader.Find(kKey) != nullptr) {
      ReadHeads(reader, kKey, decoder, read.heads);
    }
    if (!reader.status().ok()) return reader.status();
  }
  AlignmentHeads& alignment = architecture.alignment;
  if (!read.heads.empty()) {
    alignment = std::move(read);
  } else if (alignment.heads.empty()) {
    const int32_t layer = std::max(decoder.num_layers / 2 - 1, 0);
    for (int32_t head = 0; head < decoder.num_heads; ++head) {
      alignment.heads.push_back({layer, head});
    }
    alignment.shift = 1;
  }
  return absl::OkStatus();
}

AlignmentHeads AllHeads(const Architecture& architecture) {
  AlignmentHeads all;
  for (int32_t layer = 0; layer < architecture.decoder.num_layers; ++layer) {
    for (int32_t head = 0; head < architecture.decoder.num_heads; ++head) {
      all.heads.push_back({layer, head});
    }
  }
  return all;
}

}  // namespace sheaf
