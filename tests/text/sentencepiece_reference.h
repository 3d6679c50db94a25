#pragma once

#include <string>
#include <vector>

namespace sheaf {

// What libsentencepiece makes of ids, the definition of decoding for ids that
// are neither unknown nor added. It leaves out ids that are no piece and those
// of control pieces.
std::string ReferenceDecode(const std::string& model_bytes,
                            const std::vector<int>& ids);

}  // namespace sheaf
