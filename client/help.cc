#include "client/help.h"

#include <algorithm>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/usage_error.h"

namespace sheaf {
namespace {

struct Command {
  absl::string_view name;
  absl::string_view synopsis;
  absl::string_view about;
  absl::string_view flags;  // Names, separated by spaces.
  bool has_decoding_flags;
};

constexpr absl::string_view kCallFlags =
    "server tls tls_ca tls_cert tls_key tls_server_name token_file "
    "max_attempts "
    "timeout flagfile help";
constexpr absl::string_view kDecodingFlags =
    "model max_new_tokens min_new_tokens beam_size num_hypotheses "
    "length_penalty early_stopping repetition_penalty no_repeat_ngram_size "
    "temperature top_k top_p seed stop target_prefix suppressed_tokens "
    "forced_bos_token_id forced_eos_token_id loop_guard";

constexpr Command kCommands[] = {
    {"translate", "sheaf translate --to=LANGUAGE [FLAGS] [TEXT... | < TEXT]",
     "Translates the TEXT arguments, joined by spaces, or each line of stdin "
     "or\n"
     "of --input: one line out for one line in, blank ones too, in order. "
     "With\n"
     "--input and --output an interrupted run goes on where it stopped when "
     "the\n"
     "same command is given again. With --line_breaks stdin or --input is one\n"
     "text.\n",
     "from to stream json input output overwrite concurrency line_breaks",
     /*has_decoding_flags=*/true},
    {"summarize", "sheaf summarize [FLAGS] [TEXT... | < TEXT]",
     "Summarizes one text: the arguments, or all of stdin or of --input.\n",
     "stream json input", /*has_decoding_flags=*/true},
    {"generate", "sheaf generate [FLAGS] [--ids=5,6,7 | TEXT... | < TEXT]",
     "Runs the model on a text or on token ids as they are, without a task\n"
     "prompt. Prints the ids if the answer has no text, with --stream too at\n"
     "the end only.\n",
     "ids stream json input", /*has_decoding_flags=*/true},
    {"models", "sheaf models [FLAGS] [NAME...]",
     "Lists what the server serves.\n", "json", /*has_decoding_flags=*/false},
    {"load", "sheaf load --rate=R --seconds=S [FLAGS]",
     "Sends streaming requests at random times, whatever has become of those\n"
     "before, and prints one JSON line: how many succeeded, tokens a second, "
     "and\n"
     "50th, 90th and 99th percentiles of the time to the first output (ttft),\n"
     "between outputs (itl) and to the end (e2e). Translates from en to de if\n"
     "--from and --to are not given.\n",
     "rate seconds task from to text input source_tokens source_vocab_size",
     /*has_decoding_flags=*/true},
    {"health", "sheaf health [FLAGS] [SERVICE]",
     "Asks the server how it is, over a new connection: prints SERVING, or "
     "ends\n"
     "with 1. The SERVICE liveness is whether the engine moves. Waits 5 "
     "seconds "
     "if\n"
     "--timeout is not given.\n",
     "", /*has_decoding_flags=*/false},
};

constexpr absl::string_view kProgramHelp =
    R"(sheaf: translates, summarizes and generates with a Sheaf server.

  sheaf translate --to=LANGUAGE [FLAGS] [TEXT... | < TEXT]
  sheaf summarize [FLAGS] [TEXT... | < TEXT]
  sheaf generate  [FLAGS] [--ids=5,6,7 | TEXT... | < TEXT]
  sheaf models    [FLAGS] [NAME...]
  sheaf load      --rate=R --seconds=S [FLAGS]
  sheaf health    [FLAGS] [SERVICE]
  sheaf help      [SUBCOMMAND]           flags and what they mean

Examples:
  sheaf translate --server=127.0.0.1:50051 --from=en --to=de "Good morning."
  sheaf translate --from=en --to=de --beam_size=4 < book.en > book.de
  sheaf translate --to=de --beam_size=4 --num_hypotheses=4 "Good morning."
  sheaf translate --from=en --to=de --input=book.en --output=book.de
  sheaf summarize --stream --max_new_tokens=60 < article.txt
  sheaf generate --json --ids=13959,1566,12,2968,10,148,1
  sheaf load --rate=20 --seconds=30 --timeout=10s

How the output is chosen: --beam_size --num_hypotheses --length_penalty
--early_stopping --repetition_penalty --no_repeat_ngram_size --temperature
--top_k --top_p --seed --min_new_tokens --max_new_tokens --stop --target_prefix
--suppressed_tokens --forced_bos_token_id --forced_eos_token_id --loop_guard;
see: sheaf help translate

Text after -- is never a flag: sheaf translate --to=de -- --quiet is a flag
Exit code: 0 done, 1 a call failed, 2 the command line is wrong.
)";

const Command* FindCommand(absl::string_view name) {
  for (const Command& command : kCommands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::vector<absl::string_view> FlagsOf(const Command& command) {
  std::vector<absl::string_view> flags;
  for (absl::string_view group :
       {command.flags, command.has_decoding_flags ? kDecodingFlags : "",
        kCallFlags}) {
    for (absl::string_view flag :
         absl::StrSplit(group, ' ', absl::SkipEmpty())) {
      flags.push_back(flag);
    }
  }
  return flags;
}

}  // namespace

std::string ProgramHelp() { return std::string(kProgramHelp); }

absl::StatusOr<std::string> CommandHelp(absl::string_view name) {
  const Command* command = FindCommand(name);
  if (command == nullptr) {
    return UsageError(absl::StrCat("there is no subcommand \"", name, "\""));
  }
  std::string help = absl::StrCat(command->synopsis, "\n\n", command->about);
  for (absl::string_view flag_name : FlagsOf(*command)) {
    const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(flag_name);
    absl::StrAppend(&help, "\n  --", flag_name, "\n      ", flag->Help());
    const std::string value = flag->DefaultValue();
    if (!value.empty() && value != "false") {
      absl::StrAppend(&help, " Default: ", value);
    }
  }
  return absl::StrCat(help, "\n");
}

absl::Status CheckFlagsOf(absl::string_view name,
                          const std::vector<std::string>& flags) {
  const std::vector<absl::string_view> known = FlagsOf(*FindCommand(name));
  for (const std::string& flag : flags) {
    if (std::find(known.begin(), known.end(), flag) == known.end()) {
      return UsageError(absl::StrCat("--", flag, " is no flag of ", name,
                                     "; see: sheaf help ", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace sheaf
