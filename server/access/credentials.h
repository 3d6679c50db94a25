// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sheaf {

// Names of PEM files. All empty: no encryption.
struct TlsFiles {
  std::string cert;       // the server's certificate chain
  std::string key;        // of the certificate
  std::string client_ca;  // empty: clients need no certificate

  bool is_set() const { return !cert.empty(); }
};

// The contents of the files at one moment. gRPC accepts all of them.
struct TlsIdentity {
  std::string cert_pem;
  std::string key_pem;
  std::string client_ca_pem;  // empty: clients need no certificate
  absl::Time not_before;      // of the server's certificate
  absl::Time not_after;
};

bool HaveSameTexts(const TlsIdentity& a, const TlsIdentity& b);

// Reads the files and checks that they are whole and belong together.
// INVALID_ARGUMENT names the flag and what is wrong with its file: it cannot be
// read, is not PEM or is truncated, OpenSSL refuses its key as too weak, or the
// key does not belong to the certificate. REQUIRES: files.is_set().
absl::StatusOr<TlsIdentity> ReadTlsFiles(const TlsFiles& files);

// INVALID_ARGUMENT if the certificate is not valid yet or has expired, because
// clients would refuse it.
absl::Status CheckValidAt(const TlsIdentity& identity, const TlsFiles& files,
                          absl::Time now);

}  // namespace sheaf
