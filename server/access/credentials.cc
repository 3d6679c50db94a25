// SPDX-License-Identifier: Apache-2.0

#include "server/access/credentials.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/input_file.h"

namespace sheaf {
namespace {

constexpr uint64_t kMaxPemBytes = uint64_t{4} << 20;

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;

// The file that a message is about.
struct NamedText {
  absl::string_view flag;
  const std::string& path;
  const std::string& text;
};

absl::Status Wrong(absl::string_view flag, const std::string& path,
                   absl::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is \"%s\": %s", flag, path, what));
}

absl::Status Wrong(const NamedText& file, absl::string_view what) {
  return Wrong(file.flag, file.path, what);
}

// OpenSSL's description of what just failed.
std::string Reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "no reason is known" : reason;
}

absl::StatusOr<std::string> Read(absl::string_view flag,
                                 const std::string& path,
                                 absl::string_view what) {
  absl::StatusOr<std::string> text = ReadTextFile(path, kMaxPemBytes);
  if (!text.ok()) {
    return Wrong(flag, path,
                 absl::StrCat("no PEM ", what,
                              " can be read: ", text.status().message()));
  }
  // gRPC reads a text up to its first zero byte.
  if (text->find('\0') != std::string::npos) {
    return Wrong(flag, path, "has a byte that is 0; PEM is text");
  }
  return text;
}

Bio BioOf(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// All certificates of a file. A truncated one is an error, because gRPC would
// serve those before it.
absl::StatusOr<std::vector<Certificate>> ParseCertificates(
    const NamedText& file) {
  std::vector<Certificate> certificates;
  const Bio bio = BioOf(file.text);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  const bool is_at_end =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!is_at_end) {
    return Wrong(file, absl::StrFormat("PEM certificate %d cannot be read: %s",
                                       certificates.size() + 1, Reason()));
  }
  if (certificates.empty()) {
    return Wrong(file, "no PEM certificate can be read");
  }
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<Key> ParseKey(const NamedText& file) {
  const auto no_password = [](char*, int, int, void*) { return 0; };
  Key key(PEM_read_bio_PrivateKey(BioOf(file.text).get(), nullptr, no_password,
                                  nullptr));
  if (key != nullptr) return key;
  return Wrong(file, "no PEM key without a password can be read");
}

// Uses them as gRPC will.
absl::Status CheckPair(const NamedText& cert_file, const NamedText& key_file,
                       const std::vector<Certificate>& certificates,
                       const Key& key) {
  if (X509_check_private_key(certificates[0].get(), key.get()) != 1) {
    return Wrong(key_file, "is not the key of --tls_cert");
  }
  const Context context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return absl::InternalError("SSL_CTX_new() failed");
  bool is_taken =
      SSL_CTX_use_certificate(context.get(), certificates[0].get()) == 1;
  for (size_t i = 1; i < certificates.size() && is_taken; ++i) {
    is_taken =
        SSL_CTX_add1_chain_cert(context.get(), certificates[i].get()) == 1;
  }
  if (!is_taken) {
    return Wrong(cert_file, absl::StrCat("OpenSSL refuses it: ", Reason()));
  }
  if (SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    return Wrong(key_file, absl::StrCat("OpenSSL refuses it: ", Reason()));
  }
  return absl::OkStatus();
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<TlsIdentity> ReadTlsFiles(const TlsFiles& files) {
  TlsIdentity identity;
  const NamedText cert_file = {"tls_cert", files.cert, identity.cert_pem};
  const NamedText key_file = {"tls_key", files.key, identity.key_pem};
  const NamedText ca_file = {"tls_client_ca", files.client_ca,
                             identity.client_ca_pem};
  for (const auto& [file, text, what] :
       {std::tuple(&cert_file, &identity.cert_pem, "certificate"),
        std::tuple(&key_file, &identity.key_pem, "key"),
        std::tuple(&ca_file, &identity.client_ca_pem, "certificate")}) {
    if (file->path.empty()) continue;  // no authorities
    absl::StatusOr<std::string> read = Read(file->flag, file->path, what);
    if (!read.ok()) return read.status();
    *text = *std::move(read);
  }
  const absl::StatusOr<std::vector<Certificate>> certificates =
      ParseCertificates(cert_file);
  if (!certificates.ok()) return certificates.status();
  const absl::StatusOr<Key> key = ParseKey(key_file);
  if (!key.ok()) return key.status();
  if (absl::Status status = CheckPair(cert_file, key_file, *certificates, *key);
      !status.ok()) {
    return status;
  }
  if (!files.client_ca.empty()) {
    const absl::Status status = ParseCertificates(ca_file).status();
    if (!status.ok()) return status;
  }
  const X509* leaf = certificates->front().get();
  identity.not_before = TimeOf(X509_get0_notBefore(leaf));
  identity.not_after = TimeOf(X509_get0_notAfter(leaf));
  return identity;
}

absl::Status CheckValidAt(const TlsIdentity& identity, const TlsFiles& files,
                          absl::Time now) {
  const auto words = [](absl::Time time) {
    return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
  };
  if (now < identity.not_before) {
    return Wrong(
        "tls_cert", files.cert,
        absl::StrCat("is not valid before ", words(identity.not_before)));
  }
  if (now > identity.not_after) {
    return Wrong("tls_cert", files.cert,
                 absl::StrCat("has expired at ", words(identity.not_after)));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
