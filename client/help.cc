// SPDX-License-Identifier: Apache-2.0

#include "client/help.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/program.h"
#include "base/usage_error.h"

namespace sheaf {
namespace {

struct Command {
  absl::string_view name;
  absl::string_view about;  // begins with a line end, for a raw string's sake
  absl::string_view flags;  // names, separated by white space
  bool has_decoding_flags;
};

constexpr absl::string_view kCallFlags = R"(
  server tls tls_ca tls_cert tls_key tls_server_name token_file max_attempts
  timeout flagfile help version
)";
constexpr absl::string_view kDecodingFlags = R"(
  model max_new_tokens min_new_tokens beam_size num_hypotheses length_penalty
  early_stopping repetition_penalty no_repeat_ngram_size temperature top_k top_p
  seed stop target_prefix suppressed_tokens forced_bos_token_id
  forced_eos_token_id loop_guard
)";

constexpr Command kCommands[] = {
    {"translate", R"(
sheaf translate --to=LANGUAGE [FLAGS] [TEXT... | < TEXT]

Translates the TEXT arguments, joined by spaces, or each line of stdin or of
--input. Every line in gives one line out, in the same order, and so does a
blank line. With --input and --output, the same command continues an interrupted
run where it stopped. With --line_breaks, all of stdin or --input is one text.

Files in other formats are translated as a whole and keep their structure:
Markdown, HTML, XML, subtitles (SRT, VTT), gettext's PO and POT, XLIFF 1.2 and
2.0, and JSON with strings. The extension of --input tells the format, or
--format does.
)",
     "from to copy_target_language format retranslate mark_for_review "
     "protect_spans do_not_translate term glossary "
     "repair report stream json input output overwrite concurrency "
     "line_breaks",
     /*has_decoding_flags=*/true},
    {"summarize", R"(
sheaf summarize [FLAGS] [TEXT... | < TEXT]

Summarizes one text: the arguments, or all of stdin or of --input.
)",
     "stream json input", /*has_decoding_flags=*/true},
    {"generate", R"(
sheaf generate [FLAGS] [--ids=5,6,7 | TEXT... | < TEXT]

Runs the model on a text or on token ids as they are, without a task prompt. If
the answer has no text, prints its ids, even with --stream only at the end.
)",
     "ids stream json input", /*has_decoding_flags=*/true},
    {"detect", R"(
sheaf detect [FLAGS] [TEXT... | < TEXT]

Tells the language of the TEXT arguments, joined by spaces, or of each line of
stdin or of --input. Every line in gives one line out: the tag of the most
confident language and its confidence from 0 to 1, separated by a tab, or "und"
and 0 if the text does not show its language. With --to, the language is one
from which the model translates to it.
)",
     "model to json input concurrency", /*has_decoding_flags=*/false},
    {"models", R"(
sheaf models [FLAGS] [NAME...]

Lists the models that the server serves.
)",
     "json", /*has_decoding_flags=*/false},
    {"load", R"(
sheaf load [--rate=R | --clients=N] --seconds=S [FLAGS]

Sends streaming requests at random times, regardless of the state of earlier
requests, and prints one line of JSON: the number of successes, requests and
tokens per second, and the 50th, 90th and 99th percentiles of the time to the
first output (ttft), between outputs (itl) and to the end (e2e). With --clients,
a request starts when one before it is done, which shows the capacity of the
server. If --from and --to are not given, translates from en to de.
)",
     "rate clients seconds http whole task from to text input source_tokens "
     "source_vocab_size",
     /*has_decoding_flags=*/true},
    {"health", R"(
sheaf health [FLAGS] [SERVICE]

Asks the server for its health over a new connection. Prints SERVING, or ends
with exit code 1. The SERVICE liveness tells whether the engine makes progress.
If --timeout is not given, waits 5 seconds.
)",
     "", /*has_decoding_flags=*/false},
};

constexpr absl::string_view kProgramHelp =
    R"(sheaf: translates, summarizes and generates with a Sheaf server.

  sheaf translate --to=LANGUAGE [FLAGS] [TEXT... | < TEXT]
  sheaf summarize [FLAGS] [TEXT... | < TEXT]
  sheaf generate  [FLAGS] [--ids=5,6,7 | TEXT... | < TEXT]
  sheaf detect    [FLAGS] [TEXT... | < TEXT]
  sheaf models    [FLAGS] [NAME...]
  sheaf load      [--rate=R | --clients=N] --seconds=S [FLAGS]
  sheaf health    [FLAGS] [SERVICE]
  sheaf help      [SUBCOMMAND]           flags and their meaning
  sheaf --version

Examples:
  sheaf translate --server=127.0.0.1:50051 --from=en --to=de "Good morning."
  sheaf translate --from=en --to=de --beam_size=4 < book.en > book.de
  sheaf translate --to=de --beam_size=4 --num_hypotheses=4 "Good morning."
  sheaf translate --from=en --to=de --input=book.en --output=book.de
  sheaf translate --from=en --to=de --input=page.html --output=seite.html
  sheaf translate --from=auto --to=de --copy_target_language < mixed.txt
  sheaf translate --to=de --format=html "<p>Press <b>Save</b> now.</p>"
  sheaf detect "Guten Morgen."
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
         absl::StrSplit(group, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
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
  std::string help = absl::StrCat(command->about.substr(1), "\n");
  for (absl::string_view flag : FlagsOf(*command)) {
    absl::StrAppend(&help, FlagHelp(flag));
  }
  return help;
}

absl::Status CheckFlagsOf(absl::string_view name,
                          const std::vector<std::string>& flags) {
  const std::vector<absl::string_view> known = FlagsOf(*FindCommand(name));
  for (const std::string& flag : flags) {
    if (std::find(known.begin(), known.end(), flag) == known.end()) {
      return UsageError(absl::StrCat("--", flag, " is not a flag of ", name,
                                     "; see: sheaf help ", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace sheaf
