// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/flag_parser.h"
#include "base/usage_error.h"
#include "client/flags.h"
#include "client/help.h"
#include "client/line_io.h"
#include "client/line_pipeline.h"
#include "client/load.h"
#include "client/progress.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A pipe whose writing end the test holds.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(fds_, O_CLOEXEC), 0); }
  ~Pipe() {
    close(fds_[0]);
    Close();
  }
  int reading_fd() const { return fds_[0]; }
  void Write(const std::string& text) {
    EXPECT_EQ(write(fds_[1], text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  void Close() {
    if (fds_[1] >= 0) close(fds_[1]);
    fds_[1] = -1;
  }

 private:
  int fds_[2];
};

std::vector<std::string> ReadAll(LineReader& reader) {
  std::vector<std::string> lines;
  while (auto line = *reader.Next()) lines.push_back(*line);
  return lines;
}

TEST(LineReaderTest, LineEndsAreLfOrCrlfAndTheLastMayLackIts) {
  Pipe pipe;
  pipe.Write("a\r\n\nb\rc\nlast");
  pipe.Close();
  LineReader reader(pipe.reading_fd(), "pipe");
  EXPECT_THAT(ReadAll(reader), ElementsAre("a", "", "b\rc", "last"));
}

TEST(LineReaderTest, LinesLongerThanABufferAreWhole) {
  Pipe pipe;
  const std::string line(100'000, 'x');
  std::thread writer([&] {
    for (int i = 0; i < 3; ++i) pipe.Write(line + "\n");
    pipe.Close();
  });
  LineReader reader(pipe.reading_fd(), "pipe");
  EXPECT_THAT(ReadAll(reader), ElementsAre(line, line, line));
  writer.join();
}

TEST(LineReaderTest, InterruptEndsAWaitingRead) {
  Pipe pipe;
  pipe.Write("whole\npart");
  LineReader reader(pipe.reading_fd(), "pipe");
  EXPECT_EQ(**reader.Next(), "whole");
  std::thread interrupter([&] { reader.Interrupt(); });
  EXPECT_FALSE(reader.Next()->has_value());
  interrupter.join();
}

TEST(LineReaderTest, AnErrorNamesTheFile) {
  auto reader = LineReader::Open("/");
  ASSERT_TRUE(reader.ok());
  EXPECT_THAT((*reader)->Next().status().message(), HasSubstr("reading /"));
}

TEST(MapLinesTest, LinesComeOutInOrderWhateverTheirTime) {
  constexpr int kLines = 200;
  Pipe pipe;
  for (int i = 0; i < kLines; ++i) pipe.Write(absl::StrCat(i, "\n"));
  pipe.Close();
  LineReader reader(pipe.reading_fd(), "pipe");
  std::string out;
  int64_t last_written = 0;
  const absl::Status status = MapLines(
      reader, {.concurrency = 4},
      [](const std::string& line, int64_t) -> absl::StatusOr<std::string> {
        for (int i = std::stoi(line) % 7; i > 0; --i) std::this_thread::yield();
        return line + "\n!";
      },
      [&](absl::string_view lines, int64_t written) {
        absl::StrAppend(&out, lines);
        last_written = written;
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  std::string expected;
  for (int i = 0; i < kLines; ++i) absl::StrAppend(&expected, i, " !\n");
  EXPECT_EQ(out, expected);
  EXPECT_EQ(last_written, kLines);
}

TEST(MapLinesTest, AnAnswerDoesNotWaitForTheNextLine) {
  Pipe pipe;
  LineReader reader(pipe.reading_fd(), "pipe");
  absl::Notification first_written;
  std::thread user([&] {
    pipe.Write("first\n");
    first_written.WaitForNotification();
    pipe.Close();
  });
  EXPECT_TRUE(MapLines(
                  reader, {.concurrency = 2},
                  [](const std::string& line, int64_t) { return line; },
                  [&](absl::string_view, int64_t) {
                    first_written.Notify();
                    return absl::OkStatus();
                  })
                  .ok());
  user.join();
}

TEST(MapLinesTest, AnErrorEndsTheWorkThoughTheInputStaysOpen) {
  Pipe pipe;
  pipe.Write("a\nb\nbad\n");
  LineReader reader(pipe.reading_fd(), "pipe");
  absl::Notification bad_begun, last_seen;
  std::thread user([&] {
    bad_begun.WaitForNotification();
    pipe.Write("c\nlast\n");
  });
  std::string out;
  const absl::Status status = MapLines(
      reader, {.concurrency = 3, .first_line = 10},
      [&](const std::string& line, int64_t) -> absl::StatusOr<std::string> {
        if (line == "last") last_seen.Notify();
        if (line != "bad") return line;
        bad_begun.Notify();
        last_seen.WaitForNotification();  // Now the others wait for a line.
        return absl::InternalError("broken");
      },
      [&](absl::string_view lines, int64_t) {
        absl::StrAppend(&out, lines);
        return absl::OkStatus();
      });
  user.join();
  EXPECT_EQ(status, absl::InternalError("line 13: broken"));
  EXPECT_EQ(out, "a\nb\n");
}

TEST(MapLinesTest, AWriteErrorEndsTheWork) {
  Pipe pipe;
  pipe.Write("a\nb\n");
  LineReader reader(pipe.reading_fd(), "pipe");
  EXPECT_EQ(MapLines(
                reader, {.concurrency = 2},
                [](const std::string& line, int64_t) { return line; },
                [](absl::string_view, int64_t) {
                  return absl::DataLossError("disk");
                }),
            absl::DataLossError("disk"));
}

TEST(ProgressTest, SpeedAndTimeLeftCountOnlyThisRunsLines) {
  const Progress::Clock::time_point start(std::chrono::seconds(1000));
  const Progress progress(/*total=*/100, /*done_at_start=*/40, start);
  EXPECT_EQ(progress.Render(50, start + std::chrono::seconds(5)),
            "[============>           ]  50/100 lines  2.0 lines/s  "
            "0:00:25 left");
  EXPECT_THAT(progress.Render(40, start), HasSubstr("40/100 lines  0.0"));
}

TEST(FlagParserTest, AFlagFileMayHaveFlagsBlankLinesAndComments) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/flags");
  FILE* file = fopen(path.c_str(), "w");
  fputs("# for the test\n\n--rate=2.5\n  -overwrite  \n--stop=a, b\n", file);
  fclose(file);
  const auto parsed = ParseFlags(
      {"--flagfile", path, "x", "--stop=\n\\", "--nooverwrite", "--", "--y"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->positional, ElementsAre("x", "--y"));
  EXPECT_THAT(parsed->given, ElementsAre("flagfile", "stop", "overwrite"));
  EXPECT_EQ(absl::GetFlag(FLAGS_rate), 2.5);
  EXPECT_FALSE(absl::GetFlag(FLAGS_overwrite));
  RepeatedString stop;
  std::string error;
  ASSERT_TRUE(AbslParseFlag(absl::FindCommandLineFlag("stop")->CurrentValue(),
                            &stop, &error));
  EXPECT_THAT(stop.values, ElementsAre("a, b", "\n\\"));
}

TEST(FlagParserTest, AFlagfileMayNameAnotherAndErrorsNameTheLine) {
  const std::string inner = absl::StrCat(::testing::TempDir(), "/inner");
  const std::string outer = absl::StrCat(::testing::TempDir(), "/outer");
  std::ofstream(inner) << "--rate \"4\" # a second\n";
  std::ofstream(outer) << "--flagfile=" << inner << "\n";
  const absl::Status status = ParseFlags({"--flagfile=" + outer}).status();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(absl::GetFlag(FLAGS_rate), 4);
  for (const std::string wrong : {"--rate", "--rate=\"4", "--colour=red"}) {
    std::ofstream(inner) << "\n" << wrong << "\n";
    EXPECT_THAT(ParseFlags({"--flagfile=" + outer}).status().message(),
                HasSubstr(inner + ":2: "));
  }
  std::ofstream(inner) << "--flagfile=" << inner << "\n";
  EXPECT_THAT(ParseFlags({"--flagfile=" + inner}).status().message(),
              HasSubstr("within one another"));
}

TEST(FlagParserTest, WhatIsWrongIsNamed) {
  const auto message = [](const std::vector<std::string>& arguments) {
    const absl::Status status = ParseFlags(arguments).status();
    EXPECT_TRUE(IsUsageError(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(message({"--colour=red"}), HasSubstr("no flag --colour"));
  EXPECT_THAT(message({"--beam_size=x"}), HasSubstr("--beam_size is \"x\""));
  EXPECT_THAT(message({"--ids=1,,2"}), HasSubstr("\"\" is not a token id"));
  EXPECT_THAT(message({"--beam_size"}), HasSubstr("needs a value"));
  EXPECT_THAT(message({"--norate"}), HasSubstr("no flag --norate"));
  EXPECT_THAT(message({"--flagfile=/no/such"}), HasSubstr("/no/such"));
}

TEST(HelpTest, EverySubcommandTellsItsFlags) {
  for (const std::string command :
       {"translate", "summarize", "generate", "models", "load"}) {
    EXPECT_THAT(ProgramHelp(), HasSubstr("sheaf " + command));
    EXPECT_THAT(*CommandHelp(command), HasSubstr("--server"));
  }
  EXPECT_TRUE(IsUsageError(CommandHelp("sing").status()));
}

TEST(LoadTest, RequestsStartWhateverHasBecomeOfThoseBefore) {
  // None is answered before the last has started.
  std::vector<std::pair<std::function<void()>, Client::OnDone>> waiting;
  int64_t num_started = 0;
  const LoadOptions options{.rate = 2000, .seconds = 0.05, .seed = 3};
  int64_t expected = 0;
  // The same seed plans the same number of requests.
  RunLoad(options,
          [&](int64_t index, std::function<void()>, Client::OnDone on_done) {
            expected = index + 1;
            on_done(StreamEnd{});
          });
  ASSERT_GT(expected, 10);
  const LoadReport report = RunLoad(
      options,
      [&](int64_t, std::function<void()> on_output, Client::OnDone on_done) {
        waiting.emplace_back(std::move(on_output), std::move(on_done));
        if (++num_started < expected) return;
        StreamEnd end;
        end.usage.set_output_tokens(2);
        for (size_t i = 0; i < waiting.size(); ++i) {
          waiting[i].first();
          waiting[i].first();
          if (i == 0) {
            waiting[i].second(absl::UnavailableError("gone"));
          } else {
            waiting[i].second(end);
          }
        }
      });
  const auto json = nlohmann::json::parse(report.json);
  EXPECT_EQ(json["requests"], expected);
  EXPECT_EQ(json["ok"], expected - 1);
  EXPECT_EQ(json["errors"]["UNAVAILABLE"], 1);
  EXPECT_EQ(json["output_tokens"], 2 * (expected - 1));
  EXPECT_GT(json["tokens_per_second"], 0);
  EXPECT_EQ(report.num_ok, expected - 1);
  EXPECT_EQ(report.first_error, absl::UnavailableError("gone"));
  // Early ones waited for the last: counted from their planned start.
  EXPECT_GT(json["ttft_seconds"]["p90"], json["ttft_seconds"]["p50"]);
  EXPECT_GE(json["e2e_seconds"]["p50"], json["ttft_seconds"]["p50"]);
  EXPECT_LT(json["itl_seconds"]["p50"], json["ttft_seconds"]["p90"]);
}

TEST(LoadTest, ALateStartIsInTheLatenciesAndReported) {
  const LoadOptions options{.rate = 2000, .seconds = 0.05};
  const auto begin = std::chrono::steady_clock::now();
  const LoadReport report =
      RunLoad(options, [&](int64_t index, std::function<void()> on_output,
                           Client::OnDone on_done) {
        // The first holds up all that were to start in these 50 ms.
        while (index == 0 && std::chrono::steady_clock::now() <
                                 begin + std::chrono::milliseconds(50)) {
        }
        on_output();
        on_done(StreamEnd{});
      });
  const auto json = nlohmann::json::parse(report.json);
  EXPECT_GT(json["ttft_seconds"]["p50"], 0.005);
  EXPECT_GT(json["e2e_seconds"]["p50"], 0.005);
  EXPECT_GT(json["max_start_delay_seconds"], 0.02);
}

TEST(LoadTest, ClientsKeepTheirNumberOfRequestsInProgress) {
  constexpr size_t kClients = 3;
  absl::Mutex mutex;
  std::vector<Client::OnDone> in_progress;
  size_t most = 0;
  bool is_over = false;
  // Ends one request when all clients wait, and those that are left at the end.
  const auto end_time =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  std::thread server([&] {
    absl::MutexLock lock(&mutex);
    while (!mutex.AwaitWithTimeout(absl::Condition(&is_over),
                                   absl::Milliseconds(1))) {
      const bool is_late = std::chrono::steady_clock::now() > end_time;
      if (in_progress.size() < (is_late ? 1 : kClients)) continue;
      in_progress.back()(StreamEnd{});
      in_progress.pop_back();
    }
  });
  const LoadReport report = RunLoad(
      {.num_clients = kClients, .seconds = 0.02},
      [&](int64_t, const std::function<void()>&, Client::OnDone on_done) {
        absl::MutexLock lock(&mutex);
        in_progress.push_back(std::move(on_done));
        most = std::max(most, in_progress.size());
      });
  {
    absl::MutexLock lock(&mutex);
    is_over = true;
  }
  server.join();
  EXPECT_LE(most, kClients);
  EXPECT_GE(report.num_ok, 1);
  EXPECT_EQ(nlohmann::json::parse(report.json)["requests"], report.num_ok);
}

TEST(LoadTest, WithoutAnAnswerPercentilesAreNull) {
  const LoadReport report =
      RunLoad({.rate = 1000, .seconds = 0.01},
              [](int64_t, std::function<void()>, Client::OnDone on_done) {
                on_done(absl::UnavailableError("gone"));
              });
  EXPECT_EQ(report.num_ok, 0);
  EXPECT_TRUE(
      nlohmann::json::parse(report.json)["e2e_seconds"]["p99"].is_null());
}

}  // namespace
}  // namespace sheaf
