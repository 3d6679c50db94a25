// SPDX-License-Identifier: Apache-2.0

// sheaf-eval: scores the answers of a server or of a file (BLEU, chrF, ROUGE).

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/program.h"
#include "base/usage_error.h"
#include "client/flags.h"
#include "client/line_io.h"
#include "nlohmann/json.hpp"
#include "text/segmenter.h"
#include "train/data/text_pairs.h"
#include "train/evaluate/scores.h"
#include "train/evaluate/server_run.h"

ABSL_FLAG(std::string, data, "",
          "Sources and references: source<TAB>reference[<TAB>more] lines, or "
          "JSON lines with \"document\" and \"summaries\".");
ABSL_FLAG(std::string, hypotheses, "",
          "File of answers, one line per source. Replaces the server.");
ABSL_FLAG(int32_t, limit, 0,
          "Number of sources to use, from the first. 0: all.");

namespace sheaf {
namespace {

using nlohmann::json;

constexpr char kProgram[] = "sheaf-eval";
constexpr char kAbout[] = R"(
sheaf-eval --data=FILE [--task=translate|summarize] --server=HOST:PORT
sheaf-eval --data=FILE [--task=translate|summarize] --hypotheses=FILE

Scores the answers of a server or of a file: BLEU and chrF of translations,
ROUGE of summaries (and of the documents' first sentences, for comparison). For
a server, also prints tokens per second and bytes of KV cache.

  --output=FILE        writes the answers, one line per source
  --json               prints one JSON object
  --from=en --to=de    languages
  --concurrency=8      maximum number of concurrent requests
  --model= --timeout= --beam_size= ... as for sheaf translate
)";

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

std::string FirstSentence(const std::string& document) {
  const absl::StatusOr<SegmentedText> text =
      SplitForTranslation(document, {"en", /*max_tokens=*/INT64_MAX},
                          [](absl::string_view) { return EncodedSource(); });
  return !text.ok() || text->segments.empty()
             ? ""
             : std::string(text->segments.front());
}

json ScoreTranslations(const std::vector<std::string>& hypotheses,
                       const std::vector<TextPair>& pairs) {
  Bleu bleu;
  Chrf chrf;
  for (size_t i = 0; i < pairs.size(); ++i) {
    bleu.Add(hypotheses[i], pairs[i].references);
    chrf.Add(hypotheses[i], pairs[i].references);
  }
  return {{"bleu", bleu.Score()},
          {"bleu_signature", bleu.Signature()},
          {"bleu_brevity_penalty", bleu.counts().BrevityPenalty()},
          {"chrf2", chrf.Score()}};
}

json ScoreSummaries(const std::vector<std::string>& hypotheses,
                    const std::vector<TextPair>& pairs) {
  Rouge sum;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Rouge rouge = ScoreSummary(hypotheses[i], pairs[i].references);
    sum.rouge1 += rouge.rouge1;
    sum.rouge2 += rouge.rouge2;
    sum.rougeL += rouge.rougeL;
  }
  const double scale = 100 / static_cast<double>(pairs.size());
  return {{"rouge1", sum.rouge1 * scale},
          {"rouge2", sum.rouge2 * scale},
          {"rougeL", sum.rougeL * scale}};
}

absl::StatusOr<std::vector<std::string>> ReadHypotheses(const std::string& path,
                                                        size_t num_sources) {
  absl::StatusOr<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return reader.status();
  std::vector<std::string> lines;
  for (;;) {
    absl::StatusOr<std::optional<std::string>> line = (*reader)->Next();
    if (!line.ok()) return line.status();
    if (!line->has_value()) break;
    lines.push_back(**std::move(line));
  }
  if (lines.size() < num_sources) {
    return absl::InvalidArgumentError(
        absl::StrCat("--hypotheses=", path, " has ", lines.size(),
                     " lines; there are ", num_sources, " sources"));
  }
  return lines;
}

absl::Status WriteLines(const std::string& path,
                        const std::vector<std::string>& lines) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file != nullptr) {
    for (const std::string& line : lines) {
      std::fprintf(file, "%s\n", OneLine(line).c_str());
    }
    const bool has_failed = std::ferror(file) != 0;
    if (std::fclose(file) == 0 && !has_failed) return absl::OkStatus();
  }
  return absl::ErrnoToStatus(
      errno, absl::StrCat("--output=", path, ": cannot be written"));
}

absl::StatusOr<ServerRun> AskServer(const std::vector<TextPair>& pairs,
                                    bool summarizes) {
  ServerRunOptions options;
  options.summarizes = summarizes;
  options.model = absl::GetFlag(FLAGS_model);
  const std::string from = absl::GetFlag(FLAGS_from);
  const std::string to = absl::GetFlag(FLAGS_to);
  if (!from.empty()) options.source_language = from;
  if (!to.empty()) options.target_language = to;
  absl::StatusOr<CallSetup> setup = CallSetupFromFlags();
  if (!setup.ok()) return setup.status();
  options.decoding = setup->decoding;
  options.call = setup->options;
  const absl::StatusOr<int> concurrency = ConcurrencyFromFlags();
  if (!concurrency.ok()) return concurrency.status();
  options.concurrency = *concurrency;
  std::vector<std::string> sources;
  for (const TextPair& pair : pairs) sources.push_back(pair.source);
  return RunOnServer(setup->client, sources, options);
}

void AddServerFigures(const ServerRun& run, json& figures) {
  const double n = static_cast<double>(run.outputs.size());
  figures["model"] = run.model.name();
  figures["kv_heads"] = run.model.num_kv_heads();
  figures["cross_kv_heads"] = run.model.num_cross_kv_heads();
  figures["weight_type"] = run.model.weight_type();
  figures["output_tokens_per_second"] =
      static_cast<double>(run.output_tokens) / run.seconds;
  figures["seconds"] = run.seconds;
  figures["input_tokens"] = run.input_tokens;
  figures["output_tokens"] = run.output_tokens;
  // The average KV cache of a source and its complete output.
  figures["kv_bytes_per_request"] =
      (static_cast<double>(run.input_tokens) *
           static_cast<double>(run.model.cross_kv_bytes_per_token()) +
       static_cast<double>(run.output_tokens) *
           static_cast<double>(run.model.kv_bytes_per_token())) /
      n;
}

void Print(const json& figures) {
  if (absl::GetFlag(FLAGS_json)) {
    std::printf("%s\n", figures.dump().c_str());
    return;
  }
  for (const auto& [name, value] : figures.items()) {
    if (value.is_number_float()) {
      std::printf("%s %.2f\n", name.c_str(), value.get<double>());
    } else {
      std::printf("%s %s\n", name.c_str(),
                  value.is_string() ? value.get<std::string>().c_str()
                                    : value.dump().c_str());
    }
  }
}

absl::Status Evaluate() {
  const std::string data = absl::GetFlag(FLAGS_data);
  if (data.empty()) return UsageError("--data is not given");
  const std::string task = absl::GetFlag(FLAGS_task);
  if (task != "translate" && task != "summarize") {
    return UsageError(absl::StrCat("--task is \"", task,
                                   "\"; it must be translate or summarize"));
  }
  const int32_t limit = absl::GetFlag(FLAGS_limit);
  if (limit < 0) {
    return UsageError(
        absl::StrCat("--limit is ", limit, "; it must be at least 0"));
  }
  absl::StatusOr<std::vector<TextPair>> pairs =
      ReadTextPairFile(data, /*max_references=*/SIZE_MAX);
  if (!pairs.ok()) return pairs.status();
  if (limit > 0 && pairs->size() > static_cast<size_t>(limit)) {
    pairs->resize(limit);
  }

  const bool summarizes = task == "summarize";
  std::vector<std::string> answers;
  json server_figures;
  if (const std::string path = absl::GetFlag(FLAGS_hypotheses); !path.empty()) {
    absl::StatusOr<std::vector<std::string>> read =
        ReadHypotheses(path, pairs->size());
    if (!read.ok()) return read.status();
    answers = *std::move(read);
  } else {
    absl::StatusOr<ServerRun> run = AskServer(*pairs, summarizes);
    if (!run.ok()) return run.status();
    AddServerFigures(*run, server_figures);
    answers = std::move(run->outputs);
  }
  if (const std::string path = absl::GetFlag(FLAGS_output); !path.empty()) {
    absl::Status written = WriteLines(path, answers);
    if (!written.ok()) return written;
  }
  json figures = summarizes ? ScoreSummaries(answers, *pairs)
                            : ScoreTranslations(answers, *pairs);
  figures["items"] = pairs->size();
  if (summarizes) {
    std::vector<std::string> sentences;
    for (const TextPair& pair : *pairs) {
      sentences.push_back(FirstSentence(pair.source));
    }
    const json baseline = ScoreSummaries(sentences, *pairs);
    for (const auto& [name, value] : baseline.items()) {
      figures["first_sentence_" + name] = value;
    }
  }
  if (!server_figures.is_null()) figures.update(server_figures);
  Print(figures);
  return FlushStdout();
}

ExitCode Main(const std::vector<std::string>& args) {
  const ProgramInfo program = {kProgram, kAbout + 1, "train/evaluate/main.cc"};
  if (const auto end = ReadCommandLine(program, args)) return *end;
  const absl::Status status = Evaluate();
  if (status.ok()) return kExitDone;
  return PrintError(
      kProgram, IsUsageError(status) ? kExitWrongFlags : kExitFailed, status);
}

}  // namespace
}  // namespace sheaf

int main(int argc, char** argv) {
  return sheaf::Main(std::vector<std::string>(argv + 1, argv + argc));
}
