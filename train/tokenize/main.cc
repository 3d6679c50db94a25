// sheaf-tokenize: token files for the trainer, with the product's tokenizer and
// prompts; and ids back to text.

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/config_files.h"
#include "base/flag_parser.h"
#include "base/usage_error.h"
#include "engine/model/t5_config.h"
#include "text/tasks.h"
#include "text/tokenizer.h"
#include "train/common/token_file.h"
#include "train/data/text_pairs.h"
#include "train/tokenize/word_alignment.h"

ABSL_FLAG(bool, help, false, "Prints this.");
ABSL_FLAG(std::string, flagfile, "",
          "Reads flags from this file, one --name=value a line.");
ABSL_FLAG(std::string, model, "",
          "Directory with config.json and a tokenizer.");
ABSL_FLAG(std::string, task, "", "Task whose prompt comes before each source.");
ABSL_FLAG(std::string, input, "-", "Pairs: TSV or JSON lines; - is stdin.");
ABSL_FLAG(std::string, output, "", "Token file to write.");
ABSL_FLAG(int32_t, max_source_tokens, 512, "Longest source, end included.");
ABSL_FLAG(int32_t, max_target_tokens, 256, "Longest target, end included.");
ABSL_FLAG(std::string, too_long, "drop",
          "What becomes of longer: drop or cut.");
ABSL_FLAG(std::string, align, "none",
          "Aligns target words with source words: none, words or copies.");
ABSL_FLAG(std::string, ids, "", "File with lines of ids, to print as text.");

namespace sheaf {
namespace {

enum ExitCode { kDone = 0, kFailed = 1, kWrongFlags = 2, kWrongModel = 3 };

// Share of the sources above which an id says little by being copied.
constexpr double kMostCommonCopied = 0.2;

constexpr char kUsage[] =
    "sheaf-tokenize --model=DIR --task=NAME --input=PAIRS --output=FILE\n"
    "sheaf-tokenize --model=DIR --ids=FILE\n\n"
    "Pairs of texts as a token file for sheaf-train: the tokenizer and the\n"
    "task's prompt are those of the model directory. Or lines of token ids as\n"
    "text, on stdout.\n\n"
    "  --input=-                 source<TAB>target lines, or JSON lines with\n"
    "                            \"document\" and \"summaries\"; - is stdin\n"
    "  --max_source_tokens=512   of a source, prompt and end token included\n"
    "  --max_target_tokens=256   of a target, end token included\n"
    "  --too_long=drop|cut       what becomes of pairs that are longer\n"
    "  --align=none|words|copies finds the source word of each target word: "
    "the\n"
    "                            one it translates, or the same word\n";

ExitCode Complain(ExitCode code, const absl::Status& status) {
  std::fprintf(stderr, "sheaf-tokenize: %s\n",
               std::string(status.message()).c_str());
  return code;
}

struct Limits {
  size_t source, target;
  bool cuts;
};

absl::StatusOr<Limits> LimitsFromFlags() {
  const int32_t source = absl::GetFlag(FLAGS_max_source_tokens);
  const int32_t target = absl::GetFlag(FLAGS_max_target_tokens);
  for (const int32_t limit : {source, target}) {
    if (limit < 2 || limit > 65535) {
      return UsageError(absl::StrCat("a limit of tokens is ", limit,
                                     "; allowed are 2..65535"));
    }
  }
  const std::string too_long = absl::GetFlag(FLAGS_too_long);
  if (too_long != "drop" && too_long != "cut") {
    return UsageError(absl::StrCat("--too_long is \"", too_long,
                                   "\"; allowed are drop and cut"));
  }
  const std::string align = absl::GetFlag(FLAGS_align);
  if (align != "none" && align != "words" && align != "copies") {
    return UsageError(absl::StrCat("--align is \"", align,
                                   "\"; allowed are none, words and copies"));
  }
  return Limits{static_cast<size_t>(source), static_cast<size_t>(target),
                too_long == "cut"};
}

// The ids of a text with the end token; empty if they are too many.
std::vector<int32_t> Encode(const Tokenizer& tokenizer,
                            const std::string& prompt, const std::string& text,
                            size_t limit, bool cuts) {
  std::vector<int32_t> ids = tokenizer.EncodePrompted(prompt, text);
  if (ids.size() >= limit) {
    if (!cuts) return {};
    ids.resize(limit - 1);
  }
  ids.push_back(tokenizer.eos_id());
  return ids;
}

absl::StatusOr<const Task*> FindTask(const ModelTasks& tasks,
                                     const std::string& name) {
  std::string known;
  for (const Task& task : tasks.tasks) {
    if (task.name == name) return &task;
    absl::StrAppend(&known, known.empty() ? "" : ", ", task.name);
  }
  return UsageError(
      absl::StrCat("--task is \"", name, "\"; the model has ", known));
}

absl::Status PrintTexts(const Tokenizer& tokenizer, const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return absl::NotFoundError(absl::StrCat(path, ": can't be opened"));
  std::string line;
  while (std::getline(file, line)) {
    std::vector<int32_t> ids;
    for (const absl::string_view word :
         absl::StrSplit(line, ' ', absl::SkipWhitespace())) {
      ids.emplace_back();
      if (!absl::SimpleAtoi(word, &ids.back())) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": \"", word, "\" is no token id"));
      }
    }
    std::string text = tokenizer.Decode(ids);
    for (char& c : text) {
      if (c == '\n' || c == '\r') c = ' ';
    }
    std::printf("%s\n", text.c_str());
  }
  return absl::OkStatus();
}

absl::Status WriteTokens(const Tokenizer& tokenizer, int32_t vocab_size,
                         const Task& task, const Limits& limits) {
  const absl::StatusOr<std::vector<TextPair>> pairs =
      ReadTextPairFile(absl::GetFlag(FLAGS_input), /*max_references=*/1);
  if (!pairs.ok()) return pairs.status();
  TokenFile file(vocab_size);
  for (const TextPair& pair : *pairs) {
    const std::vector<int32_t> source =
        Encode(tokenizer, task.prefix, pair.source, limits.source, limits.cuts);
    const std::vector<int32_t> target =
        Encode(tokenizer, /*prompt=*/"", pair.references[0], limits.target,
               limits.cuts);
    if (!source.empty() && !target.empty()) file.Add(source, target);
  }
  const std::string align = absl::GetFlag(FLAGS_align);
  if (align == "words") AlignWords({}, file);
  if (align == "copies") AlignCopies(kMostCommonCopied, file);
  const std::string error = file.Write(absl::GetFlag(FLAGS_output));
  if (!error.empty()) return absl::InternalError(error);
  std::printf("%lld pairs, %lld ids; %lld pairs left out\n",
              static_cast<long long>(file.size()),
              static_cast<long long>(file.num_ids()),
              static_cast<long long>(pairs->size()) -
                  static_cast<long long>(file.size()));
  return absl::OkStatus();
}

ExitCode Run() {
  const std::string model = absl::GetFlag(FLAGS_model);
  const absl::StatusOr<T5Config> config = LoadT5Config(model);
  if (!config.ok()) return Complain(kWrongModel, config.status());
  if (config->vocab_size > TokenFile::kMaxVocab) {
    return Complain(
        kWrongModel,
        absl::InvalidArgumentError(absl::StrCat(
            model, ": vocab_size is ", config->vocab_size,
            "; token files have ids below ", TokenFile::kMaxVocab)));
  }
  const absl::StatusOr<std::unique_ptr<const Tokenizer>> tokenizer =
      Tokenizer::Load(model, config->vocab_size);
  if (!tokenizer.ok()) return Complain(kWrongModel, tokenizer.status());
  if (const std::string ids = absl::GetFlag(FLAGS_ids); !ids.empty()) {
    const absl::Status status = PrintTexts(**tokenizer, ids);
    return status.ok() ? kDone : Complain(kFailed, status);
  }
  const absl::StatusOr<Limits> limits = LimitsFromFlags();
  if (!limits.ok()) return Complain(kWrongFlags, limits.status());
  const absl::StatusOr<ConfigFiles> files = ReadConfigFiles(model);
  if (!files.ok()) return Complain(kWrongModel, files.status());
  const absl::StatusOr<ModelTasks> tasks = ReadModelTasks(*files);
  if (!tasks.ok()) return Complain(kWrongModel, tasks.status());
  const absl::StatusOr<const Task*> task =
      FindTask(*tasks, absl::GetFlag(FLAGS_task));
  if (!task.ok()) return Complain(kWrongFlags, task.status());
  const absl::Status status =
      WriteTokens(**tokenizer, config->vocab_size, **task, *limits);
  return status.ok() ? kDone : Complain(kFailed, status);
}

ExitCode Main(const std::vector<std::string>& args) {
  if (absl::Status status = ParseOnlyFlags(args); !status.ok()) {
    return Complain(kWrongFlags, status);
  }
  if (absl::GetFlag(FLAGS_help)) {
    std::fputs(kUsage, stdout);
    return kDone;
  }
  if (absl::GetFlag(FLAGS_output).empty() && absl::GetFlag(FLAGS_ids).empty()) {
    return Complain(kWrongFlags, UsageError("--output is not given"));
  }
  return Run();
}

}  // namespace
}  // namespace sheaf

int main(int argc, char** argv) {
  return sheaf::Main(std::vector<std::string>(argv + 1, argv + argc));
}
