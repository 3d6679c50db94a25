// SPDX-License-Identifier: Apache-2.0

// `sheaf translate` with files, and with what a translation keeps.

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>
#include <vector>

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

TEST_F(SheafTest, SaysWhatIsKept) {
  ASSERT_EQ(Run({"translate", "--to=de", "--format=html", "--noprotect_spans",
                 "--do_not_translate=Blue Fox, Ltd.", "--do_not_translate=x",
                 "--norepair", "<p>a</p>"})
                .exit_code,
            0);
  ASSERT_EQ(Run({"translate", "--to=de", "a"}).exit_code, 0);
  const std::vector<v1::TranslateRequest> seen = server_.translate_requests();
  EXPECT_EQ(seen[0].format(), v1::TEXT_FORMAT_HTML);
  EXPECT_TRUE(seen[0].has_protect_spans());
  EXPECT_FALSE(seen[0].protect_spans());
  EXPECT_THAT(seen[0].do_not_translate(), ElementsAre("Blue Fox, Ltd.", "x"));
  EXPECT_TRUE(seen[0].has_repair());
  EXPECT_FALSE(seen[0].repair());
  // The server's defaults.
  EXPECT_EQ(seen[1].format(), v1::TEXT_FORMAT_UNSPECIFIED);
  EXPECT_FALSE(seen[1].has_protect_spans());
  EXPECT_FALSE(seen[1].has_repair());
  EXPECT_FALSE(seen[1].return_segments());
}

TEST_F(SheafTest, ReportsSegmentsThatMayBeWrong) {
  EXPECT_EQ(Run({"translate", "--to=de", "--report", "\u00e4b 1"}).err,
            "sheaf: note: NUMBER: \"\u00e4b \" became \"B 1\"\n");
  EXPECT_EQ(Run({"translate", "--to=de", "--report"}, "a\n").err,
            "sheaf: note: line 1: NUMBER: \"a\" became \"\"\n");
  const Result result =
      Run({"translate", "--to=de", "--report", "--json", "one two"});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(Json::parse(result.out)["segments"],
            Json::parse(R"([{"source": [0, 3], "target": [1, 4],
                             "mean_logprob": -0.5, "warnings": ["NUMBER"]}])"));
}

TEST_F(SheafTest, TermsAndGlossaryReachTheServer) {
  Run({"translate", "--to=de", "--term=web server=Netzserver=Webserver*",
       "--term=x=y", "--glossary=it", "six"});
  const auto seen = server_.translate_requests();
  ASSERT_EQ(seen.size(), 1);
  EXPECT_EQ(seen[0].glossary(), "it");
  ASSERT_EQ(seen[0].glossary_terms_size(), 2);
  const v1::GlossaryTerm& term = seen[0].glossary_terms(0);
  EXPECT_EQ(term.source(), "web server");
  EXPECT_THAT(term.targets(), ElementsAre("Netzserver", "Webserver*"));
}

class SheafFileTest : public SheafTest {
 protected:
  Result Translate(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"translate", "--to=de",
                                          "--input=" + Path("in"),
                                          "--output=" + Path("out")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
};

TEST_F(SheafFileTest, AFileGivesAFileOfAsManyLines) {
  WriteFile(Path("in"), "one\r\n\r\ntwo\r\nlast");
  const Result result = Translate();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(ReadFile(Path("out")), "ONE\n\nTWO\nLAST\n");
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "");  // No progress where there is no terminal.
}

TEST_F(SheafFileTest, AnEmptyFileGivesAnEmptyFile) {
  WriteFile(Path("in"), "");
  EXPECT_EQ(Translate().exit_code, 0);
  EXPECT_EQ(ReadFile(Path("out")), "");
}

TEST_F(SheafFileTest, ARunGoesOnAfterTheLastWholeLine) {
  WriteFile(Path("in"), "a\nb\n\nc\nd");
  WriteFile(Path("out"), "first\nsecond\n\nthi");
  EXPECT_EQ(Translate().exit_code, 0);
  EXPECT_EQ(ReadFile(Path("out")), "first\nsecond\n\nC\nD\n");
  EXPECT_EQ(server_.translate_requests().size(), 2u);
  // And once more: all is done.
  EXPECT_EQ(Translate().exit_code, 0);
  EXPECT_EQ(ReadFile(Path("out")), "first\nsecond\n\nC\nD\n");
  EXPECT_EQ(server_.translate_requests().size(), 2u);
}

TEST_F(SheafFileTest, AnErrorLeavesWhatIsDoneForTheNextRun) {
  WriteFile(Path("in"), "a\nb\nfail\nd\n");
  const Result result = Translate();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("line 3: the queue is full"));
  EXPECT_EQ(ReadFile(Path("out")), "A\nB\n");
  EXPECT_THAT(Translate().err, HasSubstr("line 3: the queue is full"));
  WriteFile(Path("in"), "a\nb\nc\nd\n");
  EXPECT_EQ(Translate().exit_code, 0);
  EXPECT_EQ(ReadFile(Path("out")), "A\nB\nC\nD\n");
}

TEST_F(SheafFileTest, OverwriteStartsAnew) {
  WriteFile(Path("in"), "a\n");
  WriteFile(Path("out"), "x\ny\nz\n");
  EXPECT_EQ(Translate({"--overwrite"}).exit_code, 0);
  EXPECT_EQ(ReadFile(Path("out")), "A\n");
}

TEST_F(SheafFileTest, AnOutputLongerThanTheInputIsRefusedAndUntouched) {
  WriteFile(Path("in"), "a\nb\n");
  for (const std::string out : {"x\ny\nz\n", "x\ny\npiece"}) {
    WriteFile(Path("out"), out);
    const Result result = Translate();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("has 3 lines, more than the 2 of input"));
    EXPECT_EQ(ReadFile(Path("out")), out);
  }
}

TEST_F(SheafFileTest, TheInputIsNeverTheOutput) {
  WriteFile(Path("in"), "a\n");
  const Result result =
      Run({"translate", "--to=de", "--overwrite", "--input=" + Path("in"),
           "--output=" + Path("in")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("is the input itself"));
  EXPECT_EQ(ReadFile(Path("in")), "a\n");
}

TEST_F(SheafFileTest, TwoRunsDoNotWriteTheSameFile) {
  WriteFile(Path("in"), "a\n");
  const int other =
      open(Path("out").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  EXPECT_THAT(Translate().err, HasSubstr("is being written by another"));
  close(other);
}

TEST_F(SheafFileTest, AFileThatIsNotThereIsNamed) {
  const Result result = Translate();
  EXPECT_THAT(result.err, StartsWith("sheaf: NOT_FOUND: opening "));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(access(Path("out").c_str(), F_OK), 0);
}

TEST_F(SheafTest, ADocumentOfStdinGoesToStdout) {
  const Result result = Run({"translate", "--to=de", "--format=json"},
                            "{\"a\": [\"one\", \"two\", 3]}\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "{\"a\": [\"ONE\", \"TWO\", 3]}\n");
}

TEST_F(SheafTest, AUnitHasItsFormatAndWhatItKeeps) {
  Run({"translate", "--to=de", "--format=markdown", "--concurrency=1"},
      "plain text\n\n<p>some html</p>\n");
  const auto requests = server_.translate_requests();
  ASSERT_EQ(requests.size(), 2);
  EXPECT_EQ(requests[0].format(), v1::TEXT_FORMAT_UNSPECIFIED);
  EXPECT_EQ(requests[0].line_breaks(), v1::LINE_BREAKS_KEEP);
  EXPECT_EQ(requests[1].format(), v1::TEXT_FORMAT_HTML);
  EXPECT_EQ(requests[1].text(), "<p>some html</p>");
  Run({"translate", "--to=de", "--format=json", "--do_not_translate=x"},
      "[\"{n, plural, other{# x}}\"]");
  EXPECT_THAT(server_.translate_requests().back().do_not_translate(),
              ElementsAre("x", "#"));
}

// The format is that of the extension.
class SheafDocumentTest : public SheafTest {
 protected:
  Result Translate(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"translate", "--to=de",
                                          "--input=" + Path("in.json"),
                                          "--output=" + Path("out.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
  bool Exists(const std::string& name) const {
    return access(Path(name).c_str(), F_OK) == 0;
  }
};

TEST_F(SheafDocumentTest, AFileGivesAFileOfTheSameFormat) {
  WriteFile(Path("in.json"), "[\"one\", 2,  \"three\"]");
  const Result result = Translate();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(ReadFile(Path("out.json")), "[\"ONE\", 2,  \"THREE\"]");
  EXPECT_EQ(result.err, "");
  EXPECT_FALSE(Exists("out.json.part"));
  EXPECT_FALSE(Exists("out.json.new"));
}

TEST_F(SheafDocumentTest, AnErrorNamesThePlaceAndTheNextRunGoesOn) {
  WriteFile(Path("in.json"), "[\"one\",\n\"fail\",\n\"three\"]");
  const Result failed = Translate({"--concurrency=1"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, HasSubstr("in.json: text 2: line 2: "));
  EXPECT_FALSE(Exists("out.json"));
  // The translations of the first run are taken over.
  const std::string part = ReadFile(Path("out.json.part"));
  EXPECT_THAT(part, EndsWith("\n\"ONE\"\n"));
  WriteFile(Path("out.json.part"),
            part.substr(0, part.find('\n')) + "\n\"first\"\n\"second\"\n\"thi");
  EXPECT_EQ(Translate().exit_code, 0);
  EXPECT_EQ(ReadFile(Path("out.json")), "[\"first\",\n\"second\",\n\"THREE\"]");
}

TEST_F(SheafDocumentTest, TranslationsOfAnotherInputAreNotTaken) {
  WriteFile(Path("in.json"), "[\"one\"]");
  WriteFile(Path("out.json.part"), "sheaf translations 1 0\n\"x\"\n");
  const Result result = Translate();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("belongs to another input"));
  EXPECT_EQ(Translate({"--overwrite"}).exit_code, 0);
  EXPECT_EQ(ReadFile(Path("out.json")), "[\"ONE\"]");
}

TEST_F(SheafDocumentTest, AnOutputThatExistsIsReplacedOnlyIfAsked) {
  WriteFile(Path("in.json"), "[\"one\"]");
  WriteFile(Path("out.json"), "old");
  const Result result = Translate();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("exists (--overwrite replaces it)"));
  EXPECT_EQ(ReadFile(Path("out.json")), "old");
  EXPECT_EQ(Translate({"--overwrite"}).exit_code, 0);
  EXPECT_EQ(ReadFile(Path("out.json")), "[\"ONE\"]");
}

TEST_F(SheafDocumentTest, TheInputIsNeverTheOutput) {
  WriteFile(Path("in.json"), "[\"one\"]");
  const Result result =
      Translate({"--overwrite", "--output=" + Path("in.json")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("is the input itself"));
  EXPECT_EQ(ReadFile(Path("in.json")), "[\"one\"]");
}

TEST_F(SheafDocumentTest, AFileThatIsNotOfTheFormatIsNamed) {
  WriteFile(Path("in.json"), "[\n1,]");
  const Result result = Translate();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("in.json (as json): line 2, column 3: not JSON"));
  EXPECT_FALSE(Exists("out.json"));
  EXPECT_FALSE(Exists("out.json.part"));
}

}  // namespace
}  // namespace sheaf
