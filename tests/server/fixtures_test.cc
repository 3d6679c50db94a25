// SPDX-License-Identifier: Apache-2.0

// The reference implementation's outputs for every checkpoint in testdata/,
// through a running server: tokens and scores of each run, and the text of
// those that have text (testdata/README.md).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "tests/server/model_server.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr float kScoreTolerance = 1e-4f;
constexpr int kClients = 24;

json ReadJson(const std::string& path) { return json::parse(FileBytes(path)); }

// One run of an expected.json.
struct ExpectedRun {
  std::string name;
  json options;
  json input;                             // ids, and text if it has one
  std::vector<std::vector<int32_t>> ids;  // of each hypothesis; no end token
  std::vector<float> scores;              // empty: greedy
  std::vector<std::string> texts;         // empty: none
};

class FixtureTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    directory_ = TestdataDir(GetParam());
    const json generation = ReadJson(directory_ + "/generation_config.json");
    const json& eos = generation["eos_token_id"];
    eos_ids_ = eos.is_array() ? eos.get<std::vector<int32_t>>()
                              : std::vector<int32_t>{eos.get<int32_t>()};
    const json expected = ReadJson(directory_ + "/expected.json");
    for (const json& each : expected["cases"]) {
      for (const json& run : each["runs"]) {
        runs_.push_back(ToRun(each["name"], run, expected["inputs"]));
      }
    }
    ASSERT_GE(runs_.size(), 17u);
  }

  ExpectedRun ToRun(const std::string& name, const json& run,
                    const json& inputs) {
    ExpectedRun out;
    out.name = name;
    out.options = run["options"];
    out.input = inputs[run["input"].get<size_t>()];
    run["ids"].get_to(out.ids);
    for (std::vector<int32_t>& ids : out.ids) {
      if (!ids.empty() &&
          std::count(eos_ids_.begin(), eos_ids_.end(), ids.back()) > 0) {
        ids.pop_back();
      }
    }
    if (run.contains("scores")) run["scores"].get_to(out.scores);
    if (run.contains("text")) run["text"].get_to(out.texts);
    return out;
  }

  // All options are set, so that no default of the model counts.
  v1::DecodingOptions ToOptions(const json& options) const {
    v1::DecodingOptions out;
    out.set_max_new_tokens(options["max_new_tokens"]);
    out.set_min_new_tokens(std::max(options.value("min_new_tokens", 0),
                                    options.value("min_length", 1) - 1));
    out.set_beam_size(options.value("num_beams", 1));
    out.set_num_hypotheses(options.value("num_return_sequences", 1));
    out.set_length_penalty(options.value("length_penalty", 1.0f));
    // A request cannot say "never"; see Servers.
    const json early = options.value("early_stopping", json(false));
    if (early.is_boolean()) out.set_early_stopping(early.get<bool>());
    out.set_repetition_penalty(options.value("repetition_penalty", 1.0f));
    out.set_no_repeat_ngram_size(options.value("no_repeat_ngram_size", 0));
    out.set_forced_bos_token_id(options.value("forced_bos_token_id", -1));
    out.set_forced_eos_token_id(options.value("forced_eos_token_id", -1));
    for (const json& word : options.value("bad_words_ids", json::array())) {
      EXPECT_EQ(word.size(), 1u);
      out.add_suppressed_tokens(word[0]);
    }
    return out;
  }

  static bool NeedsFile(const ExpectedRun& run) {
    return run.options.value("early_stopping", json()) == "never";
  }

  std::string directory_;
  std::vector<int32_t> eos_ids_;
  std::vector<ExpectedRun> runs_;
};

// The options of a fixture's server. Positions that are computed without end
// allow the longest inputs.
ProgramOptions OptionsFor(const std::string& directory) {
  ProgramOptions options = ModelServer::Options();
  const json config = ReadJson(directory + "/config.json");
  if (config["model_type"] == "m2m_100") options.max_source_tokens = 128;
  return options;
}

// The server of a fixture, and one whose generation_config.json has the only
// option that a request cannot have.
class Servers {
 public:
  explicit Servers(const std::string& directory)
      : plain_(ModelServer::Start(directory, OptionsFor(directory))) {
    std::filesystem::copy(directory, copy_.PathOf("model"));
    json generation = ReadJson(directory + "/generation_config.json");
    generation["early_stopping"] = "never";
    copy_.Write("model/generation_config.json", generation.dump());
    never_ = ModelServer::Start(copy_.PathOf("model"), OptionsFor(directory));
  }

  bool are_running() const { return plain_ != nullptr && never_ != nullptr; }
  v1::TextService::Stub& For(bool needs_file) {
    return (needs_file ? never_ : plain_)->text();
  }

 private:
  TempDir copy_;
  std::unique_ptr<ModelServer> plain_, never_;
};

std::string Name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, FixtureTest,
                         ::testing::ValuesIn(TestdataModels()), Name);

TEST_P(FixtureTest, TokensAndScoresAreTheReferencesAloneAndWithOthers) {
  Servers servers(directory_);
  ASSERT_TRUE(servers.are_running());
  const auto generate = [&](const ExpectedRun& run,
                            v1::GenerateResponse* response) {
    v1::GenerateRequest request;
    for (const int32_t id : run.input["ids"]) {
      request.mutable_tokens()->add_ids(id);
    }
    *request.mutable_decoding() = ToOptions(run.options);
    grpc::ClientContext context;
    return servers.For(NeedsFile(run)).Generate(&context, request, response);
  };
  std::vector<std::string> alone;
  alone.reserve(runs_.size());
  for (const ExpectedRun& run : runs_) {
    SCOPED_TRACE(run.name + " " + run.options.dump());
    v1::GenerateResponse response;
    const grpc::Status status = generate(run, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.hypotheses_size(), static_cast<int>(run.ids.size()));
    for (size_t i = 0; i < run.ids.size(); ++i) {
      const auto& tokens = response.hypotheses(i).tokens().ids();
      EXPECT_THAT(tokens, testing::ElementsAreArray(run.ids[i])) << i;
      if (run.scores.empty()) continue;
      EXPECT_NEAR(response.hypotheses(i).score(), run.scores[i],
                  kScoreTolerance);
    }
    alone.push_back(response.SerializeAsString());
  }
  // Other requests change no bit of an answer.
  std::vector<std::string> together(runs_.size());
  std::atomic<size_t> next = 0;
  std::vector<std::thread> clients;
  clients.reserve(kClients);
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&] {
      for (size_t i; (i = next++) < runs_.size();) {
        v1::GenerateResponse response;
        if (generate(runs_[i], &response).ok()) {
          together[i] = response.SerializeAsString();
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(together == alone);
}

// An empty request asks for what generation_config.json says, with a language
// if the model is multilingual.
TEST_P(FixtureTest, DefaultsAreTheReferences) {
  std::unique_ptr<ModelServer> server =
      ModelServer::Start(directory_, OptionsFor(directory_));
  ASSERT_NE(server, nullptr);
  const json generation = ReadJson(directory_ + "/generation_config.json");
  for (const ExpectedRun& run : runs_) {
    if (run.name != "defaults_of_generation_config") continue;
    SCOPED_TRACE(run.input["ids"].dump());
    v1::GenerateRequest request;
    for (const int32_t id : run.input["ids"]) {
      request.mutable_tokens()->add_ids(id);
    }
    if (run.options.contains("forced_bos_token_id") &&
        !generation.contains("forced_bos_token_id")) {
      request.mutable_decoding()->set_forced_bos_token_id(
          run.options["forced_bos_token_id"]);
    }
    grpc::ClientContext context;
    v1::GenerateResponse response;
    const grpc::Status status =
        server->text().Generate(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.hypotheses_size(), 1);
    EXPECT_THAT(response.hypotheses(0).tokens().ids(),
                testing::ElementsAreArray(run.ids[0]));
  }
}

// The output of a text, by whichever RPC the model has for it.
struct TextAnswer {
  std::vector<std::string> texts;  // of each hypothesis
  v1::Usage usage;
};

template <typename Response>
TextAnswer AnswerOf(const Response& response) {
  TextAnswer answer = {.texts = {response.text()}, .usage = response.usage()};
  if (response.alternatives_size() > 0) answer.texts.clear();
  for (const v1::Hypothesis& each : response.alternatives()) {
    answer.texts.push_back(each.text());
  }
  return answer;
}

// The languages of an input: its own, those of the text's ">>xxx<<", or those
// of the model's only task.
struct Languages {
  std::string source, target, text;
};

Languages LanguagesOf(const json& input, const v1::Model& model) {
  Languages out = {input.value("source_language", ""),
                   input.value("target_language", ""), input["text"]};
  if (absl::StartsWith(out.text, ">>")) {
    const size_t end = out.text.find("<<");
    out.target = out.text.substr(2, end - 2);
    out.text = out.text.substr(end + 2);
  } else if (out.target.empty()) {
    const std::vector<std::string> parts = absl::StrSplit(model.tasks(0), '_');
    out.source = parts[1];
    out.target = parts.back();
  }
  return out;
}

TextAnswer Ask(ModelServer& server, const v1::Model& model,
               const ExpectedRun& run, const v1::DecodingOptions& options) {
  grpc::ClientContext context;
  grpc::Status status;
  TextAnswer answer;
  const std::string task = model.tasks_size() > 0 ? model.tasks(0) : "";
  if (absl::StartsWith(task, "translation")) {
    const Languages languages = LanguagesOf(run.input, model);
    v1::TranslateRequest request;
    request.set_text(languages.text);
    request.set_source_language(languages.source);
    request.set_target_language(languages.target);
    request.set_repair(false);  // the reference has no checks
    *request.mutable_decoding() = options;
    // The target language forces the token that the run names.
    if (run.input.contains("target_language")) {
      request.mutable_decoding()->clear_forced_bos_token_id();
    }
    v1::TranslateResponse response;
    status = server.text().Translate(&context, request, &response);
    answer = AnswerOf(response);
  } else if (task == "summarization") {
    v1::SummarizeRequest request;
    request.set_text(run.input["text"].get<std::string>());
    *request.mutable_decoding() = options;
    v1::SummarizeResponse response;
    status = server.text().Summarize(&context, request, &response);
    answer = AnswerOf(response);
  } else {
    v1::GenerateRequest request;
    request.set_text(run.input["text"].get<std::string>());
    *request.mutable_decoding() = options;
    v1::GenerateResponse response;
    status = server.text().Generate(&context, request, &response);
    for (const v1::Hypothesis& each : response.hypotheses()) {
      answer.texts.push_back(each.text());
    }
    answer.usage = response.usage();
  }
  EXPECT_TRUE(status.ok()) << status.error_message();
  return answer;
}

std::string Trimmed(const std::string& text) {
  return std::string(absl::StripAsciiWhitespace(text));
}

// Whether the output is text. Where the reference's is not, the server's has
// other tokens.
bool IsText(const std::string& text) {
  return !absl::StrContains(text, "\uFFFD") &&
         std::none_of(text.begin(), text.end(), absl::ascii_iscntrl);
}

TEST_P(FixtureTest, TextsAreTheReferences) {
  std::unique_ptr<ModelServer> server =
      ModelServer::Start(directory_, OptionsFor(directory_));
  ASSERT_NE(server, nullptr);
  const v1::Model model = server->Describe();
  int num_compared = 0, num_texts = 0;
  for (const ExpectedRun& run : runs_) {
    if (run.texts.empty() || NeedsFile(run) || !run.input.contains("text")) {
      continue;
    }
    SCOPED_TRACE(run.name + " " + run.options.dump() +
                 run.input["text"].dump());
    v1::DecodingOptions options = ToOptions(run.options);
    options.set_loop_guard(false);
    const TextAnswer answer = Ask(*server, model, run, options);
    // The reference does not split a text into sentences.
    if (answer.usage.segments() != 1) continue;
    EXPECT_EQ(answer.usage.input_tokens(),
              static_cast<int>(run.input["ids"].size()));
    ++num_compared;
    if (!std::all_of(run.texts.begin(), run.texts.end(), IsText)) continue;
    ++num_texts;
    ASSERT_EQ(answer.texts.size(), run.texts.size());
    for (size_t i = 0; i < run.texts.size(); ++i) {
      EXPECT_EQ(Trimmed(answer.texts[i]), Trimmed(run.texts[i]));
    }
  }
  RecordProperty("num_compared", num_compared);
  RecordProperty("num_texts", num_texts);
  EXPECT_TRUE(num_compared == 0 || num_compared >= 10) << num_compared;
}

}  // namespace
}  // namespace sheaf
