#include "engine/model/t5_tensors.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/input_file.h"

namespace sheaf {
namespace {

// Best first, as the reference looks for the table.
constexpr absl::string_view kTables[] = {"shared.weight",
                                         "encoder.embed_tokens.weight",
                                         "decoder.embed_tokens.weight"};
constexpr absl::string_view kHead = "lm_head.weight";

// Old checkpoints hold it, and nothing reads it.
constexpr absl::string_view kLeftover =
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

constexpr size_t kMaxNamesShown = 5;

void AddAttention(const T5Config& config, const std::string& name,
                  int32_t num_kv_heads, std::vector<T5Tensor>& tensors) {
  const int64_t d_model = config.d_model;
  const int64_t q_columns = int64_t{config.num_heads} * config.head_dim;
  const int64_t kv = int64_t{num_kv_heads} * config.head_dim;
  tensors.push_back({name + ".q.weight", {q_columns, d_model}});
  tensors.push_back({name + ".k.weight", {kv, d_model}});
  tensors.push_back({name + ".v.weight", {kv, d_model}});
  tensors.push_back({name + ".o.weight", {d_model, q_columns}});
}

void AddFeedForward(const T5Config& config, const std::string& name,
                    std::vector<T5Tensor>& tensors) {
  const int64_t d_model = config.d_model, d_ff = config.d_ff;
  if (config.is_gated) {
    tensors.push_back({name + ".wi_0.weight", {d_ff, d_model}});
    tensors.push_back({name + ".wi_1.weight", {d_ff, d_model}});
  } else {
    tensors.push_back({name + ".wi.weight", {d_ff, d_model}});
  }
  tensors.push_back({name + ".wo.weight", {d_model, d_ff}});
}

void AddStack(const T5Config& config, const std::string& stack, bool is_decoder,
              std::vector<T5Tensor>& tensors) {
  const int64_t d_model = config.d_model;
  const int32_t num_layers =
      is_decoder ? config.num_decoder_layers : config.num_encoder_layers;
  tensors.push_back(
      {absl::StrCat(
           stack,
           ".block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
       {config.relative_attention_num_buckets, config.num_heads}});
  tensors.push_back({stack + ".final_layer_norm.weight", {d_model}});
  for (int32_t i = 0; i < num_layers; ++i) {
    const std::string layer = absl::StrCat(stack, ".block.", i, ".layer.");
    const std::string last = layer + (is_decoder ? "2" : "1");
    AddAttention(config, layer + "0.SelfAttention",
                 is_decoder ? config.num_kv_heads : config.num_heads, tensors);
    tensors.push_back({layer + "0.layer_norm.weight", {d_model}});
    if (is_decoder) {
      AddAttention(config, layer + "1.EncDecAttention",
                   config.num_cross_kv_heads, tensors);
      tensors.push_back({layer + "1.layer_norm.weight", {d_model}});
    }
    AddFeedForward(config, last + ".DenseReluDense", tensors);
    tensors.push_back({last + ".layer_norm.weight", {d_model}});
  }
}

absl::Status Refuse(absl::string_view tensor, absl::string_view rule) {
  return absl::InvalidArgumentError(
      absl::StrCat("tensor ", Quoted(tensor), " ", rule));
}

absl::Status CheckTensor(const WeightSource& source, absl::string_view name,
                         const std::vector<int64_t>& expected) {
  const absl::StatusOr<std::vector<int64_t>> shape = source.Shape(name);
  if (!shape.ok()) return shape.status();
  if (*shape != expected) {
    return Refuse(name, absl::StrFormat("is [%s]; config.json asks for [%s]",
                                        absl::StrJoin(*shape, ", "),
                                        absl::StrJoin(expected, ", ")));
  }
  return source.ReadRows(name, 0, 0, {});  // Refuses types that are not read.
}

// Whether two tensors of that shape have the same values. Reads a piece of both
// at a time and stops at the first that differs.
absl::StatusOr<bool> AreEqual(const WeightSource& source, absl::string_view a,
                              absl::string_view b, int64_t rows, int64_t cols) {
  constexpr int64_t kFloatsAtOnce = 1 << 18;
  const int64_t rows_at_once =
      std::min(rows, std::max<int64_t>(1, kFloatsAtOnce / cols));
  std::vector<float> from_a(rows_at_once * cols), from_b(rows_at_once * cols);
  for (int64_t row = 0; row < rows; row += rows_at_once) {
    const int64_t n = std::min(rows_at_once, rows - row);
    const auto a_rows = absl::MakeSpan(from_a).first(n * cols);
    const auto b_rows = absl::MakeSpan(from_b).first(n * cols);
    absl::Status read = source.ReadRows(a, row, n, a_rows);
    if (read.ok()) read = source.ReadRows(b, row, n, b_rows);
    if (!read.ok()) return read;
    if (a_rows != b_rows) return false;
  }
  return true;
}

// As of "model." in "model.shared.weight": some programs save models within
// modules of their own. Empty if no tensor looks like the table.
std::string PrefixOf(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (const absl::string_view table : kTables) {
      if (absl::EndsWith(name, absl::StrCat(".", table))) {
        return name.substr(0, name.size() - table.size());
      }
    }
  }
  return "";
}

absl::Status FindTable(const WeightSource& source,
                       const std::vector<std::string>& names,
                       T5Config& config) {
  const std::vector<int64_t> shape = {config.vocab_size, config.d_model};
  config.table_tensor.clear();
  for (const absl::string_view name : kTables) {
    if (!source.Has(name)) continue;
    absl::Status status = CheckTensor(source, name, shape);
    if (!status.ok()) return status;
    if (config.table_tensor.empty()) {
      config.table_tensor = std::string(name);
      continue;
    }
    const absl::StatusOr<bool> is_copy = AreEqual(
        source, config.table_tensor, name, config.vocab_size, config.d_model);
    if (!is_copy.ok()) return is_copy.status();
    if (!*is_copy) {
      return Refuse(name,
                    absl::StrCat("differs from ", Quoted(config.table_tensor),
                                 "; one table serves both stacks, and allowed "
                                 "is a copy of it or none"));
    }
  }
  if (!config.table_tensor.empty()) return absl::OkStatus();
  const std::string prefix = PrefixOf(names);
  if (prefix.empty()) return source.Shape(kTables[0]).status();
  return absl::InvalidArgumentError(absl::StrFormat(
      "there is no tensor %s: the names begin with %s, so the checkpoint is "
      "that of a module around the model; save the model itself",
      Quoted(kTables[0]), Quoted(prefix)));
}

absl::Status FindHead(const WeightSource& source, T5Config& config) {
  config.head_tensor = config.table_tensor;
  if (!source.Has(kHead)) return absl::OkStatus();
  absl::Status status =
      CheckTensor(source, kHead, {config.vocab_size, config.d_model});
  if (!status.ok()) return status;
  const absl::StatusOr<bool> is_copy = AreEqual(
      source, config.table_tensor, kHead, config.vocab_size, config.d_model);
  if (!is_copy.ok()) return is_copy.status();
  if (*is_copy) return absl::OkStatus();
  config.head_tensor = std::string(kHead);
  if (config.scales_output) {
    config.warnings.push_back(absl::StrFormat(
        "tensor %s differs from %s and is the head, whose input is scaled by "
        "d_model^-0.5 as config.json says (scale_decoder_outputs, "
        "tie_word_embeddings): transformers 5 reads it so, older versions take "
        "another head or do not scale",
        Quoted(kHead), Quoted(config.table_tensor)));
  }
  return absl::OkStatus();
}

// Whether `name` lies in what the model computes, where no weight is idle.
bool IsOfTheModel(absl::string_view name) {
  for (const absl::string_view part :
       {"encoder.", "decoder.", "shared.", "lm_head."}) {
    if (absl::StartsWith(name, part)) return true;
  }
  return false;
}

// Tensors that nothing reads.
absl::Status CheckOthers(const std::vector<std::string>& names,
                         const std::vector<T5Tensor>& stacks,
                         T5Config& config) {
  absl::flat_hash_set<absl::string_view> known = {kHead, kLeftover};
  known.insert(std::begin(kTables), std::end(kTables));
  for (const T5Tensor& tensor : stacks) known.insert(tensor.name);
  std::vector<std::string> idle;
  for (const std::string& name : names) {
    if (known.contains(name)) continue;
    if (IsOfTheModel(name)) {
      return Refuse(
          name, absl::StrFormat("has no place in the model that config.json "
                                "describes (%s, %d + %d layers), which would "
                                "not be the one that was saved",
                                config.model_type, config.num_encoder_layers,
                                config.num_decoder_layers));
    }
    idle.push_back(Quoted(name));
  }
  if (idle.empty()) return absl::OkStatus();
  const size_t num_idle = idle.size();
  idle.resize(std::min(num_idle, kMaxNamesShown));
  config.warnings.push_back(absl::StrFormat(
      "%d tensors of the checkpoint are not used: %s%s", num_idle,
      absl::StrJoin(idle, ", "), num_idle > kMaxNamesShown ? ", ..." : ""));
  return absl::OkStatus();
}

}  // namespace

std::vector<T5Tensor> T5StackTensors(const T5Config& config) {
  std::vector<T5Tensor> tensors;
  AddStack(config, "encoder", /*is_decoder=*/false, tensors);
  AddStack(config, "decoder", /*is_decoder=*/true, tensors);
  return tensors;
}

absl::Status MatchT5Tensors(const WeightSource& source, T5Config& config) {
  const std::vector<std::string> names = source.Names();
  const std::vector<T5Tensor> stacks = T5StackTensors(config);
  absl::Status status = FindTable(source, names, config);
  for (size_t i = 0; i < stacks.size() && status.ok(); ++i) {
    status = CheckTensor(source, stacks[i].name, stacks[i].shape);
  }
  if (status.ok()) status = CheckOthers(names, stacks, config);
  if (status.ok()) status = FindHead(source, config);
  return status;
}

}  // namespace sheaf
