// SPDX-License-Identifier: Apache-2.0

// The HTTP front over TLS.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <csignal>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/http/http_front.h"
#include "server/http/plain_call.h"
#include "tests/support/http_peer.h"
#include "tests/support/test_certificates.h"

namespace sheaf {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A client with TLS that trusts any server.
class TlsPeer {
 public:
  // `own` is the client's certificate; null: it has none.
  explicit TlsPeer(int32_t port, const CertificatePair* own = nullptr,
                   int max_version = 0, const std::string& protocol = "")
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    if (max_version != 0) {
      SSL_CTX_set_max_proto_version(context_.get(), max_version);
    }
    if (own != nullptr) Show(*own);
    if (!protocol.empty()) {
      const std::string list = absl::StrCat(
          std::string(1, static_cast<char>(protocol.size())), protocol);
      SSL_CTX_set_alpn_protos(
          context_.get(), reinterpret_cast<const unsigned char*>(list.data()),
          static_cast<unsigned int>(list.size()));
    }
    bio_.reset(BIO_new_ssl_connect(context_.get()));
    BIO_set_conn_hostname(bio_.get(), absl::StrCat("127.0.0.1:", port).c_str());
    is_connected_ = BIO_do_handshake(bio_.get()) == 1;
  }

  bool is_connected() const { return is_connected_; }
  void Send(const std::string& bytes) {
    BIO_write(bio_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  // Bytes until `end` is there or the other side closes.
  std::string ReadUntil(const std::string& end) {
    std::string text;
    char byte = 0;
    while (!absl::EndsWith(text, end) && BIO_read(bio_.get(), &byte, 1) == 1) {
      text += byte;
    }
    return text;
  }
  // The common name of the server.
  std::string ServerName() {
    SSL* ssl = nullptr;
    BIO_get_ssl(bio_.get(), &ssl);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get1_peer_certificate(ssl), X509_free);
    char name[100] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()),
                              NID_commonName, name, sizeof(name));
    return name;
  }

 private:
  void Show(const CertificatePair& pair) {
    BIO* cert = BIO_new_mem_buf(pair.cert.data(), -1);
    X509* x509 = PEM_read_bio_X509(cert, nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context_.get(), x509);
    BIO* key = BIO_new_mem_buf(pair.key.data(), -1);
    EVP_PKEY* pkey = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
    SSL_CTX_use_PrivateKey(context_.get(), pkey);
    EVP_PKEY_free(pkey);
    X509_free(x509);
    BIO_free(key);
    BIO_free(cert);
  }

  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<BIO, decltype(&BIO_free_all)> bio_{nullptr, BIO_free_all};
  bool is_connected_ = false;
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    std::signal(SIGPIPE, SIG_IGN);
    router_.Add({"GET", "/subject", [](HttpCallContext context) {
                   const std::string subject =
                       context.caller.certificate_subject;
                   return std::make_shared<PlainCall>(
                       std::move(context), nullptr,
                       [subject](const HttpRequest&) {
                         return HttpResponse::Json(
                             200, absl::StrCat("<", subject, ">"));
                       },
                       PlainError);
                 }});
    router_.Add({"POST", "/size", [](HttpCallContext context) {
                   return std::make_shared<PlainCall>(
                       std::move(context), nullptr,
                       [](const HttpRequest& request) {
                         return HttpResponse::Json(
                             200, request.body + request.body + "!");
                       },
                       PlainError);
                 }});
    SetIdentity("first");
  }

  void SetIdentity(const std::string& name) {
    const CertificatePair pair = MakeCertificate({.name = name});
    absl::MutexLock lock(&mu_);
    identity_.cert_pem = pair.cert;
    identity_.key_pem = pair.key;
  }

  void Start() {
    options_.address = {"127.0.0.1", 0};
    options_.identity = [this] {
      absl::MutexLock lock(&mu_);
      return identity_;
    };
    auto front = HttpFront::Listen(options_, &router_, &metrics_);
    ASSERT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
    front_->Start();
  }

  absl::Mutex mu_;
  TlsIdentity identity_ ABSL_GUARDED_BY(mu_);
  HttpFront::Options options_;
  HttpRouter router_;
  Metrics metrics_{"fake", /*kv_capacity_bytes=*/1};
  std::unique_ptr<HttpFront> front_;
};

constexpr char kGet[] = "GET /subject HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(TlsTest, RequestsAreAnsweredWithBothVersions) {
  Start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPeer peer(front_->port(), nullptr, version);
    ASSERT_TRUE(peer.is_connected());
    for (int i = 0; i < 2; ++i) {
      peer.Send(kGet);
      EXPECT_THAT(peer.ReadUntil(">"), EndsWith("\r\n\r\n<>"));
    }
  }
  EXPECT_FALSE(TlsPeer(front_->port(), nullptr, TLS1_1_VERSION).is_connected());
}

TEST_F(TlsTest, LargeBodiesAndAnswersPass) {
  Start();
  TlsPeer peer(front_->port());
  const std::string body(1'000'000, 'a');
  peer.Send(absl::StrCat("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: ",
                         body.size(), "\r\n\r\n", body));
  peer.ReadUntil("\r\n\r\n");
  EXPECT_EQ(peer.ReadUntil("!").size(), 2 * body.size() + 1);
}

TEST_F(TlsTest, NewConnectionsGetTheNewCertificate) {
  Start();
  TlsPeer old(front_->port());
  EXPECT_EQ(old.ServerName(), "first");
  SetIdentity("second");
  TlsPeer next(front_->port());
  EXPECT_EQ(next.ServerName(), "second");
  old.Send(kGet);
  EXPECT_THAT(old.ReadUntil(">"), EndsWith("<>"));
}

TEST_F(TlsTest, AClientShowsItsCertificateIfAuthoritiesAreSet) {
  const CertificatePair own =
      MakeCertificate({.name = "client", .organization = "O, Inc"});
  {
    absl::MutexLock lock(&mu_);
    identity_.client_ca_pem = own.cert;
  }
  Start();
  TlsPeer peer(front_->port(), &own);
  peer.Send(kGet);
  EXPECT_THAT(peer.ReadUntil(">"), EndsWith("<CN=client,O=O\\, Inc>"));
  const CertificatePair other = MakeCertificate({.name = "client"});
  for (const CertificatePair* pair :
       {static_cast<const CertificatePair*>(nullptr), &other}) {
    TlsPeer refused(front_->port(), pair);  // TLS 1.3 tells it later
    refused.Send(kGet);
    EXPECT_EQ(refused.ReadUntil(">"), "");
  }
}

TEST_F(TlsTest, OtherProtocolsAreRefused) {
  Start();
  EXPECT_TRUE(TlsPeer(front_->port(), nullptr, 0, "http/1.1").is_connected());
  EXPECT_FALSE(TlsPeer(front_->port(), nullptr, 0, "h2").is_connected());
  HttpPeer plain(front_->port());
  plain.Send(kGet);
  EXPECT_THAT(plain.ReadAll(), testing::Not(HasSubstr("HTTP/1.1 200")));
}

TEST_F(TlsTest, AHandshakeHasALimit) {
  options_.limits.handshake_timeout = absl::Milliseconds(50);
  Start();
  HttpPeer silent(front_->port());
  silent.Send("\x16\x03\x01");
  EXPECT_TRUE(silent.IsClosed(10'000));
}

}  // namespace
}  // namespace sheaf
