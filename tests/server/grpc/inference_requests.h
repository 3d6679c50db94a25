// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/grpc_service.pb.h"
#include "server/grpc/tensors.h"

// Requests of the Open Inference Protocol to the FakeModel.
namespace sheaf {

inline void AddInput(const std::string& name,
                     const std::vector<std::string>& elements,
                     inference::ModelInferRequest* request) {
  auto* input = request->add_inputs();
  input->set_name(name);
  input->set_datatype("BYTES");
  input->add_shape(static_cast<int64_t>(elements.size()));
  input->mutable_contents()->mutable_bytes_contents()->Assign(elements.begin(),
                                                              elements.end());
}
inline inference::ModelInferRequest TranslationOf(
    const std::vector<std::string>& texts) {
  inference::ModelInferRequest request;
  request.set_model_name("fake");
  AddInput("text", texts, &request);
  AddInput("source_language", {"en"}, &request);
  AddInput("target_language", {"de"}, &request);
  return request;
}
// The same with raw contents.
inline inference::ModelInferRequest Raw(inference::ModelInferRequest request) {
  for (auto& input : *request.mutable_inputs()) {
    const auto& bytes = input.contents().bytes_contents();
    request.add_raw_input_contents(
        ToRaw(std::vector<std::string>(bytes.begin(), bytes.end())));
    input.clear_contents();
  }
  return request;
}

}  // namespace sheaf
