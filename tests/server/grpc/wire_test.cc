// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/wire.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/grpc/certificates.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificates.h"

namespace sheaf {
namespace {

using ::testing::IsEmpty;
using ::testing::StartsWith;

using Metadata = std::vector<std::pair<std::string, std::string>>;

// Takes CallerOf() of each call, which it refuses.
class CallerService final : public grpc::CallbackGenericService {
 public:
  explicit CallerService(const std::string& trusted_proxies)
      : proxies_(TrustedProxies::Parse(trusted_proxies).value()) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* rpc) override {
    class Refusal final : public grpc::ServerGenericBidiReactor {
     public:
      Refusal() { Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "")); }
      void OnDone() override { delete this; }
    };
    absl::MutexLock lock(&mu_);
    last_ = CallerOf(*rpc, "method", proxies_);
    return new Refusal;
  }

  Caller last() {
    absl::MutexLock lock(&mu_);
    return last_;
  }

 private:
  const TrustedProxies proxies_;
  absl::Mutex mu_;
  Caller last_ ABSL_GUARDED_BY(mu_);
};

// A server with a CallerService, and a client of it.
class CallerTest : public testing::Test {
 protected:
  void Start(const std::string& trusted_proxies) {
    StartOn("127.0.0.1:0", trusted_proxies);
  }
  void StartOn(const std::string& address, const std::string& trusted_proxies) {
    Start(address, trusted_proxies, grpc::InsecureServerCredentials(),
          grpc::InsecureChannelCredentials(), grpc::ChannelArguments());
  }
  // The server requires this certificate from its client.
  void StartMutual(const CertificatePair& client,
                   const std::string& trusted_proxies) {
    const CertificatePair server = MakeCertificate({.name = "localhost"});
    auto loaded = Certificates::Load(
        {dir_.Write("cert", server.cert), dir_.Write("key", server.key),
         dir_.Write("ca", client.cert)},
        [](const absl::Status&, absl::Time) {});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    certificates_ = *std::move(loaded);
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    Start("127.0.0.1:0", trusted_proxies,
          certificates_->MakeServerCredentials(),
          grpc::SslCredentials({.pem_root_certs = server.cert,
                                .pem_private_key = client.key,
                                .pem_cert_chain = client.cert}),
          arguments);
  }

  // The caller of a call with this metadata, as the server sees it.
  Caller Call(const Metadata& metadata) {
    grpc::ClientContext context;
    for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
    grpc::CompletionQueue queue;
    const auto call = grpc::GenericStub(channel_).PrepareUnaryCall(
        &context, "/test", grpc::ByteBuffer(), &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED)
        << status.error_message();
    return service_->last();
  }

  const TempDir dir_;

 private:
  void Start(const std::string& address, const std::string& trusted_proxies,
             const std::shared_ptr<grpc::ServerCredentials>& server_credentials,
             const std::shared_ptr<grpc::ChannelCredentials>& credentials,
             const grpc::ChannelArguments& arguments) {
    service_ = std::make_unique<CallerService>(trusted_proxies);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address, server_credentials, &port);
    builder.RegisterCallbackGenericService(service_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    const bool is_unix = address.starts_with("unix:");
    channel_ = grpc::CreateCustomChannel(
        is_unix ? address : "127.0.0.1:" + std::to_string(port), credentials,
        arguments);
  }

  std::unique_ptr<Certificates> certificates_;
  std::unique_ptr<CallerService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

const Metadata kForwarded = {{"x-forwarded-for", "192.0.2.1"},
                             {"x-client-subject", "CN=web"}};

TEST_F(CallerTest, TheMetadataOfAPeerThatIsNotTrustedIsIgnored) {
  for (const std::string proxies : {"", "unix,127.0.0.2,::1"}) {
    Start(proxies);
    const Caller caller = Call(kForwarded);
    EXPECT_THAT(caller.peer, StartsWith("ipv4:127.0.0.1:"));
    EXPECT_EQ(caller.address, "ipv4:127.0.0.1");
    EXPECT_THAT(caller.certificate_subject, IsEmpty());
  }
}

TEST_F(CallerTest, ATrustedProxyTellsAddressAndSubject) {
  Start("127.0.0.0/8");
  const Caller caller = Call(kForwarded);
  EXPECT_EQ(caller.peer, "ipv4:192.0.2.1");
  EXPECT_EQ(caller.address, "ipv4:192.0.2.1");
  EXPECT_EQ(caller.certificate_subject, "CN=web");
  const Caller v6 = Call({{"x-forwarded-for", "2001:db8::1"}});
  EXPECT_EQ(v6.peer, "ipv6:%5B2001:db8::1%5D");
  EXPECT_EQ(v6.address, "ipv6:2001:db8::/64");
  EXPECT_THAT(v6.certificate_subject, IsEmpty());
}

TEST_F(CallerTest, AProxyOnAUnixSocketIsTrustedByTheWordUnix) {
  StartOn("unix:" + dir_.PathOf("a.sock"), "unix");
  EXPECT_EQ(Call(kForwarded).address, "ipv4:192.0.2.1");
  EXPECT_EQ(Call({}).peer, "unix");
  StartOn("unix:" + dir_.PathOf("b.sock"), "127.0.0.1");
  EXPECT_EQ(Call(kForwarded).address, "unix");
}

TEST_F(CallerTest, ValuesOfXForwardedForAreJoinedInTheirOrder) {
  Start("127.0.0.1,10.0.0.0/8");
  EXPECT_EQ(Call({{"x-forwarded-for", "198.51.100.1"},
                  {"x-forwarded-for", "192.0.2.1, 10.0.0.1"},
                  {"x-forwarded-for", "10.0.0.2"}})
                .address,
            "ipv4:192.0.2.1");
}

TEST_F(CallerTest, WithoutAValidAddressTheProxyIsTheCaller) {
  Start("127.0.0.1");
  for (const std::string& forwarded :
       {std::string(), std::string("garbage"), std::string("192.0.2.1,"),
        std::string(4000, '1')}) {
    const Caller caller = Call({{"x-forwarded-for", forwarded}});
    EXPECT_THAT(caller.peer, StartsWith("ipv4:127.0.0.1:"));
    EXPECT_EQ(caller.address, "ipv4:127.0.0.1");
  }
}

TEST_F(CallerTest, ASubjectIsOneValueOfBoundedSize) {
  Start("127.0.0.1");
  EXPECT_EQ(
      Call({{"x-client-subject", std::string(512, 'x')}}).certificate_subject,
      std::string(512, 'x'));
  EXPECT_THAT(
      Call({{"x-client-subject", std::string(513, 'x')}}).certificate_subject,
      IsEmpty());
  // The first value is the client's, and the proxy added the second.
  EXPECT_THAT(
      Call({{"x-client-subject", "CN=root"}, {"x-client-subject", "CN=web"}})
          .certificate_subject,
      IsEmpty());
}

TEST_F(CallerTest, ADirectClientsSubjectIsThatOfItsCertificate) {
  StartMutual(MakeCertificate({.name = "web", .organization = "A, \nB"}), "");
  const Caller caller = Call(kForwarded);
  EXPECT_EQ(caller.certificate_subject, "CN=web,O=A\\, \\0AB");
  EXPECT_EQ(caller.address, "ipv4:127.0.0.1");
}

TEST_F(CallerTest, ASubjectNeedsNoCommonName) {
  StartMutual(MakeCertificate({.organization = "Example"}), "");
  EXPECT_EQ(Call({}).certificate_subject, "O=Example");
}

TEST_F(CallerTest, ATrustedProxysOwnCertificateIsNotItsClients) {
  StartMutual(MakeCertificate({.name = "proxy"}), "127.0.0.1");
  EXPECT_EQ(Call(kForwarded).certificate_subject, "CN=web");
  EXPECT_THAT(Call({{"x-forwarded-for", "192.0.2.1"}}).certificate_subject,
              IsEmpty());
}

}  // namespace
}  // namespace sheaf
