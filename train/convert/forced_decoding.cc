// SPDX-License-Identifier: Apache-2.0

#include "train/convert/forced_decoding.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "engine/hypotheses.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_block_pool.h"
#include "engine/kv_storage.h"
#include "engine/model/checkpoint.h"
#include "engine/model/loaded_model.h"
#include "engine/model/tensor_match.h"
#include "engine/thread_team.h"

namespace sheaf {
namespace {

constexpr int32_t kMaxTokens = 512;
constexpr int32_t kMaxRows = 64;  // computed at a time

// The positions of the target's tokens.
std::vector<int32_t> DecodePair(const ForcedPair& pair,
                                const KvStorage& storage,
                                TransformerRunner& runner) {
  KvBlockPool pool(storage.shape());
  BlockTable cross(pool, Attention::kCross), self(pool, Attention::kSelf);
  std::vector<int32_t> tokens = pair.start_tokens;
  tokens.insert(tokens.end(), pair.target.begin(), pair.target.end());
  const int32_t source_len = static_cast<int32_t>(pair.source.size());
  SHEAF_CHECK(cross.GrowTo(source_len));
  SHEAF_CHECK(self.GrowTo(static_cast<int32_t>(tokens.size())));
  const EncodeEntry encode = {pair.source, cross.ids()};
  runner.BeginEncode(EncodePass::kMain, {&encode, 1});
  while (!runner.AdvanceEncode(EncodePass::kMain, int64_t{1} << 40)) {
  }
  std::vector<int32_t> attended(tokens.size(), -1);
  DecodeEntry entry = {tokens, /*num_computed_tokens=*/0, self.ids(),
                       cross.ids(), source_len};
  entry.first_source = pair.margins.leading;
  entry.end_source = source_len - pair.margins.trailing;
  if (entry.first_source < entry.end_source) entry.attended = attended.data();
  std::vector<float> logits(runner.vocab_size());
  runner.Decode({&entry, 1}, absl::MakeSpan(logits));
  std::vector<int32_t> positions = SourcePositions(
      {tokens, attended, runner.alignment_shift()}, tokens.size() - 1);
  positions.erase(positions.begin(), positions.end() - pair.target.size());
  return positions;
}

}  // namespace

absl::Status DecodeForced(
    const std::string& directory, ModelDescription description,
    absl::Span<const ForcedPair> pairs, AlignmentObserver* observer,
    absl::FunctionRef<void(size_t pair, std::vector<int32_t> positions)> take) {
  const absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(directory);
  if (!checkpoint.ok()) return checkpoint.status();
  absl::Status matched = MatchTensors(*checkpoint, description);
  if (!matched.ok()) return matched;
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  ThreadTeam team(NumUsableProcessors());
  const Architecture& architecture = description.architecture;
  const int32_t max_tokens =
      architecture.max_positions > 0
          ? std::min(architecture.max_positions, kMaxTokens)
          : kMaxTokens;
  // A block has at most 16 tokens of all query heads.
  const int64_t token_bytes = int64_t{8} * architecture.decoder.num_layers *
                              architecture.decoder.q_columns();
  const absl::StatusOr<std::unique_ptr<LoadedModel>> model =
      LoadedModel::Load(description, *checkpoint, team, kernels,
                        {.kv_cache_bytes = token_bytes * (2 * max_tokens + 32),
                         .sizes = {.max_sequences = kMaxRows,
                                   .max_encode_tokens = max_tokens,
                                   .max_source_tokens = max_tokens,
                                   .max_new_tokens = max_tokens}});
  if (!model.ok()) return model.status();
  TransformerRunner& runner = (*model)->runner();
  runner.set_alignment_observer(observer);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const ForcedPair& pair = pairs[i];
    const size_t longest = std::max(
        pair.source.size(), pair.start_tokens.size() + pair.target.size());
    if (longest > static_cast<size_t>(max_tokens)) continue;
    take(i, DecodePair(pair, (*model)->storage(), runner));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
