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
    for (int32_t layer = 0; layer < shape_.num_layers; ++layer) {
      if (layer == 0 || architecture_.positions.is_per_layer) {
        Add(Slot::kPositionBias, Sublayer::kSelfAttention, layer,
            architecture_.positions.num_buckets, shape_.num_heads);
      }
      ListAttention(Sublayer::kSelfAttention, layer, shape_.kv_columns());
      if (stack_ == Stack::kDecoder) {
        ListAttention(Sublayer::kCrossAttention, layer,
                      architecture_.cross_kv_columns());
      }
      ListFeedForward(layer);
    }
    tensors_.push_back({{Slot::kFinalNorm, stack_}, shape_.d_model, 0});
  }

 private:
  void Add(Slot slot, Sublayer sublayer, int32_t layer, int64_t rows,
           int64_t columns) {
    tensors_.push_back({{slot, stack_, sublayer, layer}, rows, columns});
  }

  void ListAttention(Sublayer sublayer, int32_t layer, int64_t kv_columns) {
    // Keys and values of cross-attention come from the encoder's output.
    const int64_t kv_input = sublayer == Sublayer::kCrossAttention
                                 ? architecture_.encoder.d_model
                                 : shape_.d_model;
    Add(Slot::kNorm, sublayer, layer, shape_.d_model, 0);
    Add(Slot::kQuery, sublayer, layer, shape_.q_columns(), shape_.d_model);
    Add(Slot::kKey, sublayer, layer, kv_columns, kv_input);
    Add(Slot::kValue, sublayer, layer, kv_columns, kv_input);
    Add(Slot::kOutput, sublayer, layer, shape_.d_model, shape_.q_columns());
  }

  void ListFeedForward(int32_t layer) {
    constexpr Sublayer kSublayer = Sublayer::kFeedForward;
    Add(Slot::kNorm, kSublayer, layer, shape_.d_model, 0);
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
  for (const Stack stack : {Stack::kEncoder, Stack::kDecoder}) {
    StackLister(architecture, stack, tensors).List();
  }
  if (!architecture.is_tied) {
    tensors.push_back(
        {{Slot::kHead}, architecture.vocab_size, architecture.decoder.d_model});
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
