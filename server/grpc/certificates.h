// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/security/server_credentials.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/access/credentials.h"

namespace sheaf {

// The certificate that the server presents, its key and the authorities for
// clients, as they were when the files were last valid together. New ones apply
// to new connections; existing connections stay.
//
// gRPC gets the texts from memory when a connection begins. The
// FileWatcherCertificateProvider of gRPC 1.51 reads the files itself and
// presents whatever is there, so that a certificate without its key makes every
// handshake fail.
//
// Thread-safe.
class Certificates {
 public:
  // Gets OK and the end of the certificate's validity, or the error.
  using OnReload = std::function<void(const absl::Status&, absl::Time)>;

  // Errors are those of ReadTlsFiles(). An expired certificate is accepted,
  // because the machine's clock may be wrong at boot. Only Look() reads the
  // files again.
  static absl::StatusOr<std::unique_ptr<Certificates>> Load(
      const TlsFiles& files, OnReload on_reload,
      std::function<absl::Time()> now = absl::Now);

  // Reads the files. Accepts them if they are right and the certificate is
  // valid now. Calls `on_reload` if the result has changed, or always if
  // `is_asked`.
  void Look(bool is_asked);

  // The credentials of a server, which this object outlives.
  std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials();

  TlsIdentity current() const;

 private:
  class Credentials;

  Certificates(const TlsFiles& files, OnReload on_reload,
               std::function<absl::Time()> now, TlsIdentity identity);

  const TlsFiles files_;
  const OnReload on_reload_;
  const std::function<absl::Time()> now_;
  mutable absl::Mutex mu_;
  TlsIdentity current_ ABSL_GUARDED_BY(mu_);
  // The files as of the last look.
  TlsIdentity seen_ ABSL_GUARDED_BY(mu_);
  absl::Status seen_status_ ABSL_GUARDED_BY(mu_);
  bool is_given_to_grpc_ ABSL_GUARDED_BY(mu_) = false;  // refers to current_
};

}  // namespace sheaf
