// SPDX-License-Identifier: Apache-2.0

#include "server/ops/random_hex.h"

#include <openssl/rand.h>

#include "absl/strings/escaping.h"
#include "base/check.h"

namespace sheaf {

std::string RandomHex(size_t num_bytes) {
  std::string bytes(num_bytes, '\0');
  SHEAF_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                         static_cast<int>(bytes.size())) == 1);
  return absl::BytesToHexString(bytes);
}

}  // namespace sheaf
