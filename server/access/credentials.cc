// SPDX-License-Identifier: Apache-2.0

#include "server/access/credentials.h"

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
#include "server/access/pem.h"

namespace sheaf {
namespace {

constexpr uint64_t kMaxPemBytes = uint64_t{4} << 20;

// The flags that name the files.
constexpr char kCert[] = "tls_cert";
constexpr char kKey[] = "tls_key";
constexpr char kClientCa[] = "tls_client_ca";

absl::Status Wrong(absl::string_view flag, const std::string& path,
                   absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is \"%s\": %s", flag, path, what));
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

// Uses them as the fronts will.
absl::Status CheckPair(const TlsFiles& files,
                       const std::vector<Certificate>& chain,
                       const PrivateKey& key) {
  if (!IsKeyOf(chain[0], key)) {
    return Wrong(kKey, files.key, "is not the key of --tls_cert");
  }
  const std::unique_ptr<SSL_CTX, OpenSslFree<SSL_CTX_free>> context(
      SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return absl::InternalError("SSL_CTX_new() failed");
  if (absl::Status status = UseChain(chain, context.get()); !status.ok()) {
    return Wrong(kCert, files.cert, status.message());
  }
  if (absl::Status status = UsePrivateKey(key, context.get()); !status.ok()) {
    return Wrong(kKey, files.key, status.message());
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
  for (const auto& [flag, path, text, what] :
       {std::tuple(kCert, &files.cert, &identity.cert_pem, "certificate"),
        std::tuple(kKey, &files.key, &identity.key_pem, "key"),
        std::tuple(kClientCa, &files.client_ca, &identity.client_ca_pem,
                   "certificate")}) {
    if (path->empty()) continue;  // no authorities
    absl::StatusOr<std::string> read = Read(flag, *path, what);
    if (!read.ok()) return read.status();
    *text = *std::move(read);
  }
  const absl::StatusOr<std::vector<Certificate>> certificates =
      ParseCertificates(identity.cert_pem);
  if (!certificates.ok()) {
    return Wrong(kCert, files.cert, certificates.status().message());
  }
  const absl::StatusOr<PrivateKey> key = ParsePrivateKey(identity.key_pem);
  if (!key.ok()) return Wrong(kKey, files.key, key.status().message());
  if (absl::Status status = CheckPair(files, *certificates, *key);
      !status.ok()) {
    return status;
  }
  if (!files.client_ca.empty()) {
    const auto authorities = ParseCertificates(identity.client_ca_pem);
    if (!authorities.ok()) {
      return Wrong(kClientCa, files.client_ca, authorities.status().message());
    }
  }
  const X509* leaf = certificates->front().get();
  identity.not_before = TimeOf(X509_get0_notBefore(leaf));
  identity.not_after = TimeOf(X509_get0_notAfter(leaf));
  return identity;
}

bool HaveSameTexts(const TlsIdentity& a, const TlsIdentity& b) {
  return a.cert_pem == b.cert_pem && a.key_pem == b.key_pem &&
         a.client_ca_pem == b.client_ca_pem;
}

absl::Status CheckValidAt(const TlsIdentity& identity, const TlsFiles& files,
                          absl::Time now) {
  const auto words = [](absl::Time time) {
    return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
  };
  if (now < identity.not_before) {
    return Wrong(
        kCert, files.cert,
        absl::StrCat("is not valid before ", words(identity.not_before)));
  }
  if (now > identity.not_after) {
    return Wrong(kCert, files.cert,
                 absl::StrCat("has expired at ", words(identity.not_after)));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
