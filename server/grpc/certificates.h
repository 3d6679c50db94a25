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

// The certificate that the server presents, its key and the clients'
// authorities, as the files had them when they were last right as a whole. New
// ones count for who connects from then on; who is connected stays.
//
// The texts are given to gRPC from memory when a connection begins. gRPC 1.51's
// FileWatcherCertificateProvider reads the files itself and presents whatever
// is there, so that a certificate without its key refuses everybody.
//
// Thread-safe.
class Certificates {
 public:
  // OK and the certificate's end, or what is wrong with the files.
  using OnReload = std::function<void(const absl::Status&, absl::Time)>;

  // As ReadTlsFiles(). A certificate that has expired is taken all the same:
  // the machine's clock may be wrong at boot. Looks at nothing by itself.
  static absl::StatusOr<std::unique_ptr<Certificates>> Load(
      const TlsFiles& files, OnReload on_reload,
      std::function<absl::Time()> now = absl::Now);

  // Reads the files. Takes them if they are right and the certificate is valid
  // now. Calls `on_reload` if the outcome is news, or always if `is_asked`.
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
  // The files as the last look found them.
  TlsIdentity seen_ ABSL_GUARDED_BY(mu_);
  absl::Status seen_status_ ABSL_GUARDED_BY(mu_);
  bool is_given_to_grpc_ ABSL_GUARDED_BY(mu_) = false;  // current_ is
};

}  // namespace sheaf
