// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/access/credentials.h"

namespace sheaf {

// OpenSSL's context for new connections: TLS 1.2 or 1.3 with the certificate of
// the moment. It is made again when the certificate has changed; connections
// keep theirs.
//
// Thread-safe.
class TlsContexts {
 public:
  // `identity` returns the certificate of the moment.
  explicit TlsContexts(std::function<TlsIdentity()> identity)
      : identity_(std::move(identity)) {}

  // Null if OpenSSL refuses the certificate, which ReadTlsFiles() has checked.
  std::shared_ptr<SSL_CTX> Current();

 private:
  const std::function<TlsIdentity()> identity_;
  absl::Mutex mu_;
  TlsIdentity used_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<SSL_CTX> context_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
