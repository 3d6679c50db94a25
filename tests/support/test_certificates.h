// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdint>
#include <string>

namespace sheaf {

struct CertificatePair {
  std::string cert;
  std::string key;
};

template <typename Write>
std::string PemOf(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  EXPECT_EQ(write(bio), 1);
  char* text = nullptr;
  const int64_t size = BIO_get_mem_data(bio, &text);
  std::string out(text, static_cast<size_t>(size));
  BIO_free(bio);
  return out;
}

struct CertificateOptions {
  int64_t begin = -60;  // seconds from now
  int64_t end = 3600;
  int rsa_bits = 0;       // 0: an elliptic curve
  std::string name = "";  // the common name; without both there is no subject
  std::string organization = "";
};

// A self-signed certificate.
inline CertificatePair MakeCertificate(const CertificateOptions& options = {}) {
  EVP_PKEY* key = options.rsa_bits == 0 ? EVP_EC_gen("P-256")
                                        : EVP_RSA_gen(options.rsa_bits);
  X509* cert = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(cert), options.begin);
  X509_gmtime_adj(X509_getm_notAfter(cert), options.end);
  X509_set_pubkey(cert, key);
  X509_NAME* subject = X509_get_subject_name(cert);
  const auto add = [subject](const char* field, const std::string& value) {
    if (value.empty()) return;
    X509_NAME_add_entry_by_txt(
        subject, field, MBSTRING_UTF8,
        reinterpret_cast<const unsigned char*>(value.data()),
        static_cast<int>(value.size()), /*loc=*/-1, /*set=*/0);
  };
  add("O", options.organization);
  add("CN", options.name);
  X509_set_issuer_name(cert, subject);
  X509_sign(cert, key, EVP_sha256());
  CertificatePair pair;
  pair.cert = PemOf([&](BIO* bio) { return PEM_write_bio_X509(bio, cert); });
  pair.key = PemOf([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr,
                                    nullptr);
  });
  X509_free(cert);
  EVP_PKEY_free(key);
  return pair;
}

}  // namespace sheaf
