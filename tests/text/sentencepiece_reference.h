// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

namespace sheaf {

// The text that libsentencepiece decodes from ids. This is the definition of
// decoding for ids that are neither unknown nor added. It leaves out ids that
// are not a piece and those of control pieces.
std::string ReferenceDecode(const std::string& model_bytes,
                            const std::vector<int>& ids);

}  // namespace sheaf
