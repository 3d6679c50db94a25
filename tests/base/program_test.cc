// SPDX-License-Identifier: Apache-2.0

#include "base/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "base/version.h"

ABSL_FLAG(int32_t, colour, 7, "A number that stands for a colour.");

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

const ProgramInfo kProgram = {"a-program", "Paints.\n",
                              "tests/base/program_test.cc"};

struct Ended {
  std::optional<ExitCode> code;
  std::string out, error;
};

Ended Read(const std::vector<std::string>& arguments) {
  absl::FlagSaver restore;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ended ended;
  ended.code = ReadCommandLine(kProgram, arguments);
  ended.out = testing::internal::GetCapturedStdout();
  ended.error = testing::internal::GetCapturedStderr();
  return ended;
}

TEST(ProgramTest, FlagsLetTheProgramGoOn) {
  EXPECT_EQ(Read({"--colour=3"}).code, std::nullopt);
}

TEST(ProgramTest, HelpListsTheProgramsFlagsAndTheCommonOnes) {
  const Ended ended = Read({"--help"});
  EXPECT_EQ(ended.code, kExitDone);
  EXPECT_THAT(
      ended.out,
      AllOf(StartsWith("Paints.\n"),
            HasSubstr("  --colour (7)\n      A number that stands for a "
                      "colour.\n"),
            HasSubstr("--flagfile"), HasSubstr("--help"),
            HasSubstr("--version")));
}

TEST(ProgramTest, VersionNamesVersionCommitAndCompiler) {
  const Ended ended = Read({"--version"});
  EXPECT_EQ(ended.code, kExitDone);
  EXPECT_THAT(
      ended.out,
      MatchesRegex("a-program [0-9.]+ \\(commit ([0-9a-f]{12}|unknown), "
                   "[A-Za-z]+ [0-9.]+\\)\n"));
  EXPECT_THAT(ended.out, HasSubstr(Version()));
}

TEST(ProgramTest, AWrongCommandLineIsOneLineAndExitCodeTwo) {
  const Ended unknown = Read({"--color=3"});
  EXPECT_EQ(unknown.code, kExitWrongFlags);
  EXPECT_EQ(unknown.error,
            "a-program: there is no flag --color; --help lists the flags\n");
  const Ended argument = Read({"red\nblue"});
  EXPECT_EQ(argument.code, kExitWrongFlags);
  EXPECT_EQ(argument.error,
            "a-program: unexpected argument \"red blue\"; this program accepts "
            "only flags\n");
  EXPECT_THAT(Read({"--colour=red"}).error, HasSubstr("--colour is \"red\""));
  EXPECT_THAT(Read({"--colour"}).error, HasSubstr("--colour needs a value"));
}

}  // namespace
}  // namespace sheaf
