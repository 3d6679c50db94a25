// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificates.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class CertificatesTest : public testing::Test {
 protected:
  CertificatesTest() {
    files_ = {dir_.PathOf("cert"), dir_.PathOf("key"), dir_.PathOf("ca")};
    Write(files_.cert, first_.cert);
    Write(files_.key, first_.key);
    Write(files_.client_ca, first_.cert);
  }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  void Load() {
    auto loaded = Certificates::Load(
        files_,
        [this](const absl::Status& status, absl::Time) {
          told_.emplace_back(status.message());
        },
        [this] { return now_; });
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    certificates_ = *std::move(loaded);
  }
  // Looks at the files and returns the reports.
  std::vector<std::string> Look() {
    told_.clear();
    certificates_->Look(/*is_asked=*/false);
    return told_;
  }
  std::string current() const { return certificates_->current().cert_pem; }

  const CertificatePair first_ = MakeCertificate();
  const CertificatePair second_ = MakeCertificate();
  const TempDir dir_;
  TlsFiles files_;
  absl::Time now_ = absl::Now();
  std::vector<std::string> told_;
  std::unique_ptr<Certificates> certificates_;
};

TEST_F(CertificatesTest, ANewCertificateCountsOnceItsKeyIsThere) {
  Load();
  Write(files_.cert, second_.cert);
  EXPECT_THAT(Look(), ElementsAre(HasSubstr("is not the key of --tls_cert")));
  EXPECT_THAT(Look(), IsEmpty());  // reported once
  EXPECT_EQ(current(), first_.cert);
  Write(files_.key, second_.key);
  EXPECT_THAT(Look(), ElementsAre(""));
  EXPECT_EQ(current(), second_.cert);
  EXPECT_EQ(certificates_->current().key_pem, second_.key);
}

TEST_F(CertificatesTest, WhatIsBrokenIsToldAndTheOldPairStays) {
  Load();
  const std::string two = first_.cert + second_.cert;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no PEM certificate can be read"},
      {first_.cert.substr(0, first_.cert.size() / 2), "certificate 1"},
      // A truncated chain.
      {two.substr(0, two.size() - 40), "certificate 2"},
      {first_.cert + std::string(1, '\0') + second_.cert, "byte that is 0"},
      {"broken", "no PEM certificate can be read"},
      {MakeCertificate().cert, "is not the key"}};
  for (const auto& [text, reason] : cases) {
    Write(files_.cert, text);
    EXPECT_THAT(Look(), ElementsAre(HasSubstr(reason))) << text;
    EXPECT_EQ(current(), first_.cert);
  }
  Write(files_.cert, first_.cert);
  EXPECT_THAT(Look(), ElementsAre(""));
  Write(files_.key, "");
  EXPECT_THAT(Look(), ElementsAre(HasSubstr("no PEM key")));
  std::remove(files_.key.c_str());
  EXPECT_THAT(Look(),
              ElementsAre(StartsWith(absl::StrCat("--tls_key is \"", files_.key,
                                                  "\": no PEM key can be"))));
  ASSERT_EQ(mkfifo(files_.key.c_str(), 0600), 0);  // no process writes to it
  EXPECT_THAT(Look(), ElementsAre(HasSubstr("a pipe")));
  EXPECT_EQ(current(), first_.cert);
}

TEST_F(CertificatesTest, ABrokenAuthorityKeepsTheOldPairToo) {
  Load();
  Write(files_.cert, second_.cert);
  Write(files_.key, second_.key);
  Write(files_.client_ca, "");
  EXPECT_THAT(Look(), ElementsAre(HasSubstr("--tls_client_ca")));
  EXPECT_EQ(current(), first_.cert);
  Write(files_.client_ca, first_.cert + second_.cert);
  EXPECT_THAT(Look(), ElementsAre(""));
  EXPECT_EQ(certificates_->current().client_ca_pem, first_.cert + second_.cert);
}

TEST_F(CertificatesTest, ACertificateCountsWhileItIsValidAndNotBefore) {
  Load();
  const CertificatePair expired = MakeCertificate({.begin = -3600, .end = -60});
  Write(files_.cert, expired.cert);
  Write(files_.key, expired.key);
  EXPECT_THAT(Look(), ElementsAre(HasSubstr("has expired at ")));
  const CertificatePair early = MakeCertificate({.begin = 600});
  Write(files_.cert, early.cert);
  Write(files_.key, early.key);
  EXPECT_THAT(Look(), ElementsAre(HasSubstr("is not valid before ")));
  EXPECT_EQ(current(), first_.cert);
  now_ += absl::Seconds(700);
  EXPECT_THAT(Look(), ElementsAre(""));
  EXPECT_EQ(current(), early.cert);
  now_ += absl::Hours(10);
  EXPECT_THAT(Look(), IsEmpty());  // expired while in use
}

TEST_F(CertificatesTest, AKeyThatOpensslRefusesIsNamed) {
  const CertificatePair weak = MakeCertificate({.rsa_bits = 512});
  Write(files_.cert, weak.cert);
  Write(files_.key, weak.key);
  EXPECT_THAT(ReadTlsFiles(files_).status().message(),
              HasSubstr("OpenSSL refuses it: ee key too small"));
}

TEST_F(CertificatesTest, WhoAsksIsToldWithoutAChangeToo) {
  Load();
  EXPECT_THAT(Look(), IsEmpty());
  certificates_->Look(/*is_asked=*/true);
  EXPECT_THAT(told_, ElementsAre(""));
}

}  // namespace
}  // namespace sheaf
