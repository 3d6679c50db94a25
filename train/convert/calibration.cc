// SPDX-License-Identifier: Apache-2.0

#include "train/convert/calibration.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_block_pool.h"
#include "engine/kv_storage.h"
#include "engine/model/checkpoint.h"
#include "engine/model/decoder.h"
#include "engine/model/loaded_model.h"
#include "engine/model/tensor_match.h"
#include "engine/thread_team.h"

namespace sheaf {
namespace {

constexpr double kRidge = 0.01;  // of the diagonal's mean
constexpr int32_t kMaxSource = 512;
constexpr int32_t kMaxOutput = 128;

// `tokens`, or less if the model has positions for less.
int32_t WithinPositions(const Architecture& architecture, int32_t tokens) {
  const int32_t max = architecture.max_positions;
  return max > 0 ? std::min(max, tokens) : tokens;
}

// The mean of x x^T over rows x that arrive a few at a time, or of
// (x, 1) (x, 1)^T.
class SecondMoments {
 public:
  SecondMoments(int64_t dim, bool has_constant)
      : dim_(dim),
        sum_(Matrix::Zero(dim + has_constant, dim + has_constant)),
        buffer_(Matrix::Ones(sum_.rows(), kBuffered)) {}

  void Add(absl::Span<const float> rows) {
    for (size_t at = 0; at < rows.size(); at += dim_) {
      buffer_.col(num_buffered_++).head(dim_) =
          Eigen::Map<const Eigen::VectorXf>(rows.data() + at, dim_)
              .cast<double>();
      ++num_rows_;
      if (num_buffered_ == kBuffered) Flush();
    }
  }

  Matrix Mean() {
    Flush();
    Matrix mean = sum_ / std::max<double>(num_rows_, 1);
    const double ridge = kRidge * mean.trace() / mean.rows();
    mean.diagonal().array() += ridge;
    return mean;
  }

 private:
  static constexpr int64_t kBuffered = 256;

  void Flush() {
    const auto filled = buffer_.leftCols(num_buffered_);
    sum_.noalias() += filled * filled.transpose();
    num_buffered_ = 0;
  }

  const int64_t dim_;
  Matrix sum_;
  Matrix buffer_;  // [rows of sum_, kBuffered]; a constant row stays 1
  int64_t num_buffered_ = 0;
  int64_t num_rows_ = 0;
};

class Observer : public DecoderObserver {
 public:
  explicit Observer(const Architecture& architecture)
      : self_(architecture.decoder.num_layers,
              SecondMoments(architecture.decoder.d_model,
                            architecture.has_biases)),
        cross_(self_),
        encoder_output_(architecture.encoder.d_model, architecture.has_biases) {
  }

  void OnAttentionInput(int32_t layer_index, Attention attention,
                        absl::Span<const float> rows) override {
    (attention == Attention::kSelf ? self_ : cross_)[layer_index].Add(rows);
  }
  void OnEncoderOutput(absl::Span<const float> rows) {
    encoder_output_.Add(rows);
  }

  Calibration Result() {
    Calibration result;
    for (SecondMoments& each : self_) result.self_input.push_back(each.Mean());
    for (SecondMoments& each : cross_) {
      result.cross_input.push_back(each.Mean());
    }
    result.encoder_output = encoder_output_.Mean();
    return result;
  }

 private:
  std::vector<SecondMoments> self_, cross_;  // [layers]
  SecondMoments encoder_output_;
};

// Encodes one source and decodes it greedily while the observer watches.
void RunSource(const std::vector<int32_t>& source,
               const std::vector<int32_t>& start_tokens, int32_t max_output,
               const KvStorage& storage, TransformerRunner& runner,
               Observer& observer) {
  KvBlockPool pool(storage.shape());
  BlockTable cross(pool, Attention::kCross), self(pool, Attention::kSelf);
  const int32_t source_len = static_cast<int32_t>(source.size());
  SHEAF_CHECK(cross.GrowTo(source_len));
  SHEAF_CHECK(self.GrowTo(max_output));
  const EncodeEntry encode = {source, cross.ids()};
  runner.BeginEncode(EncodePass::kMain, {&encode, 1});
  while (!runner.AdvanceEncode(EncodePass::kMain, int64_t{1} << 40)) {
  }
  observer.OnEncoderOutput(runner.encoder_output());
  const auto ends = runner.eos_token_ids();
  std::vector<float> logits(runner.vocab_size());
  std::vector<int32_t> tokens = start_tokens;
  for (size_t position = 0;
       position + tokens.size() <= static_cast<size_t>(max_output);) {
    const DecodeEntry decode = {tokens, static_cast<int32_t>(position),
                                self.ids(), cross.ids(), source_len};
    runner.Decode({&decode, 1}, absl::MakeSpan(logits));
    position += tokens.size();
    tokens = {static_cast<int32_t>(
        std::max_element(logits.begin(), logits.end()) - logits.begin())};
    if (std::find(ends.begin(), ends.end(), tokens[0]) != ends.end()) return;
  }
}

}  // namespace

int32_t CalibrationSourceTokens(const Architecture& architecture) {
  return WithinPositions(architecture, kMaxSource);
}

absl::StatusOr<Calibration> Calibrate(const std::string& directory,
                                      ModelDescription description,
                                      const CalibrationText& text) {
  const absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(directory);
  if (!checkpoint.ok()) return checkpoint.status();
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  ThreadTeam team(NumUsableProcessors());
  absl::Status matched = MatchTensors(*checkpoint, description);
  if (!matched.ok()) return matched;
  // Room for one source and its output. A block has at most 16 tokens of all
  // query heads.
  const Architecture& architecture = description.architecture;
  const int32_t max_source = CalibrationSourceTokens(architecture);
  const int32_t max_output = WithinPositions(architecture, kMaxOutput);
  const int64_t token_bytes = int64_t{8} * architecture.decoder.num_layers *
                              architecture.decoder.q_columns();
  const absl::StatusOr<std::unique_ptr<LoadedModel>> model = LoadedModel::Load(
      description, *checkpoint, team, kernels,
      {.kv_cache_bytes = token_bytes * (max_source + max_output + 32),
       .sizes = {.max_sequences = 1,
                 .max_encode_tokens = max_source,
                 .max_source_tokens = max_source,
                 .max_new_tokens = max_output}});
  if (!model.ok()) return model.status();
  TransformerRunner& runner = (*model)->runner();
  Observer observer(architecture);
  runner.set_decoder_observer(&observer);
  for (std::vector<int32_t> source : text.sources) {
    if (source.size() > static_cast<size_t>(max_source)) {
      source.resize(max_source);
    }
    RunSource(source, text.start_tokens, max_output, (*model)->storage(),
              runner, observer);
  }
  return observer.Result();
}

}  // namespace sheaf
