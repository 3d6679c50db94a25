// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/grpc_service.pb.h"
#include "server/batch_exchange.h"
#include "server/request_reader.h"
#include "server/served_model.h"

// Requests of the Open Inference Protocol.
namespace sheaf {

// The only version of a model.
inline constexpr char kModelVersion[] = "1";

// The names of tensors.
inline constexpr char kTextTensor[] = "text";
inline constexpr char kSourceLanguageTensor[] = "source_language";
inline constexpr char kTargetLanguageTensor[] = "target_language";
inline constexpr char kFinishReasonTensor[] = "finish_reason";
inline constexpr char kScoreTensor[] = "score";
inline constexpr char kDetectedLanguageTensor[] = "detected_language";

// The parts of a request that its response needs.
struct InferLayout {
  std::string id = "";
  std::vector<std::string> outputs;  // names, in their order
  std::vector<int64_t> shape;        // of the input "text"
  bool is_raw = false;               // contents are raw
  int32_t num_hypotheses = 1;        // that the request asks for
};

// The maximum number of texts of a request. All answers wait for the last one,
// so larger batches would gain nothing and hold more memory.
inline constexpr int64_t kMaxInferTexts = 256;

struct InferBatch {
  InferLayout layout;
  std::vector<BatchItem> items;  // one for each text
};

// Refuses a model, or a version of it, that is not served: NOT_FOUND.
absl::Status CheckInferModel(const ServedModel& model, const std::string& field,
                             const std::string& name,
                             const std::string& version);

// Turns a request into one request of sheaf.v1 for each of its texts, or for
// its only text if the answer is streamed. `reader` is not owned and outlives
// the items. INVALID_ARGUMENT and NOT_FOUND name the field, its value and what
// is allowed.
absl::StatusOr<InferBatch> ReadInferRequest(
    const inference::ModelInferRequest& request, bool is_streamed,
    const RequestReader& reader);

}  // namespace sheaf
