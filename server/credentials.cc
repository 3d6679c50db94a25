#include "server/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace sheaf {
namespace {

constexpr unsigned kReloadSeconds = 1;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

absl::Status Wrong(absl::string_view flag, const std::string& path,
                   absl::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is \"%s\": %s", flag, path, what));
}

Certificate ReadCertificate(const std::string& path) {
  const Bio file(BIO_new_file(path.c_str(), "r"), BIO_free);
  X509* out = file == nullptr
                  ? nullptr
                  : PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr);
  return Certificate(out, X509_free);
}

Key ReadKey(const std::string& path) {
  const auto no_password = [](char*, int, int, void*) { return 0; };
  const Bio file(BIO_new_file(path.c_str(), "r"), BIO_free);
  EVP_PKEY* out =
      file == nullptr
          ? nullptr
          : PEM_read_bio_PrivateKey(file.get(), nullptr, no_password, nullptr);
  return Key(out, EVP_PKEY_free);
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  const Certificate certificate = ReadCertificate(files.cert);
  if (certificate == nullptr) {
    return Wrong("tls_cert", files.cert, "no PEM certificate can be read");
  }
  const Key key = ReadKey(files.key);
  if (key == nullptr) {
    return Wrong("tls_key", files.key,
                 "no PEM key without a password can be read");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return Wrong("tls_key", files.key, "is not the key of --tls_cert");
  }
  if (!files.client_ca.empty() && ReadCertificate(files.client_ca) == nullptr) {
    return Wrong("tls_client_ca", files.client_ca,
                 "no PEM certificate can be read");
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(
    const TlsFiles& files) {
  if (!files.is_set()) return grpc::InsecureServerCredentials();
  namespace tls = grpc::experimental;
  tls::TlsServerCredentialsOptions options(
      std::make_shared<tls::FileWatcherCertificateProvider>(
          files.key, files.cert, files.client_ca, kReloadSeconds));
  options.watch_identity_key_cert_pairs();
  if (!files.client_ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return tls::TlsServerCredentials(options);
}

}  // namespace sheaf
