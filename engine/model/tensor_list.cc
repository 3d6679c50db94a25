// SPDX-License-Identifier: Apache-2.0

#include "engine/model/tensor_list.h"

namespace sheaf {
namespace {

// Appends the tensors of one stack.
class StackLister {
 public:
  StackLister(const Architecture& architecture, Stack stack,
              std::vector<TensorSpec>& tensors)
      : architecture_(architecture),
        shape_(stack == Stack::kEncoder ? architecture.encoder
                                        : architecture.decoder),
        stack_(stack),
        tensors_(tensors) {}

  void List() {
    if (architecture_.positions.kind == PositionKind::kLearned) {
      tensors_.push_back({{Slot::kPositions, stack_},
                          int64_t{architecture_.positions.first_position} +
                              architecture_.max_positions,
                          shape_.d_model});
    }
    if (architecture_.has_embedding_norm)
      AddNorm({Slot::kEmbeddingNorm, stack_});
    for (int32_t layer = 0; layer < shape_.num_layers; ++layer) {
      ListPositionBias(layer);
      ListAttention(Sublayer::kSelfAttention, layer, shape_.kv_columns());
      if (stack_ == Stack::kDecoder && !architecture_.has_merged_attention) {
        ListAttention(Sublayer::kCrossAttention, layer,
                      architecture_.cross_kv_columns());
      }
      ListFeedForward(layer);
    }
    if (architecture_.has_final_norm) AddNorm({Slot::kFinalNorm, stack_});
  }

 private:
  void ListPositionBias(int32_t layer) {
    const Positions& positions = architecture_.positions;
    if (!positions.is_relative_bias()) return;
    if (layer > 0 && !positions.is_per_layer) return;
    tensors_.push_back(
        {{Slot::kPositionBias, stack_, Sublayer::kSelfAttention, layer},
         positions.num_buckets,
         shape_.num_heads});
  }

  void AddNorm(TensorPlace place) {
    tensors_.push_back({place, shape_.d_model, 0});
    if (architecture_.norm != NormKind::kLayer) return;
    place.is_bias = true;
    tensors_.push_back({place, shape_.d_model, 0});
  }

  // The norms around a sub-layer.
  void AddNorms(Sublayer sublayer, int32_t layer) {
    AddNorm({Slot::kNorm, stack_, sublayer, layer});
    if (architecture_.norm_place == NormPlace::kBoth) {
      AddNorm({Slot::kSecondNorm, stack_, sublayer, layer});
    }
  }

  // A product, with its bias if the model has biases.
  void Add(Slot slot, Sublayer sublayer, int32_t layer, int64_t rows,
           int64_t columns) {
    TensorPlace place = {slot, stack_, sublayer, layer};
    tensors_.push_back({place, rows, columns});
    if (!architecture_.has_biases) return;
    place.is_bias = true;
    tensors_.push_back({place, rows, 0});
  }

  void ListAttention(Sublayer sublayer, int32_t layer, int64_t kv_columns) {
    // Keys and values of cross-attention come from the encoder's output.
    const int64_t kv_input = sublayer == Sublayer::kCrossAttention
                                 ? architecture_.encoder.d_model
                                 : shape_.d_model;
    AddNorms(sublayer, layer);
    if (architecture_.has_qk_norm) {
      for (const Slot slot : {Slot::kQueryNorm, Slot::kKeyNorm}) {
        tensors_.push_back(
            {{slot, stack_, sublayer, layer}, shape_.head_dim, 0});
      }
    }
    Add(Slot::kQuery, sublayer, layer, shape_.q_columns(), shape_.d_model);
    Add(Slot::kKey, sublayer, layer, kv_columns, kv_input);
    Add(Slot::kValue, sublayer, layer, kv_columns, kv_input);
    Add(Slot::kOutput, sublayer, layer, shape_.d_model, shape_.q_columns());
  }

  void ListFeedForward(int32_t layer) {
    constexpr Sublayer kSublayer = Sublayer::kFeedForward;
    AddNorms(kSublayer, layer);
    if (architecture_.is_gated) {
      Add(Slot::kGate, kSublayer, layer, shape_.d_ff, shape_.d_model);
    }
    Add(Slot::kUp, kSublayer, layer, shape_.d_ff, shape_.d_model);
    Add(Slot::kDown, kSublayer, layer, shape_.d_model, shape_.d_ff);
  }

  const Architecture& architecture_;
  const StackShape& shape_;
  const Stack stack_;
  std::vector<TensorSpec>& tensors_;
};

}  // namespace

std::vector<TensorSpec> ListTensors(const Architecture& architecture) {
  std::vector<TensorSpec> tensors;
  tensors.push_back({{Slot::kEmbedding},
                     architecture.vocab_size,
                     architecture.decoder.d_model});
  if (architecture.has_source_embedding) {
    tensors.push_back({{Slot::kSourceEmbedding},
                       architecture.source_vocab_size,
                       architecture.encoder.d_model});
  }
  for (const Stack stack : {Stack::kEncoder, Stack::kDecoder}) {
    StackLister(architecture, stack, tensors).List();
  }
  if (!architecture.is_tied) {
    tensors.push_back(
        {{Slot::kHead}, architecture.vocab_size, architecture.decoder.d_model});
  }
  if (architecture.own_vector_id.has_value()) {
    tensors.push_back({{Slot::kOwnVector}, architecture.decoder.d_model, 0});
  }
  if (architecture.has_logit_bias) {
    tensors.push_back({{Slot::kLogitBias}, 1, architecture.vocab_size});
  }
  return tensors;
}

int64_t NumParameters(const Architecture& architecture) {
  int64_t sum = 0;
  for (const TensorSpec& tensor : ListTensors(architecture)) {
    sum += tensor.num_elements();
  }
  return sum;
}

}  // namespace sheaf
