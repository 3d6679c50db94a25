// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/infer_request.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/field_error.h"
#include "server/grpc/infer_parameters.h"
#include "server/grpc/tensors.h"
#include "sheaf/v1/text.pb.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using absl::StatusCode;
using inference::ModelInferRequest;

constexpr char kTaskParameter[] = "task";
// A parameter of Triton's clients.
constexpr char kFinalResponseParameter[] = "triton_enable_empty_final_response";
constexpr char kTranslate[] = "translate";
constexpr char kSummarize[] = "summarize";
constexpr char kGenerate[] = "generate";

// The input tensors of a request.
struct Inputs {
  std::vector<int64_t> shape;  // of the texts
  std::vector<absl::string_view> texts;
  // Each is empty, has one language for all texts, or one for each.
  std::vector<absl::string_view> source_languages, target_languages;
};

std::string ShapeOf(const ModelInferRequest::InferInputTensor& input) {
  return absl::StrCat("[", absl::StrJoin(input.shape(), ", "), "]");
}

absl::Status CheckShape(const ModelInferRequest::InferInputTensor& input,
                        const std::string& path) {
  const auto& shape = input.shape();
  const bool is_right = (shape.size() == 1 || shape.size() == 2) &&
                        shape[0] >= 1 && shape[0] <= kMaxInferTexts &&
                        (shape.size() == 1 || shape[1] == 1);
  if (is_right) return absl::OkStatus();
  return FieldError(StatusCode::kInvalidArgument, absl::StrCat(path, ".shape"),
                    "is %s; this server allows [N] or [N, 1] with N in 1..%d",
                    ShapeOf(input), kMaxInferTexts);
}

// Whether contents of another type than BYTES are set.
bool HasOtherContents(const inference::InferTensorContents& contents) {
  return contents.bool_contents_size() + contents.int_contents_size() +
             contents.int64_contents_size() + contents.uint_contents_size() +
             contents.uint64_contents_size() + contents.fp32_contents_size() +
             contents.fp64_contents_size() >
         0;
}

absl::StatusOr<std::vector<absl::string_view>> ElementsOf(
    const ModelInferRequest& request, int index, const std::string& path) {
  const auto& input = request.inputs(index);
  const auto num_elements = static_cast<size_t>(input.shape(0));
  if (request.raw_input_contents_size() > 0) {
    const std::string field = absl::StrFormat("raw_input_contents[%d]", index);
    auto elements =
        SplitRawBytes(request.raw_input_contents(index), num_elements);
    if (elements.ok()) return elements;
    return FieldError(StatusCode::kInvalidArgument, field, "%s",
                      elements.status().message());
  }
  if (HasOtherContents(input.contents())) {
    return FieldError(StatusCode::kInvalidArgument,
                      absl::StrCat(path, ".contents"),
                      "has elements of other types than BYTES");
  }
  const auto& bytes = input.contents().bytes_contents();
  if (static_cast<size_t>(bytes.size()) != num_elements) {
    return FieldError(StatusCode::kInvalidArgument,
                      absl::StrCat(path, ".contents.bytes_contents"),
                      "has %d elements; the shape %s has %d", bytes.size(),
                      ShapeOf(input), num_elements);
  }
  return std::vector<absl::string_view>(bytes.begin(), bytes.end());
}

template <typename Tensor>
absl::Status CheckNoParameters(const Tensor& tensor, const std::string& path) {
  if (tensor.parameters().empty()) return absl::OkStatus();
  return FieldError(StatusCode::kInvalidArgument,
                    absl::StrCat(path, ".parameters"),
                    "has \"%s\"; this server allows none for a tensor",
                    Escaped(tensor.parameters().begin()->first));
}

absl::StatusOr<std::vector<absl::string_view>> ReadInput(
    const ModelInferRequest& request, int index) {
  const auto& input = request.inputs(index);
  const std::string path = absl::StrFormat("inputs[%d]", index);
  if (input.datatype() != "BYTES") {
    return FieldError(StatusCode::kInvalidArgument,
                      absl::StrCat(path, ".datatype"),
                      "is \"%s\"; the tensor \"%s\" has BYTES",
                      Escaped(input.datatype()), input.name());
  }
  absl::Status status = CheckNoParameters(input, path);
  if (status.ok()) status = CheckShape(input, path);
  if (!status.ok()) return status;
  auto elements = ElementsOf(request, index, path);
  if (!elements.ok()) return elements;
  for (size_t i = 0; i < elements->size(); ++i) {
    if (IsValidUtf8((*elements)[i])) continue;
    return FieldError(StatusCode::kInvalidArgument, input.name(),
                      "has an element %d that is not valid UTF-8", i);
  }
  return elements;
}

absl::Status CheckContents(const ModelInferRequest& request) {
  const int num_raw = request.raw_input_contents_size();
  if (num_raw == 0) return absl::OkStatus();
  if (num_raw != request.inputs_size()) {
    return FieldError(StatusCode::kInvalidArgument, "raw_input_contents",
                      "has %d elements; %d inputs need as many, or none",
                      num_raw, request.inputs_size());
  }
  for (int i = 0; i < request.inputs_size(); ++i) {
    if (!request.inputs(i).has_contents()) continue;
    return FieldError(StatusCode::kInvalidArgument,
                      absl::StrFormat("inputs[%d].contents", i),
                      "is set; with raw_input_contents it must not be");
  }
  return absl::OkStatus();
}

absl::Status CheckNumLanguages(const char* name,
                               const std::vector<absl::string_view>& languages,
                               size_t num_texts) {
  if (languages.size() <= 1 || languages.size() == num_texts) {
    return absl::OkStatus();
  }
  return FieldError(StatusCode::kInvalidArgument, name,
                    "has %d elements; %d texts allow 1 or %d", languages.size(),
                    num_texts, num_texts);
}

// The tensors, each once. `names` are those that the task has.
absl::StatusOr<Inputs> ReadInputs(const ModelInferRequest& request,
                                  const std::vector<std::string>& names) {
  if (absl::Status status = CheckContents(request); !status.ok()) return status;
  Inputs inputs;
  const auto list_of = [&inputs](const std::string& name) {
    if (name == kTextTensor) return &inputs.texts;
    return name == kSourceLanguageTensor ? &inputs.source_languages
                                         : &inputs.target_languages;
  };
  for (int i = 0; i < request.inputs_size(); ++i) {
    const std::string& name = request.inputs(i).name();
    const std::string path = absl::StrFormat("inputs[%d].name", i);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return FieldError(StatusCode::kInvalidArgument, path,
                        "is \"%s\"; the task has the inputs %s", Escaped(name),
                        absl::StrJoin(names, ", "));
    }
    std::vector<absl::string_view>& list = *list_of(name);
    if (!list.empty()) {
      return FieldError(StatusCode::kInvalidArgument, path,
                        "is \"%s\" like that of an input before it", name);
    }
    auto elements = ReadInput(request, i);
    if (!elements.ok()) return elements.status();
    list = *std::move(elements);
    if (name == kTextTensor) {
      inputs.shape.assign(request.inputs(i).shape().begin(),
                          request.inputs(i).shape().end());
    }
  }
  if (inputs.texts.empty()) {
    return FieldError(StatusCode::kInvalidArgument, "inputs",
                      "has no tensor \"%s\"", kTextTensor);
  }
  absl::Status status = CheckNumLanguages(
      kSourceLanguageTensor, inputs.source_languages, inputs.texts.size());
  if (status.ok()) {
    status = CheckNumLanguages(kTargetLanguageTensor, inputs.target_languages,
                               inputs.texts.size());
  }
  if (!status.ok()) return status;
  return inputs;
}

// The outputs that are asked for; without any, all that the task has.
absl::StatusOr<std::vector<std::string>> ReadOutputs(
    const ModelInferRequest& request, bool is_translation) {
  std::vector<std::string> all = {kTextTensor, kFinishReasonTensor,
                                  kScoreTensor};
  if (is_translation) all.emplace_back(kDetectedLanguageTensor);
  if (request.outputs().empty()) return all;
  std::vector<std::string> names;
  for (int i = 0; i < request.outputs_size(); ++i) {
    const std::string& name = request.outputs(i).name();
    const std::string path = absl::StrFormat("outputs[%d]", i);
    if (std::find(all.begin(), all.end(), name) == all.end()) {
      return FieldError(StatusCode::kInvalidArgument,
                        absl::StrCat(path, ".name"),
                        "is \"%s\"; the task has the outputs %s", Escaped(name),
                        absl::StrJoin(all, ", "));
    }
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return FieldError(StatusCode::kInvalidArgument,
                        absl::StrCat(path, ".name"),
                        "is \"%s\" like that of an output before it", name);
    }
    absl::Status status = CheckNoParameters(request.outputs(i), path);
    if (!status.ok()) return status;
    names.push_back(name);
  }
  return names;
}

absl::string_view LanguageAt(const std::vector<absl::string_view>& languages,
                             size_t i) {
  if (languages.empty()) return "";
  return languages.size() == 1 ? languages[0] : languages[i];
}

void SetLanguages(const Inputs& inputs, size_t i,
                  v1::TranslateRequest* request) {
  request->set_source_language(
      std::string(LanguageAt(inputs.source_languages, i)));
  request->set_target_language(
      std::string(LanguageAt(inputs.target_languages, i)));
}
void SetLanguages(const Inputs&, size_t, v1::SummarizeRequest*) {}
void SetLanguages(const Inputs&, size_t, v1::GenerateRequest*) {}

// A part of a stream is of one hypothesis.
absl::Status CheckNumHypotheses(const v1::DecodingOptions& decoding) {
  if (decoding.num_hypotheses() <= 1) return absl::OkStatus();
  return FieldError(StatusCode::kInvalidArgument,
                    "parameters[\"num_hypotheses\"]",
                    "is %d; a stream allows 1", decoding.num_hypotheses());
}

template <typename Request>
absl::StatusOr<InferBatch> ReadAs(const ModelInferRequest& request,
                                  bool is_streamed,
                                  const RequestReader& reader) {
  constexpr bool kIsTranslation = std::is_same_v<Request, v1::TranslateRequest>;
  InferBatch batch;
  auto outputs = ReadOutputs(request, kIsTranslation);
  if (!outputs.ok()) return outputs.status();
  Request common;
  std::vector<absl::string_view> no_options = {kTaskParameter};
  if (is_streamed) no_options.emplace_back(kFinalResponseParameter);
  absl::Status status =
      CheckBoolParameter(request.parameters(), kFinalResponseParameter);
  if (status.ok()) {
    status = SetOptions(request.parameters(), no_options, &common);
  }
  if (status.ok() && is_streamed) {
    status = CheckNumHypotheses(common.decoding());
  }
  if (!status.ok()) return status;
  std::vector<std::string> names = {kTextTensor};
  if (kIsTranslation) {
    names.insert(names.end(), {kSourceLanguageTensor, kTargetLanguageTensor});
  }
  absl::StatusOr<Inputs> inputs = ReadInputs(request, names);
  if (!inputs.ok()) return inputs.status();
  if (is_streamed && inputs->texts.size() > 1) {
    return FieldError(StatusCode::kInvalidArgument, kTextTensor,
                      "has %d elements; a stream allows 1 per request",
                      inputs->texts.size());
  }
  batch.items.reserve(inputs->texts.size());
  for (size_t i = 0; i < inputs->texts.size(); ++i) {
    auto item = std::make_shared<Request>(common);
    item->set_text(std::string(inputs->texts[i]));
    SetLanguages(*inputs, i, item.get());
    batch.items.push_back({[&reader, item](RequestReader::IsWanted is_wanted) {
                             return reader.Read(*item, is_wanted);
                           },
                           static_cast<int64_t>(inputs->texts[i].size())});
  }
  batch.layout.id = request.id();
  batch.layout.outputs = *std::move(outputs);
  batch.layout.shape = std::move(inputs->shape);
  batch.layout.is_raw = request.raw_input_contents_size() > 0;
  batch.layout.num_hypotheses = std::max(1, common.decoding().num_hypotheses());
  return batch;
}

// The first task that the model has.
std::string DefaultTask(const ServedModel& model) {
  for (const Task& task : model.tasks.tasks) {
    if (task.kind != Task::Kind::kSummarization) return kTranslate;
  }
  return model.tasks.summarization() != nullptr ? kSummarize : kGenerate;
}

}  // namespace

absl::Status CheckInferModel(const ServedModel& model, const std::string& field,
                             const std::string& name,
                             const std::string& version) {
  if (!name.empty() && name != model.name) {
    return FieldError(StatusCode::kNotFound, absl::StrCat(field, "name"),
                      "is \"%s\"; this server serves \"%s\"", Escaped(name),
                      model.name);
  }
  if (!version.empty() && version != kModelVersion) {
    return FieldError(StatusCode::kNotFound, absl::StrCat(field, "version"),
                      "is \"%s\"; this server serves \"%s\"", Escaped(version),
                      kModelVersion);
  }
  return absl::OkStatus();
}

absl::StatusOr<InferBatch> ReadInferRequest(const ModelInferRequest& request,
                                            bool is_streamed,
                                            const RequestReader& reader) {
  const ServedModel& model = reader.model();
  absl::Status status = CheckInferModel(model, "model_", request.model_name(),
                                        request.model_version());
  if (!status.ok()) return status;
  const absl::StatusOr<std::string> task =
      StringParameter(request.parameters(), kTaskParameter, DefaultTask(model));
  if (!task.ok()) return task.status();
  if (*task == kTranslate) {
    return ReadAs<v1::TranslateRequest>(request, is_streamed, reader);
  }
  if (*task == kSummarize) {
    return ReadAs<v1::SummarizeRequest>(request, is_streamed, reader);
  }
  if (*task == kGenerate)
    return ReadAs<v1::GenerateRequest>(request, is_streamed, reader);
  return FieldError(StatusCode::kInvalidArgument, "parameters[\"task\"]",
                    "is \"%s\"; this server allows %s, %s, %s", Escaped(*task),
                    kTranslate, kSummarize, kGenerate);
}

}  // namespace sheaf
