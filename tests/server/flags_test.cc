// SPDX-License-Identifier: Apache-2.0

#include "server/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/flag_parser.h"

namespace sheaf {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

// Returns the options that the flags give, if form and values are right.
absl::StatusOr<ProgramOptions> Flags(const std::vector<std::string>& args) {
  absl::FlagSaver restore;
  if (absl::Status status = ParseOnlyFlags(args); !status.ok()) return status;
  return OptionsFromFlags();
}

std::string ErrorOf(const std::vector<std::string>& args) {
  const absl::StatusOr<ProgramOptions> flags = Flags(args);
  EXPECT_EQ(flags.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(flags.status().message());
}

TEST(ServerFlagsTest, TheDefaultsAreRight) {
  const absl::StatusOr<ProgramOptions> flags = Flags({});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->server.listen.ToString(), "127.0.0.1:50051");
  EXPECT_EQ(flags->server.metrics_listen.ToString(), "127.0.0.1:9464");
  EXPECT_FALSE(flags->server.http_listen.has_value());
  EXPECT_TRUE(flags->server.http_cors_origins.is_empty());
  EXPECT_EQ(flags->kv_cache_bytes, int64_t{1} << 30);
  EXPECT_EQ(flags->weight_type, "f32");
  EXPECT_GE(flags->num_threads, 1);
  EXPECT_EQ(flags->server.default_deadline, absl::Minutes(10));
  EXPECT_EQ(flags->server.max_connections_per_address, 1024);
  EXPECT_EQ(flags->server.max_connection_idle, absl::Minutes(5));
  EXPECT_FALSE(flags->server.is_behind_proxy);
}

TEST(ServerFlagsTest, GlossariesOfCallersNeedHttp) {
  EXPECT_THAT(ErrorOf({"--http_glossaries=/a"}),
              HasSubstr("--http_glossaries is \"/a\" without --http_listen"));
  EXPECT_EQ(Flags({"--http_glossaries=/a", "--http_listen=127.0.0.1:0"})
                ->server.http_glossaries,
            "/a");
}

TEST(ServerFlagsTest, AModelsNameIsShortPrintableUtf8) {
  const absl::StatusOr<ProgramOptions> flags =
      Flags({"--model_name=acme/tiny"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->model_name, "acme/tiny");
  EXPECT_THAT(ErrorOf({"--model_name=a\nb"}),
              HasSubstr("--model_name is \"a\\nb\"; allowed is a name of 1 to "
                        "255 bytes"));
}

TEST(ServerFlagsTest, LanguagesArePairsAndReplaceATasksFile) {
  const absl::StatusOr<ProgramOptions> flags =
      Flags({"--languages=en-de,en-pt_BR"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  ASSERT_EQ(flags->languages.size(), 2u);
  EXPECT_EQ(flags->languages[1].target.ToString(), "pt-BR");
  EXPECT_THAT(ErrorOf({"--languages=en-klingon"}),
              HasSubstr("--languages has \"en-klingon\"; allowed are pairs"));
  EXPECT_THAT(ErrorOf({"--languages=en-de", "--tasks=t.json"}),
              HasSubstr("--languages is \"en-de\" and --tasks \"t.json\"; "
                        "allowed is one of them"));
}

TEST(ServerFlagsTest, ValuesFollowAnEqualsSignOrASpace) {
  const absl::StatusOr<ProgramOptions> flags =
      Flags({"--kv_cache_bytes=512MiB", "--max_queue", "7", "--isa=avx2",
             "--noallow_insecure", "--listen=[::1]:0"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->kv_cache_bytes, int64_t{512} << 20);
  EXPECT_EQ(flags->server.max_queue, 7);
  EXPECT_EQ(flags->isa, "avx2");
  EXPECT_EQ(flags->server.listen.ToString(), "[::1]:0");
}

TEST(ServerFlagsTest, AFlagFileHasOneFlagPerLine) {
  const std::string path = testing::TempDir() + "/server_flags_test.flags";
  std::ofstream(path) << "# limits\n\n--max_queue=9\n  --threads=3\n";
  const absl::StatusOr<ProgramOptions> flags = Flags({"--flagfile=" + path});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->server.max_queue, 9);
  EXPECT_EQ(flags->num_threads, 3);
  std::ofstream(path) << "--max_queue \"8\" # few\n--noreflection\n";
  const absl::StatusOr<ProgramOptions> quoted = Flags({"--flagfile=" + path});
  ASSERT_TRUE(quoted.ok()) << quoted.status();
  EXPECT_EQ(quoted->server.max_queue, 8);
  EXPECT_FALSE(quoted->server.has_reflection);
  std::ofstream(path) << "--reflection\n\n--max_queue=\"8\n";
  EXPECT_THAT(ErrorOf({"--flagfile=" + path}), HasSubstr(path + ":3: "));
  std::ofstream(path) << "--max_queue\n";
  EXPECT_THAT(ErrorOf({"--flagfile=" + path}),
              HasSubstr(path + ":1: --max_queue needs a value"));
  std::ofstream(path) << "--flagfile=" << path << "\n";
  EXPECT_THAT(ErrorOf({"--flagfile=" + path}), HasSubstr("--flagfile"));
}

TEST(ServerFlagsTest, AnErrorNamesTheFlagAndWhatIsAllowed) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"--max_queue=0", {"--max_queue is 0", "1..1000000"}},
      {"--max_queue=many", {"--max_queue", "many"}},
      {"--max_sequences=-1", {"--max_sequences is -1", "1..4096"}},
      {"--kv_cache_bytes=1GB", {"--kv_cache_bytes", "1GB", "1GiB"}},
      {"--kv_cache_bytes=9999999999GiB", {"--kv_cache_bytes"}},
      {"--kv_cache_bytes=0", {"--kv_cache_bytes is 0"}},
      {"--weight_type=f64",
       {"--weight_type", "f64", "auto|f32|bf16|int8|int4"}},
      {"--kv_type=int8", {"--kv_type", "int8", "f32|bf16"}},
      {"--isa=sse", {"--isa", "auto|portable|avx2|avx512|amx"}},
      {"--threads=257", {"--threads is 257", "0..256"}},
      {"--default_deadline=0s", {"--default_deadline"}},
      {"--max_connection_idle=999ms",
       {"--max_connection_idle is 999ms", "1s to 24h"}},
      {"--max_connection_idle=inf", {"--max_connection_idle is inf"}},
      {"--default_deadline=10", {"--default_deadline", "10"}},
      {"--default_deadline=inf", {"--default_deadline is inf"}},
      {"--listen=localhost", {"--listen", "HOST:PORT"}},
      {"--listen=127.0.0.1:70000", {"--listen", "0..65535"}},
      {"--listen=::1:80", {"--listen", "HOST:PORT"}},
      {"--no_such_flag=1", {"there is no flag --no_such_flag"}},
      {"translate", {"unexpected argument \"translate\""}},
      {"--max_queue", {"--max_queue needs a value"}},
      {"--flagfile=/no/such/file", {"/no/such/file", "cannot be read"}},
      {"--flagfile=/", {"--flagfile is \"/\"", "cannot be read"}},
  };
  for (const auto& [arg, parts] : cases) {
    const std::string complaint = ErrorOf({arg});
    for (const std::string& part : parts) {
      EXPECT_THAT(complaint, HasSubstr(part)) << arg;
    }
  }
}

TEST(ServerFlagsTest, AUnixSocketIsAPathThatFits) {
  for (const std::string path : {"/run/sheaf.sock", "a b", "::1"}) {
    const absl::StatusOr<ProgramOptions> flags =
        Flags({"--listen=unix:" + path});
    ASSERT_TRUE(flags.ok()) << flags.status();
    EXPECT_EQ(flags->server.listen.path, path);
    EXPECT_EQ(flags->server.listen.ToString(), "unix:" + path);
  }
  EXPECT_TRUE(Flags({"--listen=unix:" + std::string(107, 'x')}).ok());
  for (const std::string& path : {std::string(), std::string(108, 'x'),
                                  std::string("a,b"), std::string("a\0b", 3)}) {
    EXPECT_THAT(ErrorOf({"--listen=unix:" + path}), HasSubstr("1..107"));
  }
  EXPECT_THAT(ErrorOf({"--metrics_listen=unix:/run/metrics.sock"}),
              HasSubstr("--metrics_listen is \"unix:/run/metrics.sock\""));
}

const std::string kOpenAddresses[] = {"0.0.0.0:1", "[::]:1", "192.168.1.7:1",
                                      "example.org:1"};

TEST(ServerFlagsTest, RpcsThatOthersReachNeedCertificatesOrAProxy) {
  const std::string cert = "--tls_cert=a", key = "--tls_key=b",
                    authority = "--tls_client_ca=c";
  for (const std::string& address : kOpenAddresses) {
    const std::string listen = "--listen=" + address;
    const auto is_told =
        AllOf(HasSubstr("--listen is \"" + address + "\""),
              HasSubstr("--tls_client_ca with --tls_cert and --tls_key"),
              HasSubstr("--behind_proxy"), HasSubstr("docs/SECURITY.md"));
    EXPECT_THAT(ErrorOf({listen}), is_told);
    EXPECT_THAT(ErrorOf({listen, "--allow_insecure"}), is_told);
    EXPECT_THAT(ErrorOf({listen, cert, key}), is_told);
    EXPECT_TRUE(Flags({listen, cert, key, authority}).ok());
    EXPECT_TRUE(Flags({listen, cert, key, "--behind_proxy"}).ok());
    EXPECT_TRUE(Flags({listen, "--behind_proxy"})->server.is_behind_proxy);
  }
}

TEST(ServerFlagsTest, MetricsThatOthersReachNeedAllowInsecure) {
  for (const std::string& address : kOpenAddresses) {
    const std::string listen = "--metrics_listen=" + address;
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{listen}, {listen, "--behind_proxy"}}) {
      EXPECT_THAT(ErrorOf(args), AllOf(HasSubstr("--metrics_listen is"),
                                       HasSubstr("--allow_insecure")));
    }
    EXPECT_TRUE(Flags({listen, "--allow_insecure"}).ok());
  }
}

TEST(ServerFlagsTest, HttpThatOthersReachNeedsEncryptionOrAnExcuse) {
  for (const std::string& address : kOpenAddresses) {
    const std::string listen = "--http_listen=" + address;
    EXPECT_THAT(ErrorOf({listen}),
                AllOf(HasSubstr("--http_listen is \"" + address + "\""),
                      HasSubstr("--tls_cert with --tls_key")));
    EXPECT_TRUE(Flags({listen, "--tls_cert=a", "--tls_key=b"}).ok());
    EXPECT_TRUE(Flags({listen, "--behind_proxy"}).ok());
    EXPECT_TRUE(Flags({listen, "--allow_insecure"}).ok());
  }
  EXPECT_EQ(Flags({"--http_listen=unix:/run/http.sock"})
                ->server.http_listen->ToString(),
            "unix:/run/http.sock");
}

TEST(ServerFlagsTest, OriginsAreAListOrAll) {
  EXPECT_TRUE(
      Flags({"--http_cors_origin=*"})->server.http_cors_origins.is_any());
  const auto flags =
      Flags({"--http_cors_origin=https://a.example, http://[::1]:8080"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  const CorsOrigins& origins = flags->server.http_cors_origins;
  EXPECT_TRUE(origins.Includes("https://a.example"));
  EXPECT_TRUE(origins.Includes("http://[::1]:8080"));
  EXPECT_FALSE(origins.Includes("https://b.example"));
  EXPECT_FALSE(origins.Includes("http://a.example"));
  for (const std::string list :
       {"a.example", "https://", "https://a.example/", "ftp://a", "*,https://a",
        "https://a.example,", "null"}) {
    EXPECT_THAT(ErrorOf({"--http_cors_origin=" + list}),
                HasSubstr("--http_cors_origin has"))
        << list;
  }
}

TEST(ServerFlagsTest, LoopbackNeedsNothing) {
  for (const std::string flag :
       {"--listen", "--metrics_listen", "--http_listen"}) {
    for (const std::string address :
         {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"}) {
      EXPECT_TRUE(Flags({flag + "=" + address}).ok()) << address;
    }
  }
}

TEST(ServerFlagsTest, TrustedProxiesAreAddressesNetworksAndUnix) {
  EXPECT_TRUE(Flags({})->server.trusted_proxies.is_empty());
  const absl::StatusOr<ProgramOptions> flags =
      Flags({"--trusted_proxies=192.0.2.1,10.0.0.0/8,unix"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_TRUE(flags->server.trusted_proxies.IncludesPeer("unix"));
  EXPECT_THAT(ErrorOf({"--trusted_proxies=192.0.2.1,nginx"}),
              HasSubstr("--trusted_proxies has \"nginx\""));
}

TEST(ServerFlagsTest, ByteSizesComeBackAsTheyWere) {
  for (const std::string text : {"1GiB", "512MiB", "64KiB", "1000000", "0"}) {
    ByteSize size;
    std::string error;
    ASSERT_TRUE(AbslParseFlag(text, &size, &error)) << error;
    EXPECT_EQ(AbslUnparseFlag(size), text);
  }
}

TEST(ServerFlagsTest, EachNumberIsCheckedAgainstItsOwnRange) {
  const std::pair<std::string, std::string> kCases[] = {
      {"kv_cache_bytes", "65536..1099511627776"},
      {"max_sequences", "1..4096"},
      {"max_queue", "1..1000000"},
      {"max_queued_bytes", "1048576..1099511627776"},
      {"max_source_tokens", "0..65536"},
      {"max_new_tokens", "1..65536"},
      {"max_text_bytes", "1..1073741824"},
      {"max_requests_per_caller", "0..1000000"},
      {"max_streams_per_connection", "1..1000000"},
      {"max_connections", "1..1000000"},
      {"max_connections_per_address", "1..1000000"},
      {"max_metadata_bytes", "1024..1048576"},
      {"transport_bytes", "16777216..1099511627776"},
  };
  for (const auto& [flag, range] : kCases) {
    const size_t dots = range.find("..");
    const std::string min = range.substr(0, dots);
    const std::string max = range.substr(dots + 2);
    const int64_t above = std::stoll(max) + 1;
    const std::string too_large = absl::StrCat("--", flag, "=", above);
    if (above <= std::numeric_limits<int32_t>::max() ||
        absl::EndsWith(flag, "bytes")) {
      EXPECT_THAT(ErrorOf({too_large}),
                  HasSubstr(absl::StrCat("--", flag, " is ", above,
                                         "; allowed is ", range)));
    }
    EXPECT_TRUE(Flags({absl::StrCat("--", flag, "=", min)}).ok()) << flag;
    EXPECT_TRUE(Flags({absl::StrCat("--", flag, "=", max)}).ok()) << flag;
  }
}

TEST(ServerFlagsTest, ABeamSearchFitsInAStep) {
  EXPECT_EQ(Flags({"--max_sequences=3"})->server.limits.max_beam_size, 3);
  EXPECT_EQ(Flags({"--max_sequences=64"})->server.limits.max_beam_size,
            kMaxBeamSize);
}

TEST(ServerFlagsTest, TheValuesAreTheServersOwnAsGiven) {
  absl::FlagSaver restore;
  ASSERT_TRUE(ParseOnlyFlags({"--kv_cache_bytes=64MiB"}).ok());
  const auto values = FlagValues();
  EXPECT_THAT(values, Contains(Pair("kv_cache_bytes", "64MiB")));
  EXPECT_THAT(values, Contains(Pair("listen", "127.0.0.1:50051")));
  EXPECT_THAT(values, Not(Contains(Pair("flagfile", _))));
}

}  // namespace
}  // namespace sheaf
