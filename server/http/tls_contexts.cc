// SPDX-License-Identifier: Apache-2.0

#include "server/http/tls_contexts.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {
namespace {

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

Bio BioOf(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Certificate NextCertificate(const Bio& bio) {
  return Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

bool UseIdentity(const TlsIdentity& identity, SSL_CTX* context) {
  const Bio chain = BioOf(identity.cert_pem);
  const Certificate leaf = NextCertificate(chain);
  if (leaf == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return false;
  }
  while (const Certificate next = NextCertificate(chain)) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return false;
  }
  const Key key(PEM_read_bio_PrivateKey(BioOf(identity.key_pem).get(), nullptr,
                                        nullptr, nullptr));
  return key != nullptr && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

// Clients must show a certificate that one of the authorities has signed.
bool RequireClients(const std::string& authorities_pem, SSL_CTX* context) {
  const Bio bio = BioOf(authorities_pem);
  while (const Certificate next = NextCertificate(bio)) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next.get()) != 1 ||
        SSL_CTX_add_client_CA(context, next.get()) != 1) {
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

bool HaveSameTexts(const TlsIdentity& a, const TlsIdentity& b) {
  return a.cert_pem == b.cert_pem && a.key_pem == b.key_pem &&
         a.client_ca_pem == b.client_ca_pem;
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
