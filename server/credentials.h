#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace sheaf {

// PEM files. All empty: no encryption.
struct TlsFiles {
  std::string cert;       // the server's, and those that lead to its root
  std::string key;        // the certificate's
  std::string client_ca;  // empty: clients need no certificate

  bool is_set() const { return !cert.empty(); }
};

// INVALID_ARGUMENT names the flag and what is wrong with its file: it cannot be
// read, is no PEM, or the key is not the certificate's.
absl::Status CheckTlsFiles(const TlsFiles& files);

// What the server listens with. The files are looked at each second: who
// connects after they changed meets the new ones, and who is connected stays.
// REQUIRES: CheckTlsFiles(files), if they are set.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(
    const TlsFiles& files);

}  // namespace sheaf
