// SPDX-License-Identifier: Apache-2.0

#include "train/uptrain/batch.h"

#include <algorithm>

#include "train/common/ngram_bleu.h"

namespace sheaf {
namespace {

std::vector<int32_t> WithoutEnd(std::span<const uint16_t> ids) {
  return {ids.begin(), ids.end() - 1};
}

// Copies through pinned memory, so that the copy is asynchronous.
at::Tensor ToDevice(const at::Tensor& tensor, at::Device device) {
  if (!device.is_cuda()) return tensor;
  return tensor.pin_memory().to(device, tensor.scalar_type(),
                                /*non_blocking=*/true);
}

at::Tensor Longs(const std::vector<int64_t>& values) {
  at::Tensor tensor =
      at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), tensor.data_ptr<int64_t>());
  return tensor;
}

// Cuts the first pairs of a file, in their order, into batches of similar size.
std::vector<std::vector<PairRef>> CutInBatches(const TokenFile& file,
                                               int64_t num_pairs,
                                               int64_t batch_tokens) {
  std::vector<std::vector<PairRef>> batches;
  size_t longest = 0;
  for (int64_t i = 0; i < std::min(num_pairs, file.size()); ++i) {
    const TokenFile::Pair pair = file.at(i);
    longest = std::max(longest, pair.source.size() + pair.target.size());
    if (batches.empty() ||
        static_cast<int64_t>(longest * (batches.back().size() + 1)) >
            batch_tokens) {
      batches.emplace_back();
      longest = pair.source.size() + pair.target.size();
    }
    batches.back().push_back({0, i});
  }
  return batches;
}

}  // namespace

Batch MakeBatch(const std::vector<TokenFile>& files,
                const std::vector<PairRef>& pairs, int64_t start_id,
                at::Device device) {
  const int64_t B = static_cast<int64_t>(pairs.size());
  int64_t S = 0, T = 0;
  for (const PairRef& ref : pairs) {
    const TokenFile::Pair pair = files[ref.file].at(ref.index);
    S = std::max<int64_t>(S, static_cast<int64_t>(pair.source.size()));
    T = std::max<int64_t>(T, static_cast<int64_t>(pair.target.size()));
  }
  Batch batch;
  at::Tensor source = at::zeros({B, S}, at::kLong);
  at::Tensor source_mask = at::zeros({B, S}, at::kFloat);
  at::Tensor input = at::full({B, T}, start_id, at::kLong);
  std::vector<int64_t> targets, target_rows;
  at::Tensor target_place = at::full({B, T}, -1, at::kLong);
  at::Tensor input_place = at::full({B, T}, -1, at::kLong);
  for (int64_t b = 0; b < B; ++b) {
    const TokenFile::Pair pair = files[pairs[b].file].at(pairs[b].index);
    const int64_t s = b * S, t = b * T;
    std::copy(pair.source.begin(), pair.source.end(),
              source.data_ptr<int64_t>() + s);
    std::fill_n(source_mask.data_ptr<float>() + s, pair.source.size(), 1.0f);
    targets.insert(targets.end(), pair.target.begin(), pair.target.end());
    for (size_t i = 0; i < pair.target.size(); ++i) {
      target_rows.push_back(t + static_cast<int64_t>(i));
    }
    std::copy(pair.target.begin(), pair.target.end() - 1,
              input.data_ptr<int64_t>() + t + 1);
    for (size_t i = 0; i < pair.alignment.size(); ++i) {
      if (pair.alignment[i] == TokenFile::kUnaligned) continue;
      target_place.data_ptr<int64_t>()[t + i] = pair.alignment[i];
      if (i + 1 < pair.alignment.size()) {
        input_place.data_ptr<int64_t>()[t + i + 1] = pair.alignment[i];
      }
    }
    batch.num_targets += static_cast<int64_t>(pair.target.size());
    batch.num_tokens +=
        static_cast<int64_t>(pair.source.size() + pair.target.size());
  }
  batch.source = ToDevice(source, device);
  batch.source_mask = ToDevice(source_mask, device);
  batch.input = ToDevice(input, device);
  batch.targets = ToDevice(Longs(targets), device);
  batch.target_rows = ToDevice(Longs(target_rows), device);
  batch.target_place = ToDevice(target_place, device);
  batch.input_place = ToDevice(input_place, device);
  return batch;
}

DevResult EvaluateDev(const T5& model, const TokenFile& file,
                      const DevOptions& options,
                      const ForwardOptions& forward) {
  const c10::NoGradGuard no_grad;
  const std::vector<TokenFile> files = {file};
  DevResult result;
  double sum = 0;
  int64_t num_targets = 0;
  for (const std::vector<PairRef>& pairs :
       CutInBatches(file, options.num_pairs, options.batch_tokens)) {
    const Batch batch =
        MakeBatch(files, pairs, model.config().start_id, model.device());
    sum += ComputeLoss(model, batch, forward, {}).cross_entropy.item<double>();
    num_targets += batch.num_targets;
  }
  result.loss = sum / static_cast<double>(std::max<int64_t>(num_targets, 1));
  BleuCounts bleu;
  for (const std::vector<PairRef>& pairs :
       CutInBatches(file, options.num_decoded, options.batch_tokens)) {
    const Batch batch =
        MakeBatch(files, pairs, model.config().start_id, model.device());
    const std::vector<std::vector<int32_t>> outputs = GreedyDecode(
        model, batch.source, batch.source_mask, options.max_tokens, forward);
    for (size_t i = 0; i < outputs.size(); ++i) {
      bleu.Add(outputs[i], {WithoutEnd(file.at(pairs[i].index).target)});
      result.outputs.push_back(outputs[i]);
    }
  }
  result.token_bleu = bleu.Score();
  return result;
}

}  // namespace sheaf
