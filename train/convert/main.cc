// SPDX-License-Identifier: Apache-2.0

// sheaf-convert: writes a model directory with fewer key and value heads, a
// vocabulary shortlist, or the heads that align.

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/input_file.h"
#include "base/program.h"
#include "base/start_guard.h"
#include "base/usage_error.h"
#include "engine/model/description.h"
#include "text/families.h"
#include "text/model_languages.h"
#include "text/source_encoder.h"
#include "text/tasks.h"
#include "train/convert/alignment_error.h"
#include "train/convert/calibration.h"
#include "train/convert/choose_heads.h"
#include "train/convert/convert.h"
#include "train/convert/make_shortlist.h"

ABSL_FLAG(std::string, input, "", "Model directory to convert.");
ABSL_FLAG(std::string, output, "", "Directory to write; must not exist.");
ABSL_FLAG(int32_t, kv_heads, 0,
          "Number of KV heads of the decoder's attentions; a divisor of the "
          "model's.");
ABSL_FLAG(int32_t, cross_kv_heads, 0,
          "Number of KV heads of its cross-attention. 0: as --kv_heads.");
ABSL_FLAG(std::string, method, "mean",
          "How several heads become one: mean, first, random or svd.");
ABSL_FLAG(uint64_t, seed, 0, "Seed of --method=random.");
ABSL_FLAG(std::string, calibration, "",
          "Text to run through the model, one source per line (a tab and the "
          "text after it are ignored). Errors, and svd, are then weighted by "
          "what the attentions read on it. Needs a tokenizer.");
ABSL_FLAG(std::string, calibration_prefix, "",
          "Text before each line, such as \"translate English to German: \".");
ABSL_FLAG(std::string, calibration_languages, "",
          "Languages of --calibration for a multilingual model, such as "
          "\"en-de\": those of the lines and of the model's answers.");
ABSL_FLAG(int32_t, calibration_lines, 200,
          "Maximum number of lines of --calibration to use.");
ABSL_FLAG(std::string, shortlist, "",
          "File of pairs: source<TAB>target lines, or JSON lines with "
          "\"document\" and \"summaries\". - is stdin. Makes a vocabulary "
          "shortlist for the model instead of converting it; --output is then "
          "a file. Needs a tokenizer.");
ABSL_FLAG(int32_t, shortlist_frequent, sheaf::ShortlistOptions().num_frequent,
          "Number of the most frequent tokens of the targets that every output "
          "may have.");
ABSL_FLAG(int32_t, shortlist_per_token, sheaf::ShortlistOptions().per_token,
          "Maximum number of translations of each source token.");
ABSL_FLAG(std::string, alignment, "",
          "File of pairs, as for --shortlist. Chooses the attention heads that "
          "tell from which source token an output token comes, on the first "
          "--calibration_lines pairs; --output is then a file.");
ABSL_FLAG(std::string, alignment_gold, "",
          "File of source<TAB>target<TAB>links lines, where i-j links word i "
          "of the source surely with word j of the target, and i?j possibly. "
          "Prints the alignment error rate of the heads.");

namespace sheaf {
namespace {

constexpr char kProgram[] = "sheaf-convert";
constexpr char kAbout[] = R"(
sheaf-convert --input=DIR --output=DIR --kv_heads=G [--cross_kv_heads=G]
              --method=mean|first|random|svd [--calibration=FILE]
sheaf-convert --input=DIR --output=DIR/shortlist.safetensors --shortlist=PAIRS
sheaf-convert --input=DIR [--output=DIR/sheaf_alignment.json --alignment=PAIRS]
              [--alignment_gold=FILE] --calibration_languages=en-de

Groups the key and value heads of a model's decoder (GQA, MQA). For each
attention, prints the relative errors of its scores (keys) and outputs (values)
and the number of bytes saved.

With --shortlist, writes a vocabulary shortlist: which tokens an output may have
for each token of its source. A server with --shortlist reads it from the model
directory. The pairs are texts as the model's tasks have them, without prompts.

With --alignment, writes which heads of the decoder attend to the source of a
token: those that agree best with word alignments made from the pairs alone.
--alignment_gold measures them, or those that the model directory has. In both,
the decoder is made to give the targets of the pairs.
)";
constexpr uint64_t kMaxTextBytes = uint64_t{64} << 20;

absl::StatusOr<ConvertOptions> OptionsFromFlags() {
  ConvertOptions options;
  for (const auto& [name, value] :
       {std::pair{"--input", absl::GetFlag(FLAGS_input)},
        std::pair{"--output", absl::GetFlag(FLAGS_output)}}) {
    if (value.empty()) return UsageError(absl::StrCat(name, " is not given"));
  }
  options.input = absl::GetFlag(FLAGS_input);
  options.output = absl::GetFlag(FLAGS_output);
  while (options.output.size() > 1 && options.output.back() == '/') {
    options.output.pop_back();
  }
  const std::string method = absl::GetFlag(FLAGS_method);
  const auto parsed = kGroupingMethods.Parse(method);
  if (!parsed.has_value()) {
    return UsageError(absl::StrCat("--method is \"", method,
                                   "\"; allowed are mean, first, random, svd"));
  }
  options.method = *parsed;
  options.num_kv_heads = absl::GetFlag(FLAGS_kv_heads);
  options.num_cross_kv_heads = absl::GetFlag(FLAGS_cross_kv_heads);
  if (options.num_kv_heads < 1) {
    return UsageError(absl::StrCat("--kv_heads is ", options.num_kv_heads,
                                   "; it must be at least 1"));
  }
  if (options.num_cross_kv_heads < 0 ||
      absl::GetFlag(FLAGS_calibration_lines) < 1) {
    return UsageError(
        "--cross_kv_heads must be at least 0, --calibration_lines at least 1");
  }
  if (options.num_cross_kv_heads == 0) {
    options.num_cross_kv_heads = options.num_kv_heads;
  }
  options.seed = absl::GetFlag(FLAGS_seed);
  return options;
}

// The prompt that --calibration_prefix and --calibration_languages ask for.
absl::StatusOr<PromptTemplate> CalibrationPrompt(
    const TextFamily& family, const Tokenizers& tokenizers,
    const ModelDescription& description) {
  const std::string prefix = absl::GetFlag(FLAGS_calibration_prefix);
  const absl::StatusOr<std::vector<LanguagePair>> pairs = ParseLanguagePairs(
      "--calibration_languages", absl::GetFlag(FLAGS_calibration_languages));
  if (!pairs.ok()) return pairs.status();
  if (pairs->empty()) {
    return family.make_template(tokenizers, {.prefix = prefix});
  }
  const absl::StatusOr<ModelTasks> tasks = ReadModelTasks(
      description.files, {.family = &family,
                          .tokenizers = &tokenizers,
                          .vocab_size = description.architecture.vocab_size});
  if (!tasks.ok()) return tasks.status();
  const absl::StatusOr<Translation> translation = tasks->FindTranslation(
      pairs->front().source.ToString(), pairs->front().target.ToString());
  if (!translation.ok()) return translation.status();
  TextPrompt prompt = translation->prompt();
  if (!prefix.empty()) prompt.prefix = prefix;
  return family.make_template(tokenizers, prompt);
}

// The token ids of the lines of the file `path`.
absl::StatusOr<CalibrationText> ReadCalibration(
    const std::string& path, const ModelDescription& description) {
  const absl::StatusOr<std::string> text = ReadTextFile(path, kMaxTextBytes);
  if (!text.ok()) return text.status();
  const absl::StatusOr<const TextFamily*> family =
      FindTextFamily(description.files);
  if (!family.ok()) return family.status();
  const Architecture& architecture = description.architecture;
  const absl::StatusOr<Tokenizers> tokenizers =
      (*family)->load(description.files, architecture.source_vocab_size,
                      architecture.vocab_size);
  if (!tokenizers.ok()) return tokenizers.status();
  const absl::StatusOr<PromptTemplate> prompt =
      CalibrationPrompt(**family, *tokenizers, description);
  if (!prompt.ok()) return prompt.status();
  CalibrationText result;
  result.start_tokens = {
      prompt->decoder_start.value_or(architecture.tokens.start_id)};
  if (prompt->forced_first.has_value()) {
    result.start_tokens.push_back(*prompt->forced_first);
  }
  const size_t max_lines = absl::GetFlag(FLAGS_calibration_lines);
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    line = line.substr(0, line.find('\t'));
    if (line.empty()) continue;
    result.sources.push_back(
        EncodeSource(*tokenizers->source, *prompt, line,
                     CalibrationSourceTokens(architecture)));
    if (result.sources.size() == max_lines) break;
  }
  if (result.sources.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": has no text"));
  }
  return result;
}

ExitCode Convert(ConvertOptions options) {
  const absl::StatusOr<ModelDescription> description =
      ReadDescription(options.input);
  if (!description.ok()) {
    return PrintError(kProgram, kExitWrongModel, description.status());
  }
  const Architecture& architecture = description->architecture;
  absl::Status heads = CheckConvertible(*description, options);
  if (!heads.ok()) {
    return PrintError(kProgram, kExitWrongFlags, heads);
  }

  Calibration calibration;
  if (const std::string path = absl::GetFlag(FLAGS_calibration);
      !path.empty()) {
    const auto text = ReadCalibration(path, *description);
    if (!text.ok()) {
      return PrintError(kProgram, kExitFailed, text.status());
    }
    absl::StatusOr<Calibration> gathered =
        Calibrate(options.input, *description, *text);
    if (!gathered.ok()) {
      return PrintError(kProgram, kExitWrongModel, gathered.status());
    }
    calibration = *std::move(gathered);
    options.calibration = &calibration;
  }
  int64_t saved = 0;
  const absl::Status status = ConvertModel(
      *description, options, [&](const ConvertedAttention& attention) {
        std::printf(
            "layer %d %s: error of keys %.4f, of values %.4f; %lld "
            "bytes saved\n",
            attention.layer, attention.is_cross ? "cross" : "self",
            attention.key_error, attention.value_error,
            static_cast<long long>(attention.saved_weight_bytes));
        saved += attention.saved_weight_bytes;
      });
  if (absl::IsAlreadyExists(status))
    return PrintError(kProgram, kExitWrongFlags, status);
  if (absl::IsInternal(status))
    return PrintError(kProgram, kExitFailed, status);
  if (!status.ok()) return PrintError(kProgram, kExitWrongModel, status);
  const auto kv_bytes = [&](int32_t kv_heads) {  // f32, all layers, K and V
    return 8LL * architecture.decoder.num_layers * kv_heads *
           architecture.decoder.head_dim;
  };
  std::printf(
      "%lld bytes of weights saved; KV cache of a token: self %lld -> "
      "%lld bytes, cross %lld -> %lld\n",
      static_cast<long long>(saved),
      kv_bytes(architecture.decoder.num_kv_heads),
      kv_bytes(options.num_kv_heads), kv_bytes(architecture.num_cross_kv_heads),
      kv_bytes(options.num_cross_kv_heads));
  const absl::Status written = FlushStdout();
  return written.ok() ? kExitDone : PrintError(kProgram, kExitFailed, written);
}

absl::StatusOr<ShortlistOptions> ShortlistOptionsFromFlags() {
  for (const auto& [name, value] :
       {std::pair{"--input", absl::GetFlag(FLAGS_input)},
        std::pair{"--output", absl::GetFlag(FLAGS_output)}}) {
    if (value.empty()) return UsageError(absl::StrCat(name, " is not given"));
  }
  if (absl::GetFlag(FLAGS_kv_heads) != 0 ||
      absl::GetFlag(FLAGS_cross_kv_heads) != 0 ||
      !absl::GetFlag(FLAGS_calibration).empty()) {
    return UsageError(
        "--kv_heads, --cross_kv_heads and --calibration are not possible with "
        "--shortlist: convert the model first");
  }
  ShortlistOptions options;
  options.num_frequent = absl::GetFlag(FLAGS_shortlist_frequent);
  options.per_token = absl::GetFlag(FLAGS_shortlist_per_token);
  constexpr int32_t kMaxPerToken = 1000;
  if (options.num_frequent < 0 ||
      options.num_frequent > Shortlist::kMaxVocabulary) {
    return UsageError(absl::StrCat("--shortlist_frequent is ",
                                   options.num_frequent, "; allowed are 0..",
                                   Shortlist::kMaxVocabulary));
  }
  if (options.per_token < 0 || options.per_token > kMaxPerToken) {
    return UsageError(absl::StrCat("--shortlist_per_token is ",
                                   options.per_token, "; allowed are 0..",
                                   kMaxPerToken));
  }
  return options;
}

ExitCode RunMakeShortlist(const ShortlistOptions& options) {
  const absl::StatusOr<ModelDescription> description =
      ReadDescription(absl::GetFlag(FLAGS_input));
  if (!description.ok()) {
    return PrintError(kProgram, kExitWrongModel, description.status());
  }
  const absl::StatusOr<ShortlistSummary> summary =
      MakeShortlist(*description, absl::GetFlag(FLAGS_shortlist),
                    absl::GetFlag(FLAGS_output), options);
  if (!summary.ok()) {
    return PrintError(
        kProgram,
        absl::IsAlreadyExists(summary.status()) ? kExitWrongFlags : kExitFailed,
        summary.status());
  }
  std::printf(
      "%lld pairs; %lld common tokens; an output may have %.0f of %d tokens on "
      "average; %.2f %% of the targets' tokens are possible\n",
      static_cast<long long>(summary->num_pairs),
      static_cast<long long>(summary->num_common), summary->mean_tokens,
      description->architecture.vocab_size, 100 * summary->covered_share);
  const absl::Status written = FlushStdout();
  return written.ok() ? kExitDone : PrintError(kProgram, kExitFailed, written);
}

absl::StatusOr<AlignmentModel> LoadAlignmentModel() {
  absl::StatusOr<ModelDescription> description =
      ReadDescription(absl::GetFlag(FLAGS_input));
  if (!description.ok()) return description.status();
  const absl::StatusOr<const TextFamily*> family =
      FindTextFamily(description->files);
  if (!family.ok()) return family.status();
  const Architecture& architecture = description->architecture;
  absl::StatusOr<Tokenizers> tokenizers =
      (*family)->load(description->files, architecture.source_vocab_size,
                      architecture.vocab_size);
  if (!tokenizers.ok()) return tokenizers.status();
  absl::StatusOr<PromptTemplate> prompt =
      CalibrationPrompt(**family, *tokenizers, *description);
  if (!prompt.ok()) return prompt.status();
  return AlignmentModel{absl::GetFlag(FLAGS_input), *std::move(description),
                        *std::move(tokenizers), *std::move(prompt)};
}

// Chooses heads for the model, writes them, and makes it use them.
absl::Status ChooseAlignment(AlignmentModel& model) {
  const absl::StatusOr<std::vector<TextPair>> pairs =
      ReadTextPairFile(absl::GetFlag(FLAGS_alignment), /*max_references=*/1);
  if (!pairs.ok()) return pairs.status();
  const absl::StatusOr<HeadChoice> choice =
      ChooseHeads(model, *pairs, absl::GetFlag(FLAGS_calibration_lines));
  if (!choice.ok()) return choice.status();
  std::printf("%d heads with shift %d find %.2f %% of %lld links\n",
              static_cast<int>(choice->heads.heads.size()), choice->heads.shift,
              100 * choice->agreement,
              static_cast<long long>(choice->num_links));
  model.description.architecture.alignment = choice->heads;
  return WriteAlignmentHeads(absl::GetFlag(FLAGS_output), choice->heads);
}

absl::Status MeasureAlignment(const AlignmentModel& model,
                              const std::string& path) {
  const absl::StatusOr<std::vector<GoldAlignment>> gold =
      ReadGoldAlignments(path);
  if (!gold.ok()) return gold.status();
  const absl::StatusOr<double> rate = MeasureErrorRate(model, *gold);
  if (!rate.ok()) return rate.status();
  std::printf("alignment error rate %.3f on %lld pairs\n", *rate,
              static_cast<long long>(gold->size()));
  return absl::OkStatus();
}

absl::Status CheckAlignmentFlags(bool chooses) {
  if (absl::GetFlag(FLAGS_input).empty()) {
    return UsageError("--input is not given");
  }
  if (chooses == absl::GetFlag(FLAGS_output).empty()) {
    return UsageError("--output and --alignment belong together");
  }
  if (absl::GetFlag(FLAGS_kv_heads) != 0 ||
      absl::GetFlag(FLAGS_cross_kv_heads) != 0 ||
      !absl::GetFlag(FLAGS_calibration).empty() ||
      !absl::GetFlag(FLAGS_shortlist).empty()) {
    return UsageError(
        "--kv_heads, --cross_kv_heads, --calibration and --shortlist are not "
        "possible with --alignment and --alignment_gold");
  }
  if (absl::GetFlag(FLAGS_calibration_lines) < 1) {
    return UsageError("--calibration_lines must be at least 1");
  }
  return absl::OkStatus();
}

ExitCode RunAlignment() {
  const bool chooses = !absl::GetFlag(FLAGS_alignment).empty();
  absl::Status status = CheckAlignmentFlags(chooses);
  if (!status.ok()) return PrintError(kProgram, kExitWrongFlags, status);
  absl::StatusOr<AlignmentModel> model = LoadAlignmentModel();
  if (!model.ok()) return PrintError(kProgram, kExitWrongModel, model.status());
  if (chooses) status = ChooseAlignment(*model);
  const std::string gold = absl::GetFlag(FLAGS_alignment_gold);
  if (status.ok() && !gold.empty()) status = MeasureAlignment(*model, gold);
  if (status.ok()) status = FlushStdout();
  if (status.ok()) return kExitDone;
  return PrintError(
      kProgram, absl::IsAlreadyExists(status) ? kExitWrongFlags : kExitFailed,
      status);
}

ExitCode Main(const std::vector<std::string>& args) {
  const ProgramInfo program = {kProgram, kAbout + 1, "train/convert/main.cc"};
  if (const auto end = ReadCommandLine(program, args)) return *end;
  const StartGuard guard(kProgram,
                         "conversion takes memory for some tensors, "
                         "--calibration for the whole model, --shortlist for "
                         "all pairs of tokens that occur together",
                         kExitWrongModel);
  if (!absl::GetFlag(FLAGS_alignment).empty() ||
      !absl::GetFlag(FLAGS_alignment_gold).empty()) {
    return RunAlignment();
  }
  if (!absl::GetFlag(FLAGS_shortlist).empty()) {
    const absl::StatusOr<ShortlistOptions> options =
        ShortlistOptionsFromFlags();
    if (!options.ok()) {
      return PrintError(kProgram, kExitWrongFlags, options.status());
    }
    return RunMakeShortlist(*options);
  }
  const absl::StatusOr<ConvertOptions> options = OptionsFromFlags();
  if (!options.ok())
    return PrintError(kProgram, kExitWrongFlags, options.status());
  return Convert(*options);
}

}  // namespace
}  // namespace sheaf

int main(int argc, char** argv) {
  return sheaf::Main(std::vector<std::string>(argv + 1, argv + argc));
}
