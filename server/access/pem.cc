// SPDX-License-Identifier: Apache-2.0

#include "server/access/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sheaf {
namespace {

using Bio = std::unique_ptr<BIO, OpenSslFree<BIO_free>>;

Bio BioOf(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL's description of the last failure.
std::string Reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "no reason is known" : reason;
}

absl::Status Wrong(absl::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(what);
}

absl::Status Refused() {
  return Wrong(absl::StrCat("OpenSSL refuses it: ", Reason()));
}

}  // namespace

absl::StatusOr<std::vector<Certificate>> ParseCertificates(
    const std::string& pem) {
  std::vector<Certificate> certificates;
  const Bio bio = BioOf(pem);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  const bool is_at_end =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!is_at_end) {
    return Wrong(absl::StrCat("PEM certificate ", certificates.size() + 1,
                              " cannot be read: ", Reason()));
  }
  if (certificates.empty()) return Wrong("no PEM certificate can be read");
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<PrivateKey> ParsePrivateKey(const std::string& pem) {
  const auto no_password = [](char*, int, int, void*) { return 0; };
  PrivateKey key(
      PEM_read_bio_PrivateKey(BioOf(pem).get(), nullptr, no_password, nullptr));
  if (key != nullptr) return key;
  return Wrong("no PEM key without a password can be read");
}

bool IsKeyOf(const Certificate& certificate, const PrivateKey& key) {
  const bool is_key = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return is_key;
}

absl::Status UseChain(const std::vector<Certificate>& chain, SSL_CTX* context) {
  if (SSL_CTX_use_certificate(context, chain[0].get()) != 1) return Refused();
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return Refused();
  }
  return absl::OkStatus();
}

absl::Status UsePrivateKey(const PrivateKey& key, SSL_CTX* context) {
  return SSL_CTX_use_PrivateKey(context, key.get()) == 1 ? absl::OkStatus()
                                                         : Refused();
}

}  // namespace sheaf
