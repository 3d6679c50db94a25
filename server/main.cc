// SPDX-License-Identifier: Apache-2.0

// sheaf-server: joins a model to the engine and serves it.

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "base/process_limits.h"
#include "base/program.h"
#include "base/standard_streams.h"
#include "base/start_guard.h"
#include "base/version.h"
#include "engine/isa_choice.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/kernels.h"
#include "server/access/auth_tokens.h"
#include "server/access/credentials.h"
#include "server/flags.h"
#include "server/glossaries.h"
#include "server/model_dir.h"
#include "server/ops/connection_listener.h"
#include "server/ops/durable_files.h"
#include "server/ops/log.h"
#include "server/ops/resource_limits.h"
#include "server/ops/signals.h"
#include "server/server.h"
#include "server/server_model.h"

namespace sheaf {
namespace {

// Runs before the libraries' constructors, which open descriptors.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kBeforeLibraries)() = FillStandardStreams;

// The maximum delay of start or end by a reader of stdout or stderr that does
// not read.
constexpr absl::Duration kStreamTimeout = absl::Milliseconds(500);
// The time after --drain_timeout at which the process is ended by force.
constexpr absl::Duration kEndMargin = absl::Seconds(1);

std::vector<std::string> TaskNames(const ServedModel& model) {
  std::vector<std::string> names;
  names.reserve(model.tasks.tasks.size());
  for (const Task& task : model.tasks.tasks) names.push_back(task.name);
  return names;
}

void LogNotes(const ServedModel& model, Log& log) {
  if (model.tokenizers.source == nullptr) {
    log.Note(
        "note: the model directory has no tokenizer; only Generate with tokens "
        "is served");
  } else if (model.tasks.tasks.empty()) {
    log.Note(
        "note: the model's files and name tell no task, so only Generate is "
        "served; --languages or --tasks tells one");
  }
  for (const std::string& warning : model.warnings) {
    log.Note(absl::StrCat("warning: ", warning));
  }
}

// Warns of addresses that clients can reach without proving who they are.
void WarnOfOpenAddresses(const ServerOptions& options, Log& log) {
  const auto warn = [&log](const HostPort& address, absl::string_view what) {
    log.Note(absl::StrFormat("warning: %s is open to other machines %s",
                             address.ToString(), what));
  };
  if (!options.listen.is_loopback() && options.tls.client_ca.empty()) {
    warn(options.listen,
         "that need no certificate; make sure that only the proxy can reach it "
         "(--behind_proxy)");
  }
  if (options.http_listen.has_value() && !options.http_listen->is_loopback() &&
      !options.tls.is_set()) {
    warn(*options.http_listen,
         "without encryption (--behind_proxy or --allow_insecure)");
  }
  if (!options.metrics_listen.is_loopback()) {
    warn(options.metrics_listen, "without encryption (--allow_insecure)");
  }
  if (options.is_behind_proxy && options.trusted_proxies.is_empty()) {
    log.Note(
        "note: --behind_proxy without --trusted_proxies: limits per address "
        "hold for the proxy, not for its clients");
  }
}

void LogStart(const Server& server, const ServedModel& model, kernels::Isa isa,
              Log& log) {
  log.Note(absl::StrCat("metrics on ", server.metrics_listen().ToString()));
  if (server.http_listen().has_value()) {
    log.Note(absl::StrCat("HTTP on ", server.http_listen()->ToString()));
  }
  Log::Fields fields = {{"listen", server.listen().ToString()},
                        {"metrics_listen", server.metrics_listen().ToString()},
                        {"http_listen", server.http_listen().has_value()
                                            ? server.http_listen()->ToString()
                                            : ""},
                        {"version", Version()},
                        {"commit", Commit()},
                        {"compiler", Compiler()},
                        {"model", model.name},
                        {"isa", kernels::IsaName(isa)},
                        {"weight_bytes", model.weight_bytes},
                        {"tasks", TaskNames(model)},
                        {"warnings", model.warnings}};
  for (const auto& [name, value] : FlagValues()) {
    fields["flags"][name] = value;
  }
  log.Event("start", fields);
}

// Checks the files that are needed besides the model, before it is loaded.
absl::Status CheckFiles(const ServerOptions& options, bool is_check_only) {
  if (options.tls.is_set()) {
    const absl::StatusOr<TlsIdentity> identity = ReadTlsFiles(options.tls);
    if (!identity.ok()) return identity.status();
    // The server starts all the same, because the machine's clock may be wrong
    // at boot.
    const absl::Status valid =
        CheckValidAt(*identity, options.tls, absl::Now());
    if (is_check_only && !valid.ok()) return valid;
  }
  absl::Status status;
  if (!options.auth_tokens_file.empty()) {
    status =
        AuthTokens::Load(options.auth_tokens_file, [](const absl::Status&) {
        }).status();
  }
  // The server reads them when it starts.
  if (is_check_only && status.ok() && !options.glossaries.empty()) {
    status =
        Glossaries::Load(options.glossaries, [](const std::string&,
                                                const absl::Status&, int32_t) {
        }).status();
  }
  // Another server may be using it now.
  if (is_check_only && status.ok() && !options.http_glossaries.empty()) {
    status = DurableFiles::CheckDirectory(options.http_glossaries);
  }
  return status;
}

// Tells the process that started the server that it is ready. A reader that
// does not read does not delay the service.
void Announce(const HostPort& address, Log& log) {
  const std::string line =
      absl::StrCat("listening on ", address.ToString(), "\n");
  if (WriteWithin(STDOUT_FILENO, line, kStreamTimeout)) return;
  log.Note(absl::StrCat("note: stdout does not take \"listening on ",
                        address.ToString(), "\""));
}

void DrainAndFlush(Server& server, absl::Duration timeout, Log& log) {
  const MonotonicTime deadline = MonotonicTime::Now() + timeout;
  log.Event("drain", {{"timeout_ms", absl::ToInt64Milliseconds(timeout)}});
  server.Drain(timeout);
  log.Event("end", Log::Fields::object());
  constexpr absl::Duration kLeastFlush = absl::Milliseconds(100);
  log.Flush(
      std::clamp(deadline - MonotonicTime::Now(), kLeastFlush, kStreamTimeout));
}

// The options of Server::Start() that depend on the model.
ServerOptions WithModel(ServerOptions options, const ServerModel& model,
                        Log* log) {
  options.max_queued_bytes = model.max_queued_bytes();
  options.log = log;
  return options;
}

// Lowers --max_connections to the number of files that the process may open.
void LimitConnections(ServerOptions& options, Log& log) {
  // Each front has as many.
  const int32_t max_connections =
      MostConnections() / (options.http_listen.has_value() ? 2 : 1);
  if (options.max_connections <= max_connections) return;
  log.Note(absl::StrFormat(
      "note: --max_connections is %d; the process may open files for %d",
      options.max_connections, max_connections));
  options.max_connections = max_connections;
}

void PrintChecked(const ServedModel& model) {
  std::printf("flags, files and model \"%s\" are right\n", model.name.c_str());
  for (const std::string& warning : model.warnings) {
    std::printf("warning: %s\n", warning.c_str());
  }
}

ExitCode Serve(ProgramOptions flags) {
  const absl::StatusOr<IsaChoice> isa = ChooseIsa(flags.isa);
  if (!isa.ok()) return PrintError(kProgram, kExitWrongFlags, isa.status());
  if (absl::Status status = CheckFiles(flags.server, flags.is_check_only);
      !status.ok()) {
    return PrintError(kProgram, kExitWrongFlags, status);
  }
  absl::Status can_start = CheckOpenFiles();
  can_start.Update(
      CheckThreads("the server", ThreadsAtStart(flags.num_threads)));
  if (!can_start.ok()) return PrintError(kProgram, kExitFailed, can_start);
  std::optional<StartGuard> guard;
  guard.emplace(kProgram, "the server takes memory and threads at start",
                kExitWrongModel);
  const absl::StatusOr<std::string> dir = FindModelDir(flags.model);
  if (!dir.ok()) return PrintError(kProgram, kExitWrongModel, dir.status());
  absl::StatusOr<std::unique_ptr<ServerModel>> model =
      ServerModel::Load(*dir, flags, isa->isa);
  if (!model.ok()) return PrintError(kProgram, kExitWrongModel, model.status());
  const ServedModel& served = (*model)->served();
  if (flags.is_check_only) {
    PrintChecked(served);
    return kExitDone;
  }
  Log log(flags.log_format);
  LimitConnections(flags.server, log);
  if (!isa->warning.empty()) {
    log.Note(absl::StrCat("warning: ", isa->warning));
  }
  LogNotes(served, log);
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(
      WithModel(flags.server, **model, &log), served, (*model)->parts());
  if (!server.ok()) {
    log.Flush(kStreamTimeout);
    return PrintError(kProgram, kExitFailed, server.status());
  }
  guard.reset();
  WarnOfOpenAddresses(flags.server, log);
  LogStart(**server, served, isa->isa, log);
  log.Flush(kStreamTimeout);
  Announce((*server)->listen(), log);
  while (AwaitSignal() == SignalMeaning::kReload) {
    log.Event("reload", Log::Fields::object());
    (*server)->Reload();
  }
  EndAtSignalOrAfter(flags.drain_timeout + kEndMargin, kExitDone);
  DrainAndFlush(**server, flags.drain_timeout, log);
  // Nothing is left to do, and the log's thread may be blocked in a write that
  // its reader delays.
  std::_Exit(kExitDone);
}

// Makes the heap return the memory of large requests to the system when they
// end. By default glibc has eight arenas per processor, and keeps freed blocks
// of up to 32 MiB. If address space is limited (ulimit -v), the stacks of
// threads need what a second arena would reserve.
void LimitHeap() {
  mallopt(M_ARENA_MAX, HasAddressSpaceLimit() ? 1 : 2);
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

ExitCode Main(const std::vector<std::string>& args) {
  LimitHeap();
  PrepareSignals();
  const ProgramInfo program = {
      kProgram,
      "sheaf-server serves an encoder-decoder language model over gRPC.",
      "server/flags.cc"};
  if (const auto end = ReadCommandLine(program, args)) return *end;
  const absl::StatusOr<ProgramOptions> options = OptionsFromFlags();
  if (!options.ok()) {
    return PrintError(kProgram, kExitWrongFlags, options.status());
  }
  return Serve(*options);
}

}  // namespace
}  // namespace sheaf

int main(int argc, char** argv) {
  return sheaf::Main(std::vector<std::string>(argv + 1, argv + argc));
}
