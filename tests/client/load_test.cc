// SPDX-License-Identifier: Apache-2.0

// Runs `sheaf load` against both fronts of a server with a fake model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/server/http/http_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificates.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::json;

struct Result {
  int exit_code = -1;
  std::string text;  // of both streams
  Json report;       // the first line; discarded if it is no JSON
};

Result RunLoad(const std::string& arguments) {
  FILE* pipe = popen(
      absl::StrCat(SHEAF_PROGRAM, " load ", arguments, " 2>&1").c_str(), "r");
  Result result;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    result.text.append(buffer, n);
  }
  const int status = pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.report = Json::parse(result.text.substr(0, result.text.find('\n')),
                              nullptr, /*allow_exceptions=*/false);
  return result;
}

class LoadTest : public HttpServerTest {
 protected:
  std::string OverHttp() {
    return absl::StrCat(" --http --server=127.0.0.1:", port());
  }
  std::string OverGrpc() {
    return absl::StrCat(" --server=", harness_->server->listen().ToString());
  }
};

TEST_F(LoadTest, BothFrontsGetTheSameRequestsAndGiveTheSameTokens) {
  Start();
  for (const std::string task :
       {"translate --from=en --to=de --text=HELLO", "summarize --text=HELLO",
        "generate --source_tokens=4 --source_vocab_size=90"}) {
    for (const std::string form : {"", " --whole"}) {
      const std::string run = absl::StrCat(
          "--rate=200 --seconds=0.1 --seed=7 --max_new_tokens=6 --task=", task,
          form);
      const Result grpc = RunLoad(run + OverGrpc());
      const Result http = RunLoad(run + OverHttp());
      ASSERT_TRUE(grpc.report.is_object()) << run << ": " << grpc.text;
      ASSERT_TRUE(http.report.is_object()) << run << ": " << http.text;
      EXPECT_GT(grpc.report["ok"], 0) << run;
      EXPECT_GT(grpc.report["output_tokens"], 0) << run;
      for (const char* field : {"requests", "ok", "errors", "output_tokens"}) {
        EXPECT_EQ(http.report[field], grpc.report[field]) << run << field;
      }
      for (const Result& each : {grpc, http}) {
        EXPECT_GT(each.report["requests_per_second"], 0) << run;
        EXPECT_GT(each.report["ttft_seconds"]["p99"], 0) << run;
      }
    }
  }
}

TEST_F(LoadTest, ClientsSendOneRequestAfterAnother) {
  Start();
  for (const std::string& server : {OverGrpc(), OverHttp()}) {
    const Result result = RunLoad(
        "--clients=3 --seconds=0.2 --text=HELLO --max_new_tokens=2" + server);
    ASSERT_TRUE(result.report.is_object()) << result.text;
    EXPECT_EQ(result.report["clients"], 3);
    EXPECT_FALSE(result.report.contains("rate"));
    EXPECT_GE(result.report["ok"], 1);
    EXPECT_EQ(result.report["ok"], result.report["requests"]);
  }
  // No more connections than clients.
  EXPECT_LE(harness_->Gauge("num_http_connections"), 3);
}

TEST_F(LoadTest, ErrorsAreCountedByTheirCodes) {
  Start();
  for (const std::string form : {"", " --whole"}) {
    const Result result =
        RunLoad("--clients=1 --seconds=0.01 --to=xx" + form + OverHttp());
    EXPECT_EQ(result.exit_code, 1);
    ASSERT_TRUE(result.report.is_object()) << result.text;
    EXPECT_EQ(result.report["errors"]["INVALID_ARGUMENT"],
              result.report["requests"])
        << result.text;
  }
}

TEST_F(LoadTest, TokensAndCertificatesAreThoseOfTheFlags) {
  const TempDir dir;
  const CertificatePair pair = MakeCertificate({.name = "sheaf.test"});
  const std::string cert = dir.Write("cert.pem", pair.cert);
  const std::string key = dir.Write("key.pem", pair.key);
  const std::string tokens = dir.Write(
      "tokens",
      "a 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n");
  const std::string token = dir.Write("token", "secret\n");
  Start([&](ServerOptions& options) {
    options.auth_tokens_file = tokens;
    options.tls.cert = cert;
    options.tls.key = key;
  });
  const std::string run =
      absl::StrCat("--clients=1 --seconds=0.01", OverHttp());
  const std::string trust =
      absl::StrCat(" --tls_ca=", cert, " --tls_server_name=sheaf.test");
  const Result fine =
      RunLoad(absl::StrCat(run, trust, " --token_file=", token));
  EXPECT_EQ(fine.exit_code, 0) << fine.text;
  EXPECT_THAT(RunLoad(run + trust).text, HasSubstr("{\"UNAUTHENTICATED\":"));
  EXPECT_THAT(RunLoad(absl::StrCat(run, " --tls_ca=", cert)).text,
              HasSubstr("UNAVAILABLE: TLS: "));
  EXPECT_EQ(RunLoad(run).exit_code, 1);
}

TEST(LoadFlagsTest, FlagsThatContradictEachOtherAreRefused) {
  for (const std::string arguments :
       {"--rate=1 --clients=2", "--clients=0", "--clients=10001",
        "--http --server=a:1,b:2", "--http --max_attempts=2"}) {
    const Result result = RunLoad(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_THAT(result.text, StartsWith("sheaf: INVALID_ARGUMENT: "));
  }
}

}  // namespace
}  // namespace sheaf
