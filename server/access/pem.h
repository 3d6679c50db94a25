// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Certificates and keys of OpenSSL, from PEM texts. Errors are INVALID_ARGUMENT
// and say what is wrong; OpenSSL's own queue of errors is empty afterwards.
namespace sheaf {

template <auto kFree>
struct OpenSslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Certificate = std::unique_ptr<X509, OpenSslFree<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;

// All certificates of a text, at least one. A truncated one is an error,
// because servers would present those before it.
absl::StatusOr<std::vector<Certificate>> ParseCertificates(
    const std::string& pem);

// A key without a password.
absl::StatusOr<PrivateKey> ParsePrivateKey(const std::string& pem);

bool IsKeyOf(const Certificate& certificate, const PrivateKey& key);

// Has a server present a certificate with the chain behind it, and use the
// certificate's key. OpenSSL refuses keys that are too weak.
absl::Status UseChain(const std::vector<Certificate>& chain, SSL_CTX* context);
absl::Status UsePrivateKey(const PrivateKey& key, SSL_CTX* context);

}  // namespace sheaf
