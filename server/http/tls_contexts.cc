// SPDX-License-Identifier: Apache-2.0

#include "server/http/tls_contexts.h"

#include <openssl/err.h>

#include <vector>

#include "absl/status/statusor.h"
#include "server/access/pem.h"

namespace sheaf {
namespace {

bool UseIdentity(const TlsIdentity& identity, SSL_CTX* context) {
  const absl::StatusOr<std::vector<Certificate>> chain =
      ParseCertificates(identity.cert_pem);
  const absl::StatusOr<PrivateKey> key = ParsePrivateKey(identity.key_pem);
  return chain.ok() && key.ok() && UseChain(*chain, context).ok() &&
         UsePrivateKey(*key, context).ok();
}

// Clients must show a certificate that one of the authorities has signed.
bool RequireClients(const std::string& authorities_pem, SSL_CTX* context) {
  const absl::StatusOr<std::vector<Certificate>> authorities =
      ParseCertificates(authorities_pem);
  if (!authorities.ok()) return false;
  for (const Certificate& each : *authorities) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), each.get()) != 1 ||
        SSL_CTX_add_client_CA(context, each.get()) != 1) {
      return false;
    }
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  return true;
}

// This front speaks HTTP/1.1 only. A client that offers other protocols alone
// is told so by a failing handshake.
int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned int offered_size,
                   void*) {
  static constexpr unsigned char kHttp11[] = {8,   'h', 't', 't', 'p',
                                              '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof(kHttp11),
                            offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

std::shared_ptr<SSL_CTX> MakeContext(const TlsIdentity& identity) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()),
                                   SSL_CTX_free);
  if (context == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection has no buffers. A write may continue from another place
  // in memory.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS |
                                      SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Clients keep the sessions (tickets), not the server.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  static constexpr unsigned char kId[] = "sheaf";
  SSL_CTX_set_session_id_context(context.get(), kId, sizeof(kId) - 1);
  SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, nullptr);
  const bool is_right = UseIdentity(identity, context.get()) &&
                        (identity.client_ca_pem.empty() ||
                         RequireClients(identity.client_ca_pem, context.get()));
  ERR_clear_error();
  return is_right ? context : nullptr;
}

}  // namespace

std::shared_ptr<SSL_CTX> TlsContexts::Current() {
  TlsIdentity identity = identity_();
  absl::MutexLock lock(&mu_);
  if (context_ == nullptr || !HaveSameTexts(identity, used_)) {
    context_ = MakeContext(identity);
    used_ = std::move(identity);
  }
  return context_;
}

}  // namespace sheaf
