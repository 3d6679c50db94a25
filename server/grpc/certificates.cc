// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/certificates.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <utility>

#include "base/check.h"

namespace sheaf {
// In gRPC's C++ library, only credentials that watch files can change their
// certificate. Its C library asks for a certificate when a connection begins.
class Certificates::Credentials : public grpc::ServerCredentials {
 public:
  explicit Credentials(Certificates* certificates, bool asks_clients)
      : credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                asks_clients
                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                    : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
                Fetch, certificates))) {
    SHEAF_CHECK(credentials_ != nullptr);
  }
  ~Credentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {
    SHEAF_CHECK(false);  // CallerLimiter decides
  }

 private:
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  static grpc_ssl_certificate_config_reload_status Fetch(
      void* user_data, grpc_ssl_server_certificate_config** config) {
    auto& certificates = *static_cast<Certificates*>(user_data);
    absl::MutexLock lock(&certificates.mu_);
    if (std::exchange(certificates.is_given_to_grpc_, true)) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    const TlsIdentity identity = certificates.current_;
    const grpc_ssl_pem_key_cert_pair pair = {identity.key_pem.c_str(),
                                             identity.cert_pem.c_str()};
    // gRPC 1.51 asserts that there are authorities, even if clients need no
    // certificate; then it does not use them.
    const std::string& roots = identity.client_ca_pem.empty()
                                   ? identity.cert_pem
                                   : identity.client_ca_pem;
    *config =
        grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  grpc_server_credentials* const credentials_;
};

Certificates::Certificates(const TlsFiles& files, OnReload on_reload,
                           std::function<absl::Time()> now,
                           TlsIdentity identity)
    : files_(files),
      on_reload_(std::move(on_reload)),
      now_(std::move(now)),
      current_(std::move(identity)),
      seen_(current_) {}

absl::StatusOr<std::unique_ptr<Certificates>> Certificates::Load(
    const TlsFiles& files, OnReload on_reload,
    std::function<absl::Time()> now) {
  absl::StatusOr<TlsIdentity> identity = ReadTlsFiles(files);
  if (!identity.ok()) return identity.status();
  return std::unique_ptr<Certificates>(new Certificates(
      files, std::move(on_reload), std::move(now), *std::move(identity)));
}

void Certificates::Look(bool is_asked) {
  absl::StatusOr<TlsIdentity> found = ReadTlsFiles(files_);
  absl::MutexLock lock(&mu_);
  absl::Status status = found.status();
  bool is_news = is_asked;
  if (status.ok()) {
    is_news |= !HaveSameTexts(*found, seen_);
    seen_ = *found;
    // A certificate stays in use after it has expired.
    if (!HaveSameTexts(*found, current_)) {
      status = CheckValidAt(*found, files_, now_());
    }
  }
  is_news |= status != std::exchange(seen_status_, status);
  if (status.ok() && !HaveSameTexts(*found, current_)) {
    current_ = *std::move(found);
    is_given_to_grpc_ = false;
  }
  if (is_news) on_reload_(status, current_.not_after);
}

std::shared_ptr<grpc::ServerCredentials> Certificates::MakeServerCredentials() {
  return std::make_shared<Credentials>(
      this, /*asks_clients=*/!files_.client_ca.empty());
}

TlsIdentity Certificates::current() const {
  absl::MutexLock lock(&mu_);
  return current_;
}

}  // namespace sheaf
