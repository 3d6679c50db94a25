// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "inference/grpc_service.pb.h"
#include "server/batch_exchange.h"
#include "server/grpc/infer_request.h"

namespace sheaf {

// The response to a request of the Open Inference Protocol. `answers` has at
// least one element.
inference::ModelInferResponse MakeInferResponse(
    const InferLayout& layout, const std::vector<TextAnswer>& answers);

// One of several responses to a request for one text, with a part of the text
// and no other output. It has no output if the request does not ask for the
// text.
inference::ModelInferResponse MakeInferPart(const InferLayout& layout,
                                            const std::string& model,
                                            const std::string& text);

}  // namespace sheaf
