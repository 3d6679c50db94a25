// SPDX-License-Identifier: Apache-2.0

#include "tests/text/sentencepiece_reference.h"

#include <sentencepiece_processor.h>

#include <cstdlib>

namespace sheaf {

std::string ReferenceDecode(const std::string& model_bytes,
                            const std::vector<int>& ids) {
  static std::string loaded;
  static sentencepiece::SentencePieceProcessor processor;
  if (loaded != model_bytes) {
    if (!processor.LoadFromSerializedProto(model_bytes).ok()) std::abort();
    loaded = model_bytes;
  }
  std::vector<int> kept;
  for (int id : ids) {
    if (id < 0 || id >= processor.GetPieceSize()) continue;
    if (!processor.IsControl(id)) kept.push_back(id);
  }
  std::string text;
  if (!processor.Decode(kept, &text).ok()) std::abort();
  return text;
}

}  // namespace sheaf
