// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/infer_response.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/strip.h"
#include "server/grpc/tensors.h"
#include "server/messages.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

using inference::ModelInferResponse;

// The elements of all outputs, in row-major order.
struct Outputs {
  std::vector<int64_t> shape;  // of the first three
  std::vector<std::string> texts, finish_reasons;
  std::vector<float> scores;
  std::vector<std::string> detected_languages;
};

std::string NameOf(v1::FinishReason reason) {
  return std::string(
      absl::StripPrefix(v1::FinishReason_Name(reason), "FINISH_REASON_"));
}

// The hypotheses of an answer, filled up to `num_hypotheses`.
void AddHypotheses(const TextAnswer& answer, size_t num_hypotheses,
                   Outputs& outputs) {
  v1::GenerateResponse response;
  SetAnswer(answer.whole, answer.summary, &response);
  for (const v1::Hypothesis& hypothesis : response.hypotheses()) {
    outputs.texts.push_back(hypothesis.text());
    outputs.finish_reasons.push_back(NameOf(hypothesis.finish_reason()));
    outputs.scores.push_back(hypothesis.score());
  }
  for (size_t i = response.hypotheses_size(); i < num_hypotheses; ++i) {
    outputs.texts.emplace_back();
    outputs.finish_reasons.emplace_back();
    outputs.scores.push_back(-std::numeric_limits<float>::infinity());
  }
}

Outputs CollectOutputs(const InferLayout& layout,
                       const std::vector<TextAnswer>& answers) {
  auto num_hypotheses = static_cast<size_t>(layout.num_hypotheses);
  for (const TextAnswer& answer : answers) {
    num_hypotheses = std::max(num_hypotheses, 1 + answer.summary.others.size());
  }
  Outputs outputs;
  outputs.shape = layout.shape;
  if (num_hypotheses > 1) {
    outputs.shape = {layout.shape[0], static_cast<int64_t>(num_hypotheses)};
  }
  for (const TextAnswer& answer : answers) {
    AddHypotheses(answer, num_hypotheses, outputs);
    const DetectedTexts& detected = answer.summary.detected;
    outputs.detected_languages.push_back(
        detected.empty() ? "" : detected.front().front().tag);
  }
  return outputs;
}

void SetContents(const std::vector<std::string>& elements,
                 inference::InferTensorContents* contents) {
  contents->mutable_bytes_contents()->Assign(elements.begin(), elements.end());
}
void SetContents(const std::vector<float>& elements,
                 inference::InferTensorContents* contents) {
  contents->mutable_fp32_contents()->Assign(elements.begin(), elements.end());
}

template <typename T>
void AddOutput(const std::string& name, const std::vector<int64_t>& shape,
               const std::vector<T>& elements, bool is_raw,
               ModelInferResponse* response) {
  auto* output = response->add_outputs();
  output->set_name(name);
  output->set_datatype(std::is_same_v<T, float> ? "FP32" : "BYTES");
  output->mutable_shape()->Assign(shape.begin(), shape.end());
  if (is_raw) {
    response->add_raw_output_contents(ToRaw(absl::MakeSpan(elements)));
  } else {
    SetContents(elements, output->mutable_contents());
  }
}

ModelInferResponse MakeResponse(const InferLayout& layout,
                                const std::string& model) {
  ModelInferResponse response;
  response.set_model_name(model);
  response.set_model_version(kModelVersion);
  response.set_id(layout.id);
  return response;
}

}  // namespace

ModelInferResponse MakeInferPart(const InferLayout& layout,
                                 const std::string& model,
                                 const std::string& text) {
  ModelInferResponse response = MakeResponse(layout, model);
  if (std::find(layout.outputs.begin(), layout.outputs.end(), kTextTensor) !=
      layout.outputs.end()) {
    AddOutput<std::string>(kTextTensor, layout.shape, {text}, layout.is_raw,
                           &response);
  }
  return response;
}

ModelInferResponse MakeInferResponse(const InferLayout& layout,
                                     const std::vector<TextAnswer>& answers) {
  const Outputs outputs = CollectOutputs(layout, answers);
  ModelInferResponse response =
      MakeResponse(layout, answers.front().summary.model);
  for (const std::string& name : layout.outputs) {
    const auto add = [&](const std::vector<int64_t>& shape,
                         const auto& elements) {
      AddOutput(name, shape, elements, layout.is_raw, &response);
    };
    if (name == kTextTensor) {
      add(outputs.shape, outputs.texts);
    } else if (name == kFinishReasonTensor) {
      add(outputs.shape, outputs.finish_reasons);
    } else if (name == kScoreTensor) {
      add(outputs.shape, outputs.scores);
    } else {
      add(layout.shape, outputs.detected_languages);
    }
  }
  return response;
}

}  // namespace sheaf
