// SPDX-License-Identifier: Apache-2.0

// `sheaf` and its options. Files: cli_files_test.cc.

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli_fixture.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::json;

TEST_F(SheafTest, TranslatesItsArguments) {
  const Result result =
      Run({"translate", "--from=en", "--to=de", "good", "morning"});
  EXPECT_EQ(result.out, "GOOD MORNING\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.exit_code, 0);
  const v1::TranslateRequest seen = server_.translate_requests()[0];
  EXPECT_EQ(seen.source_language(), "en");
  EXPECT_EQ(seen.target_language(), "de");
}

TEST_F(SheafTest, ALanguageThatTheServerDetectsIsInTheJson) {
  const Result result = Run({"translate", "--from=auto", "--to=de",
                             "--copy_target_language", "--json", "good"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(Json::parse(result.out)["detected_language"],
            Json({{"language", "en"}, {"confidence", 0.75}}));
  const v1::TranslateRequest seen = server_.translate_requests()[0];
  EXPECT_EQ(seen.source_language(), "auto");
  EXPECT_TRUE(seen.copy_target_language());
}

TEST_F(SheafTest, DetectsTheLanguageOfItsArgumentsOrOfEachLine) {
  Result result = Run({"detect", "de", "wie", "geht"});
  EXPECT_EQ(result.out, "de\t0.88\n");
  EXPECT_EQ(result.exit_code, 0);
  result = Run({"detect", "--to=fr"}, "de a\n\nen b\n");
  EXPECT_EQ(result.out, "de\t0.50\nund\t0.00\nen\t0.50\n");
  result = Run({"detect", "--json"}, "de a\n\n");
  EXPECT_EQ(result.out,
            "{\"languages\":[{\"language\":\"de\",\"confidence\":0.875}]}\n"
            "{\"languages\":[]}\n");
  result = Run({"detect"}, "de a\nfail\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("line 2: the queue is full"));
  EXPECT_EQ(Run({"detect", "--stream", "a"}).exit_code, 2);
}

TEST_F(SheafTest, FlagsMayComeBeforeTheSubcommandAndFromAFile) {
  WriteFile(Path("flags"), "--to=de\n--rate=5\n");
  const Result result = RunAsIs({"--server", server_.address(), "translate",
                                 "--flagfile=" + Path("flags"), "--", "--hi"});
  EXPECT_EQ(result.out, "--HI\n");
  EXPECT_EQ(result.exit_code, 0);
}

TEST_F(SheafTest, WithoutFlagsEveryOptionIsAbsent) {
  ASSERT_EQ(Run({"translate", "--to=de", "a"}).exit_code, 0);
  EXPECT_EQ(server_.translate_requests()[0].decoding().ByteSizeLong(), 0u);
}

TEST_F(SheafTest, EveryDecodingFlagReachesTheServer) {
  ASSERT_EQ(Run({"translate",
                 "--to=de",
                 "--max_new_tokens=9",
                 "--min_new_tokens=2",
                 "--beam_size=4",
                 "--num_hypotheses=3",
                 "--length_penalty=0.5",
                 "--noearly_stopping",
                 "--repetition_penalty=1.25",
                 "--no_repeat_ngram_size=3",
                 "--temperature=0",
                 "--top_k=40",
                 "--top_p=0.75",
                 "--seed=18446744073709551615",
                 "--stop=a, b",
                 "--stop=\\n",
                 "--target_prefix=5,6",
                 "--suppressed_tokens=7,8",
                 "--forced_bos_token_id=9",
                 "--forced_eos_token_id=-1",
                 "--noloop_guard",
                 "--model=fake",
                 "text"})
                .exit_code,
            0);
  const v1::TranslateRequest seen = server_.translate_requests()[0];
  EXPECT_EQ(seen.model(), "fake");
  const v1::DecodingOptions& options = seen.decoding();
  EXPECT_EQ(options.max_new_tokens(), 9);
  EXPECT_EQ(options.min_new_tokens(), 2);
  EXPECT_EQ(options.beam_size(), 4);
  EXPECT_EQ(options.num_hypotheses(), 3);
  EXPECT_EQ(options.length_penalty(), 0.5f);
  EXPECT_TRUE(options.has_early_stopping());
  EXPECT_FALSE(options.early_stopping());
  EXPECT_EQ(options.repetition_penalty(), 1.25f);
  EXPECT_EQ(options.no_repeat_ngram_size(), 3);
  EXPECT_TRUE(options.has_temperature());
  EXPECT_EQ(options.temperature(), 0);
  EXPECT_EQ(options.top_k(), 40);
  EXPECT_EQ(options.top_p(), 0.75f);
  EXPECT_EQ(options.seed(), 18446744073709551615u);
  EXPECT_THAT(options.stop(), ElementsAre("a, b", "\n"));
  EXPECT_THAT(options.target_prefix().ids(), ElementsAre(5, 6));
  EXPECT_THAT(options.suppressed_tokens(), ElementsAre(7, 8));
  EXPECT_EQ(options.forced_bos_token_id(), 9);
  EXPECT_EQ(options.forced_eos_token_id(), -1);
  EXPECT_TRUE(options.has_loop_guard());
  EXPECT_FALSE(options.loop_guard());
}

TEST_F(SheafTest, SeveralHypothesesAreScoreAndText) {
  EXPECT_EQ(Run({"translate", "--to=de", "--num_hypotheses=2", "one"}).out,
            "-0.5000\tONE0\n-1.5000\tONE1\n");
  // A line in is a line out.
  EXPECT_EQ(
      Run({"translate", "--to=de", "--num_hypotheses=2"}, "one\n\ntwo\n").out,
      "-0.5000\tONE0\t-1.5000\tONE1\n\n-0.5000\tTWO0\t-1.5000\tTWO1\n");
  const Result streamed =
      Run({"translate", "--to=de", "--stream", "--num_hypotheses=2", "one"});
  EXPECT_EQ(streamed.exit_code, 2);
  EXPECT_THAT(streamed.err, HasSubstr("--num_hypotheses is 2"));
}

TEST_F(SheafTest, EveryInputLineGivesOneOutputLine) {
  const Result result =
      Run({"translate", "--to=de"}, "one\r\n\n \t\ntwo\n\nlast");
  EXPECT_EQ(result.out, "ONE\n\n\nTWO\n\nLAST\n");
  EXPECT_EQ(server_.translate_requests().size(), 3u);  // None for a blank line.
}

TEST_F(SheafTest, WithLineBreaksAllLinesAreOneText) {
  EXPECT_EQ(Run({"translate", "--to=de", "--line_breaks=paragraphs"},
                "one\ntwo\n\nthree\n")
                .out,
            "ONE\nTWO\n\nTHREE\n");
  WriteFile(Path("in"), "four\nfive\n");
  EXPECT_EQ(Run({"translate", "--to=de", "--line_breaks=keep", "--stream",
                 "--input=" + Path("in")})
                .out,
            "FOUR\nFIVE\n");
  Run({"translate", "--to=de", "--line_breaks=automatic", "six"});
  const std::vector<v1::TranslateRequest> seen = server_.translate_requests();
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen.front().text(), "one\ntwo\n\nthree");
  EXPECT_EQ(seen.front().line_breaks(), v1::LINE_BREAKS_PARAGRAPHS);
  EXPECT_EQ(seen.back().line_breaks(), v1::LINE_BREAKS_UNSPECIFIED);
}

TEST_F(SheafTest, AnswersThatOvertakeEachOtherComeOutInOrder) {
  server_.ReverseGroupsOf(8);
  std::string in, expected;
  for (int i = 0; i < 64; ++i) {
    absl::StrAppend(&in, "line", i, i % 5 == 0 ? "\n\n" : "\n");
    absl::StrAppend(&expected, "LINE", i, i % 5 == 0 ? "\n\n" : "\n");
  }
  EXPECT_EQ(Run({"translate", "--to=de", "--concurrency=8"}, in).out, expected);
}

TEST_F(SheafTest, StreamsALineAtATime) {
  EXPECT_EQ(Run({"translate", "--to=de", "--stream"}, "one two\n\nthree").out,
            "ONE TWO\n\nTHREE\n");
  EXPECT_EQ(Run({"summarize", "--stream", "a", "b"}).out, "A B\n");
  EXPECT_EQ(Run({"generate", "--stream", "a"}).out, "A \n");
  EXPECT_EQ(Run({"generate", "--stream", "--ids=5,6"}).out, "6,7\n");
}

TEST_F(SheafTest, ACutAnswerIsToldOnStderr) {
  const std::vector<std::vector<std::string>> calls = {
      {"translate", "--to=de", "long text"},
      {"translate", "--to=de", "--stream", "long text"},
      {"summarize", "--stream", "long text"},
      {"summarize", "text"},  // the fake cuts all of these
      {"generate", "long text"},
      {"generate", "--stream", "long text"}};
  for (const std::vector<std::string>& call : calls) {
    const Result result = Run(call);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err,
              "sheaf: note: the answer was cut: it reached the maximum number "
              "of new tokens (LENGTH, --max_new_tokens)\n")
        << call[0] << call[1];
  }
  EXPECT_THAT(Run({"translate", "--to=de", "again and again"}).err,
              HasSubstr("it repeated itself (REPETITION"));
  EXPECT_EQ(Run({"translate", "--to=de", "--json", "long text"}).err, "");
  EXPECT_EQ(Run({"translate", "--to=de", "short"}).err, "");
}

TEST_F(SheafTest, OfManyLinesTheCutOnesAreCountedAndTheFirstIsNamed) {
  const std::string lines = "a\nlong\nb\nagain\nlong too\nlong three\n";
  const std::string expected =
      "sheaf: note: 3 answers were cut, the first for line 2: it reached the "
      "maximum number of new tokens (LENGTH, --max_new_tokens)\n"
      "sheaf: note: 1 answer was cut, the first for line 4: it repeated itself "
      "(REPETITION, --noloop_guard lets it)\n";
  EXPECT_EQ(Run({"translate", "--to=de"}, lines).err, expected);
  EXPECT_EQ(Run({"translate", "--to=de", "--stream"}, lines).err, expected);
  WriteFile(Path("in"), lines);
  WriteFile(Path("out"), "A\nLONG\n");  // done before
  EXPECT_THAT(Run({"translate", "--to=de", "--input=" + Path("in"),
                   "--output=" + Path("out")})
                  .err,
              StartsWith("sheaf: note: 2 answers were cut, the first for line "
                         "5:"));
}

TEST_F(SheafTest, JsonHasOneObjectALine) {
  const Result result =
      Run({"translate", "--to=de", "--json", "--num_hypotheses=2"},
          "say \"x\"\n\n");
  const std::vector<std::string> lines =
      absl::StrSplit(result.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 2u);
  const Json json = Json::parse(lines[0]);
  EXPECT_EQ(json["text"], "SAY \"X\"");
  EXPECT_EQ(json["finish_reason"], "EOS");
  EXPECT_EQ(json["usage"]["output_tokens"], 2);
  EXPECT_EQ(json["model"], "fake");
  EXPECT_EQ(json["hypotheses"][1]["score"], -1.5);
  EXPECT_EQ(Json::parse(lines[1])["text"], "");
}

TEST_F(SheafTest, ADocumentOfSeveralLinesIsOneSummary) {
  EXPECT_EQ(Run({"summarize"}, "a\nb\n").out, "A\nB\n");
  const Json json = Json::parse(Run({"summarize", "--json"}, "a\nb\n").out);
  EXPECT_EQ(json["text"], "A\nB");
  EXPECT_EQ(json["finish_reason"], "LENGTH");
}

TEST_F(SheafTest, GenerateTakesATextOrIds) {
  EXPECT_EQ(Run({"generate"}, "raw\n").out, "RAW\n");
  EXPECT_EQ(Run({"generate", "--ids=5,6,7"}).out, "6,7,8\n");
  EXPECT_THAT(server_.generate_requests()[1].tokens().ids(),
              ElementsAre(5, 6, 7));
  const Json json = Json::parse(Run({"generate", "--json", "--ids=5"}).out);
  EXPECT_EQ(json["text"], "");
  EXPECT_EQ(json["tokens"], Json({6}));
}

TEST_F(SheafTest, ModelsAreATableOrJson) {
  const Result table = Run({"models"});
  EXPECT_THAT(table.out, StartsWith("NAME  PARAMETERS"));
  EXPECT_THAT(table.out, HasSubstr("\nfake  77.0 M      8/2/4"));
  EXPECT_THAT(table.out, HasSubstr("\nwarning: fake: num_beam is unknown\n"));
  EXPECT_EQ(Json::parse(Run({"models", "--json", "fake"}).out)["weight_bytes"],
            80 << 20);
  EXPECT_EQ(Json::parse(Run({"models", "--json", "fake"}).out)["warnings"],
            Json({"num_beam is unknown"}));
  const Result missing = Run({"models", "other"});
  EXPECT_EQ(missing.err, "sheaf: NOT_FOUND: model \"other\" is not served\n");
  EXPECT_EQ(missing.exit_code, 1);
}

TEST_F(SheafTest, AFailedCallIsExitCode1AndNamesTheLine) {
  const Result result = Run({"translate", "--to=de"}, "a\nfail\nb\n");
  EXPECT_EQ(result.out, "A\n");
  EXPECT_EQ(result.err,
            "sheaf: RESOURCE_EXHAUSTED: line 2: the queue is full\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(Run({"translate", "--to=de", "fail"}).err,
            "sheaf: RESOURCE_EXHAUSTED: the queue is full\n");
  EXPECT_EQ(Run({"summarize", "--stream", "fail"}).exit_code, 1);
}

TEST_F(SheafTest, ATimeoutAndTextThatIsNotUtf8AreFailedCalls) {
  EXPECT_THAT(Run({"translate", "--to=de", "--timeout=30ms", "hang"}).err,
              StartsWith("sheaf: DEADLINE_EXCEEDED: "));
  const Result result = Run({"translate", "--to=de"}, "a\n\xff\n");
  EXPECT_EQ(result.err,
            "sheaf: INVALID_ARGUMENT: line 2: text is not valid UTF-8: byte 0 "
            "is 0xff\n");
  EXPECT_EQ(result.exit_code, 1);
}

TEST_F(SheafTest, AServerThatIsNotThereIsUnavailable) {
  const std::string nobody = FakeServer().address();
  const Result result =
      RunAsIs({"translate", "--server=" + nobody, "--to=de", "a"});
  EXPECT_THAT(result.err, StartsWith("sheaf: UNAVAILABLE: "));
  EXPECT_EQ(result.exit_code, 1);
}

TEST_F(SheafTest, AWrongCommandLineIsExitCode2) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{
           {},
           {"sing"},
           {"translate", "a"},
           {"translate", "--to=de", "--colour=red"},
           {"translate", "--to=de", "--beam_size=four"},
           {"translate", "--to=de", "--rate=3"},
           {"translate", "--to=de", "--server=nowhere", "a"},
           {"translate", "--to=de", "--timeout=-1s", "a"},
           {"translate", "--to=de", "--concurrency=0", "a"},
           {"translate", "--to=de", "--stream", "--json", "a"},
           {"translate", "--to=de", "--output=x"},
           {"translate", "--to=de", "--term=x", "a"},
           {"translate", "--to=de", "--line_breaks=some", "a"},
           {"translate", "--to=de", "--line_breaks=keep", "--input=x",
            "--output=y"},
           {"translate", "--to=de", "--stop=\\", "a"},
           {"translate", "--to=de", "--format=doc", "a"},
           {"translate", "--to=de", "--format=po", "a"},
           {"translate", "--to=de", "--format=po", "--json"},
           {"translate", "--to=de", "--format=po", "--stream"},
           {"translate", "--to=de", "--format=html", "--line_breaks=keep"},
           {"translate", "--to=de", "--input=a.md", "--num_hypotheses=2"},
           {"generate", "--ids=1", "text"},
           {"load", "--rate=0"},
           {"load", "--task=sing"},
           {"load", "--source_tokens=4"},
           {"help", "sing"}}) {
    const Result result = RunAsIs(arguments);
    EXPECT_EQ(result.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(result.err, StartsWith("sheaf: INVALID_ARGUMENT: "));
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(SheafTest, HelpShowsExamplesAndFlags) {
  EXPECT_THAT(RunAsIs({"help"}).out, HasSubstr("Examples:"));
  EXPECT_EQ(RunAsIs({"--help"}).out, RunAsIs({"help"}).out);
  const Result result = RunAsIs({"translate", "--help"});
  EXPECT_THAT(result.out, HasSubstr("--no_repeat_ngram_size"));
  EXPECT_EQ(result.exit_code, 0);
}

TEST_F(SheafTest, AReaderThatLeftIsNoError) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  close(fds[0]);
  const Result result = Run({"translate", "--to=de"}, "a\nb\nc\n", fds[1]);
  close(fds[1]);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
}

TEST_F(SheafTest, AFullDiskIsAnError) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  const Result result = Run({"translate", "--to=de", "a"}, "", full);
  close(full);
  EXPECT_THAT(result.err, HasSubstr("writing stdout"));
  EXPECT_EQ(result.exit_code, 1);
}

TEST_F(SheafTest, AClosedStdinIsEmptyAndAClosedStdoutAnError) {
  EXPECT_EQ(Run({"translate", "--to=de"}, "a\n", -1, STDIN_FILENO).exit_code,
            0);
  const Result result =
      Run({"translate", "--to=de", "a"}, "", -1, STDOUT_FILENO);
  EXPECT_THAT(result.err, HasSubstr("writing stdout"));
  EXPECT_EQ(result.exit_code, 1);
}

TEST_F(SheafTest, LoadReportsLatenciesAsOneJsonLine) {
  const Result result = Run({"load", "--rate=300", "--seconds=0.2", "--seed=1",
                             "--task=translate", "--text=one two three"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, EndsWith("}\n"));
  const Json json = Json::parse(result.out);
  EXPECT_GT(json["ok"], 0);
  EXPECT_EQ(json["ok"], json["requests"]);
  EXPECT_EQ(json["errors"], Json::object());
  EXPECT_EQ(json["output_tokens"], 3 * json["ok"].get<int>());
  for (const char* latency : {"ttft_seconds", "itl_seconds", "e2e_seconds"}) {
    EXPECT_LE(json[latency]["p50"], json[latency]["p90"]);
    EXPECT_LE(json[latency]["p90"], json[latency]["p99"]);
  }
}

TEST_F(SheafTest, LoadOfRandomIdsEndsThemAndCountsErrors) {
  const Result result =
      Run({"load", "--rate=200", "--seconds=0.05", "--task=generate",
           "--source_tokens=4", "--source_vocab_size=5"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  ASSERT_FALSE(server_.generate_requests().empty());
  const v1::TokenIds seen = server_.generate_requests()[0].tokens();
  ASSERT_EQ(seen.ids_size(), 4);
  EXPECT_THAT(seen.ids(0), ::testing::AnyOf(3, 4));
  EXPECT_EQ(seen.ids(3), 1);

  const Result failed = Run({"load", "--rate=200", "--seconds=0.05",
                             "--task=summarize", "--text=fail"});
  EXPECT_EQ(failed.exit_code, 1);
  const Json json = Json::parse(failed.out);
  EXPECT_EQ(json["errors"]["RESOURCE_EXHAUSTED"], json["requests"]);
  EXPECT_THAT(failed.err, StartsWith("sheaf: RESOURCE_EXHAUSTED: "));
}

}  // namespace
}  // namespace sheaf
