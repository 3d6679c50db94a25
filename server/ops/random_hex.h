// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <string>

namespace sheaf {

// Random bytes that cannot be guessed, as lower-case hexadecimal digits.
std::string RandomHex(size_t num_bytes);

}  // namespace sheaf
