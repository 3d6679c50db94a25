// SPDX-License-Identifier: Apache-2.0

// sheaf-tokenize: writes token files for the trainer, with the server's
// tokenizer and prompts, and turns ids back into text.

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
#include "base/enum_names.h"
#include "base/program.h"
#include "base/usage_error.h"
#include "engine/model/description.h"
#include "text/families.h"
#include "text/source_encoder.h"
#include "text/tasks.h"
#include "text/tokenizer.h"
#include "train/common/token_file.h"
#include "train/data/text_pairs.h"
#include "train/tokenize/word_alignment.h"

ABSL_FLAG(std::string, model, "",
          "Directory with config.json and a tokenizer.");
ABSL_FLAG(std::string, task, "", "Task whose prompt precedes each source.");
ABSL_FLAG(std::string, input, "-",
          "File of pairs: source<TAB>target lines, or JSON lines with "
          "\"document\" and \"summaries\". - is stdin.");
ABSL_FLAG(std::string, output, "", "Token file to write.");
ABSL_FLAG(int32_t, max_source_tokens, 512,
          "Maximum number of tokens in a source, including prompt and end "
          "token.");
ABSL_FLAG(int32_t, max_target_tokens, 256,
          "Maximum number of tokens in a target, including the end token.");
ABSL_FLAG(std::string, too_long, "drop",
          "What happens to longer pairs: drop or cut.");
ABSL_FLAG(std::string, align, "none",
          "Finds the source word of each target word: none, words (the word "
          "that it translates) or copies (the same word).");
ABSL_FLAG(std::string, ids, "",
          "File with lines of token ids, which are printed as text.");

namespace sheaf {
namespace {

constexpr char kProgram[] = "sheaf-tokenize";
constexpr char kAbout[] = R"(
sheaf-tokenize --model=DIR --task=NAME --input=PAIRS --output=FILE
sheaf-tokenize --model=DIR --ids=FILE

Writes pairs of texts as a token file for sheaf-train, with the tokenizer and
the task's prompt of the model directory. Or prints lines of token ids as text.
)";

// An id that more than this share of the sources contains says little about
// where a target word was copied from.
constexpr double kMaxCopiedShare = 0.2;

enum class TooLong { kDrop, kCut };
constexpr EnumNames<TooLong, 2> kTooLong = {
    {{{TooLong::kDrop, "drop"}, {TooLong::kCut, "cut"}}}};

enum class Alignment { kNone, kWords, kCopies };
constexpr EnumNames<Alignment, 3> kAlignments = {
    {{{Alignment::kNone, "none"},
      {Alignment::kWords, "words"},
      {Alignment::kCopies, "copies"}}}};

struct TokenizeOptions {
  size_t max_source, max_target;
  TooLong too_long;
  Alignment align;
};

absl::StatusOr<TokenizeOptions> OptionsFromFlags() {
  const int32_t source = absl::GetFlag(FLAGS_max_source_tokens);
  const int32_t target = absl::GetFlag(FLAGS_max_target_tokens);
  for (const int32_t limit : {source, target}) {
    if (limit < 2 || limit > 65535) {
      return UsageError(absl::StrCat("a limit of tokens is ", limit,
                                     "; allowed are 2..65535"));
    }
  }
  const std::string too_long_name = absl::GetFlag(FLAGS_too_long);
  const auto too_long = kTooLong.Parse(too_long_name);
  if (!too_long.has_value()) {
    return UsageError(absl::StrCat("--too_long is \"", too_long_name,
                                   "\"; allowed are drop and cut"));
  }
  const std::string align_name = absl::GetFlag(FLAGS_align);
  const auto align = kAlignments.Parse(align_name);
  if (!align.has_value()) {
    return UsageError(absl::StrCat("--align is \"", align_name,
                                   "\"; allowed are none, words and copies"));
  }
  return TokenizeOptions{static_cast<size_t>(source),
                         static_cast<size_t>(target), *too_long, *align};
}

// Returns the ids of a text and the end token. If they are more than `limit`,
// cuts them or returns none.
std::vector<int32_t> Encode(const Tokenizer& tokenizer,
                            const PromptTemplate& prompt,
                            const std::string& text, size_t limit,
                            TooLong too_long) {
  if (too_long == TooLong::kCut) {
    return EncodeSource(tokenizer, prompt, text, limit);
  }
  std::vector<int32_t> ids = EncodeSource(tokenizer, prompt, text);
  if (ids.size() > limit) ids.clear();
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
    return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  std::string line;
  while (std::getline(file, line)) {
    std::vector<int32_t> ids;
    for (const absl::string_view word :
         absl::StrSplit(line, ' ', absl::SkipWhitespace())) {
      ids.emplace_back();
      if (!absl::SimpleAtoi(word, &ids.back())) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": \"", word, "\" is not a token id"));
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

absl::Status WriteTokens(const Tokenizers& tokenizers, int32_t vocab_size,
                         const PromptTemplate& source_template,
                         const TokenizeOptions& options) {
  const PromptTemplate target_template = {
      .after = {tokenizers.target->eos_id()}};
  const absl::StatusOr<std::vector<TextPair>> pairs =
      ReadTextPairFile(absl::GetFlag(FLAGS_input), /*max_references=*/1);
  if (!pairs.ok()) return pairs.status();
  TokenFile file(vocab_size);
  for (const TextPair& pair : *pairs) {
    const std::vector<int32_t> source =
        Encode(*tokenizers.source, source_template, pair.source,
               options.max_source, options.too_long);
    const std::vector<int32_t> target =
        Encode(*tokenizers.target, target_template, pair.references[0],
               options.max_target, options.too_long);
    if (!source.empty() && !target.empty()) file.Add(source, target);
  }
  if (options.align == Alignment::kWords) AlignWords({}, file);
  if (options.align == Alignment::kCopies) {
    AlignCopies(kMaxCopiedShare, file);
  }
  const Result<void> written = file.Write(absl::GetFlag(FLAGS_output));
  if (!written.ok()) return absl::InternalError(written.error().message);
  std::printf("%lld pairs, %lld ids; %lld pairs left out\n",
              static_cast<long long>(file.size()),
              static_cast<long long>(file.num_ids()),
              static_cast<long long>(pairs->size()) -
                  static_cast<long long>(file.size()));
  return absl::OkStatus();
}

ExitCode Run() {
  const std::string model = absl::GetFlag(FLAGS_model);
  const absl::StatusOr<ModelDescription> description = ReadDescription(model);
  if (!description.ok()) {
    return PrintError(kProgram, kExitWrongModel, description.status());
  }
  const int32_t vocab_size = description->architecture.vocab_size;
  if (vocab_size > TokenFile::kMaxVocab) {
    return PrintError(
        kProgram, kExitWrongModel,
        absl::InvalidArgumentError(absl::StrCat(
            model, ": vocab_size is ", vocab_size,
            "; token files have ids below ", TokenFile::kMaxVocab)));
  }
  const absl::StatusOr<const TextFamily*> family =
      FindTextFamily(description->files);
  if (!family.ok()) {
    return PrintError(kProgram, kExitWrongModel, family.status());
  }
  const absl::StatusOr<Tokenizers> tokenizers =
      (*family)->load(description->files,
                      description->architecture.source_vocab_size, vocab_size);
  if (!tokenizers.ok()) {
    return PrintError(kProgram, kExitWrongModel, tokenizers.status());
  }
  if (const std::string ids = absl::GetFlag(FLAGS_ids); !ids.empty()) {
    const absl::Status status = PrintTexts(*tokenizers->target, ids);
    return status.ok() ? kExitDone : PrintError(kProgram, kExitFailed, status);
  }
  const absl::StatusOr<TokenizeOptions> options = OptionsFromFlags();
  if (!options.ok()) {
    return PrintError(kProgram, kExitWrongFlags, options.status());
  }
  const absl::StatusOr<ModelTasks> tasks = ReadModelTasks(description->files);
  if (!tasks.ok()) return PrintError(kProgram, kExitWrongModel, tasks.status());
  const absl::StatusOr<const Task*> task =
      FindTask(*tasks, absl::GetFlag(FLAGS_task));
  if (!task.ok()) return PrintError(kProgram, kExitWrongFlags, task.status());
  const absl::Status status = WriteTokens(
      *tokenizers, vocab_size,
      (*family)->make_template(*tokenizers, {.prefix = (*task)->prefix}),
      *options);
  return status.ok() ? kExitDone : PrintError(kProgram, kExitFailed, status);
}

ExitCode Main(const std::vector<std::string>& args) {
  const ProgramInfo program = {kProgram, kAbout + 1, "train/tokenize/main.cc"};
  if (const auto end = ReadCommandLine(program, args)) return *end;
  if (absl::GetFlag(FLAGS_output).empty() && absl::GetFlag(FLAGS_ids).empty()) {
    return PrintError(kProgram, kExitWrongFlags,
                      UsageError("--output is not given"));
  }
  return Run();
}

}  // namespace
}  // namespace sheaf

int main(int argc, char** argv) {
  return sheaf::Main(std::vector<std::string>(argv + 1, argv + argc));
}
