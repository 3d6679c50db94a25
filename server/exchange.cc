// SPDX-License-Identifier: Apache-2.0

#include "server/exchange.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/answer.h"

namespace sheaf {
namespace {

// Longer messages are read on the reading threads. Reading this much takes a
// few milliseconds.
constexpr int64_t kShortRequestBytes = 8 << 10;

// How long a client may take to read the answer after the request's deadline.
constexpr absl::Duration kReadGrace = absl::Seconds(1);

// Memory of the transport and an exchange, in addition to the message.
constexpr int64_t kBytesPerExchange = 16 << 10;
// Approximate memory of an answer with its token ids, per byte of the message.
constexpr int64_t kAnswerBytes = 3;

// None for a client that left before its request was read.
std::optional<Rejection> RejectionOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return std::nullopt;
    case absl::StatusCode::kNotFound:
      return Rejection::kUnknownModel;
    case absl::StatusCode::kUnimplemented:
      return Rejection::kUnimplemented;
    case absl::StatusCode::kFailedPrecondition:
      return Rejection::kNoTokenizer;
    case absl::StatusCode::kResourceExhausted:
      return Rejection::kQueueFull;
    case absl::StatusCode::kUnavailable:
      return Rejection::kDraining;
    case absl::StatusCode::kDeadlineExceeded:
      return Rejection::kDeadline;
    case absl::StatusCode::kUnauthenticated:
      return Rejection::kUnauthenticated;
    default:
      return Rejection::kInvalidArgument;
  }
}

Detection DetectionOf(const std::vector<LanguageGuess>& guesses) {
  if (guesses.empty() || guesses.front().confidence == 0) {
    return Detection::kUnknown;
  }
  return guesses.front().confidence > 0.5f ? Detection::kCertain
                                           : Detection::kUncertain;
}

// Counts what became of the text of an answer.
void CountText(const AnswerSummary& summary, Metrics& metrics) {
  metrics.CountCopied(CopyReason::kNoLetter, summary.copied.without_letter);
  metrics.CountCopied(CopyReason::kTargetLanguage,
                      summary.copied.in_target_language);
  for (const std::vector<LanguageGuess>& guesses : summary.detected) {
    metrics.CountDetection(DetectionOf(guesses));
  }
  metrics.CountChecks(summary.checks);
}

RequestRecord RecordOf(const Caller& caller) {
  RequestRecord record;
  record.request_id = RequestIdOr(caller.request_id);
  record.traceparent = CheckedTraceparent(caller.traceparent);
  record.method = caller.method;
  record.peer = caller.peer;
  record.certificate_subject = caller.certificate_subject;
  record.arrival = MonotonicTime::Now();
  return record;
}

}  // namespace

Exchange::Exchange(const Services& services, Caller caller,
                   std::shared_ptr<Responder> responder, bool is_rest_of_call)
    : services_(services),
      responder_(std::move(responder)),
      is_rest_of_call_(is_rest_of_call),
      caller_(std::move(caller)),
      record_(RecordOf(caller_)),
      deadline_(std::min(caller_.deadline,
                         record_.arrival + services.default_deadline)) {
  services_.open_exchanges->Add(1);
}

bool Exchange::Authorize() {
  absl::StatusOr<CallerLease> lease = services_.limiter->Acquire(caller_);
  caller_ = Caller();
  if (!lease.ok()) {
    Refuse(lease.status(), absl::IsResourceExhausted(lease.status())
                               ? Rejection::kCallerLimit
                               : RejectionOf(lease.status()));
    return false;
  }
  lease_.emplace(*std::move(lease));
  record_.token_name = lease_->token_name();
  if (!record_.token_name.empty()) {
    services_.metrics->CountClient(record_.token_name);
  }
  if (is_rest_of_call_) return true;
  if (absl::Status status = services_.intake->CheckOpen(); !status.ok()) {
    Refuse(status, RejectionOf(status));
    return false;
  }
  return true;
}

bool Exchange::TakeMessage(int64_t message_bytes) {
  message_bytes_ = message_bytes;
  BeginRequest();  // first, so that a drain that has closed the intake waits
  const auto take = is_rest_of_call_ ? &Intake::TakeMore : &Intake::Take;
  absl::StatusOr<IntakeBytes> bytes = (services_.intake->*take)(
      lease_->caller(), kBytesPerExchange + message_bytes);
  if (!bytes.ok()) {
    RefuseBytes(bytes.status());
    return false;
  }
  held_bytes_.emplace(*std::move(bytes));
  return true;
}

void Exchange::OnNoMessage(const absl::Status& reason) {
  // A message that is too large is the client's error, not a full queue.
  Refuse(reason, absl::IsResourceExhausted(reason) ? Rejection::kInvalidArgument
                                                   : RejectionOf(reason));
}

void Exchange::BeginRequest() {
  is_unfinished_ = true;
  services_.unfinished_requests->Add(1);
}

void Exchange::EndRequest() {
  if (std::exchange(is_unfinished_, false)) {
    services_.unfinished_requests->Add(-1);
  }
}

void Exchange::Start(Read read) {
  auto task = [self = shared_from_this(), read = std::move(read)] {
    self->Submit(self->Prepare(read));
  };
  if (message_bytes_ <= kShortRequestBytes) return task();
  if (!AwaitTurn(std::move(task))) RefuseText();
}

void Exchange::RefuseText() {
  Submit(absl::ResourceExhaustedError(
      "as many long texts wait already as this server queues"));
}

// Returns false if too many texts wait already; then the task will not run.
bool Exchange::AwaitTurn(std::function<void()> task) {
  const std::optional<FairExecutor::Ticket> ticket = services_.reading->TryRun(
      {lease_->caller(), static_cast<size_t>(message_bytes_), std::move(task),
       [self = shared_from_this()] { self->RefuseText(); }});
  if (!ticket.has_value()) return false;
  bool is_client_gone = false;
  {
    absl::MutexLock lock(&mu_);
    ticket_ = ticket;
    is_client_gone = is_client_gone_;
  }
  // OnClientGone() did not know the ticket.
  if (is_client_gone) WithdrawText();
  return true;
}

void Exchange::WithdrawText() {
  std::optional<FairExecutor::Ticket> ticket;
  {
    absl::MutexLock lock(&mu_);
    ticket.swap(ticket_);
  }
  if (!ticket.has_value()) return;
  const std::function<void()> task = services_.reading->Withdraw(*ticket);
  // Refuses at once, because the client has left.
  if (task != nullptr) task();
}

// The reason why a request need not be read any further.
absl::Status Exchange::CheckWanted() {
  if (MonotonicTime::Now() >= deadline_) {
    return absl::DeadlineExceededError(
        "the deadline passed before the request was read");
  }
  if (services_.intake->is_abandoned()) {
    return absl::UnavailableError("the server is draining");
  }
  if (IsClientGone()) return absl::CancelledError("the client has left");
  return absl::OkStatus();
}

absl::StatusOr<PreparedRequest> Exchange::Prepare(const Read& read) {
  if (absl::Status status = CheckWanted(); !status.ok()) return status;
  absl::StatusOr<PreparedRequest> prepared = read([this] {
    services_.reading->Yield();
    return CheckWanted().ok();
  });
  if (absl::IsCancelled(prepared.status())) {
    if (absl::Status status = CheckWanted(); !status.ok()) return status;
  }
  return prepared;
}

void Exchange::Submit(absl::StatusOr<PreparedRequest> prepared) {
  if (!prepared.ok()) {
    return Refuse(prepared.status(), RejectionOf(prepared.status()));
  }
  if (absl::Status status = held_bytes_->Resize(kBytesPerExchange +
                                                kAnswerBytes * message_bytes_ +
                                                BytesOf(*prepared));
      !status.ok()) {
    return RefuseBytes(status);
  }
  record_.model = std::move(prepared->model);
  Request& request = prepared->request;
  prepared->plan.is_streamed = responder_->TakesParts();
  const RequestDecodes& decodes = delivering_.decodes.emplace(
      std::move(prepared->plan), request,
      std::min(lease_->max_sequences(),
               services_.engine->MaxBeamSize(
                   /*lane=*/0, request.max_segment_tokens,
                   request.sampling.max_new_tokens)));
  {
    absl::MutexLock lock(&mu_);
    first_segment_ = decodes.first_segment();
  }
  // The engine keeps the deadline of what runs. This one is for a client that
  // does not read its answer.
  responder_->LimitReading(deadline_ + kReadGrace);
  std::optional<RequestHandle> handle;
  if (!request.segments.empty()) {
    if (absl::Status status = lease_->GrowTo(request.sampling.beam_size);
        !status.ok()) {
      return Refuse(status, absl::IsResourceExhausted(status)
                                ? Rejection::kCallerLimit
                                : RejectionOf(status));
    }
    const absl::StatusOr<RequestHandle> submitted =
        SubmitToEngine(std::move(request));
    if (!submitted.ok()) {
      return Refuse(submitted.status(), RejectionOf(submitted.status()));
    }
    handle = *submitted;
  } else {
    EndRequest();
  }
  bool is_client_gone = false;
  {
    absl::MutexLock lock(&mu_);
    has_started_ = true;
    engine_handle_ = handle;
    // Without segments there is nothing to run.
    if (!handle.has_value()) inbox_.outcome = absl::OkStatus();
    if (!inbox_.updates.empty() || inbox_.outcome.has_value()) PushLocked();
    is_client_gone = is_client_gone_;
  }
  // OnClientGone() did not know the handle.
  if (is_client_gone) CancelInEngine();
}

absl::StatusOr<RequestHandle> Exchange::SubmitToEngine(Request request) {
  request.deadline = deadline_;
  request.sink = this;
  request.caller = lease_->caller();
  request.weight = lease_->weight();
  held_by_engine_ = shared_from_this();
  absl::StatusOr<RequestHandle> submitted =
      services_.engine->Submit(/*lane=*/0, std::move(request));
  if (!submitted.ok()) held_by_engine_.reset();
  return submitted;
}

void Exchange::Refuse(const absl::Status& status,
                      std::optional<Rejection> reason) {
  if (reason.has_value()) services_.metrics->CountRejected(*reason);
  EndRequest();
  RecordEnd(status);
  responder_->Fail(status);
}

// The intake has no place for the request.
void Exchange::RefuseBytes(const absl::Status& status) {
  Refuse(status, absl::IsResourceExhausted(status) ? Rejection::kQueuedBytes
                                                   : RejectionOf(status));
}

bool Exchange::IsClientGone() {
  absl::MutexLock lock(&mu_);
  return is_client_gone_;
}

void Exchange::OnClientGone() {
  {
    absl::MutexLock lock(&mu_);
    is_client_gone_ = true;
  }
  WithdrawText();
  CancelInEngine();
}

void Exchange::OnWritable() {
  absl::MutexLock lock(&mu_);
  PushLocked();
}

void Exchange::OnClosed() {
  // Before the count goes down: then the intake may be destroyed.
  held_bytes_.reset();
  if (is_unread_) {
    record_.is_unread = true;
    record_.code = absl::StatusCode::kCancelled;
  }
  WriteRecord(record_, services_.log);
  services_.open_exchanges->Add(-1);
}

Exchange::Update& Exchange::UpdateOf(int32_t segment_index) {
  std::vector<Update>& updates = inbox_.updates;
  if (updates.empty() || updates.back().segment_index != segment_index ||
      !updates.back().finished.empty()) {
    updates.push_back({segment_index, {}, {}});
  }
  return updates.back();
}

void Exchange::PushLocked() {
  if (is_pushed_ || !has_started_) return;
  is_pushed_ = true;
  services_.delivery->Push(shared_from_this());
}

void Exchange::OnStarted(absl::Duration queued) {
  absl::MutexLock lock(&mu_);
  if (!queued_.has_value()) queued_ = queued;
}

void Exchange::OnTokens(int32_t segment_index,
                        absl::Span<const int32_t> tokens) {
  absl::MutexLock lock(&mu_);
  if (!first_token_.has_value() && segment_index >= first_segment_) {
    first_token_ = MonotonicTime::Now();
  }
  Update& update = UpdateOf(segment_index);
  update.tokens.insert(update.tokens.end(), tokens.begin(), tokens.end());
  PushLocked();
}

void Exchange::OnSegmentFinished(int32_t segment_index,
                                 std::vector<Hypothesis> hypotheses) {
  SHEAF_CHECK(!hypotheses.empty());
  absl::MutexLock lock(&mu_);
  UpdateOf(segment_index).finished = std::move(hypotheses);
  PushLocked();
}

void Exchange::OnFinished(const absl::Status& status) {
  const std::shared_ptr<Exchange> last_hold = std::move(held_by_engine_);
  EndRequest();
  absl::MutexLock lock(&mu_);
  inbox_.outcome = status;
  PushLocked();
}

void Exchange::Deliver() {
  Inbox inbox;
  {
    absl::MutexLock lock(&mu_);
    is_pushed_ = false;
    std::swap(inbox, inbox_);
  }
  if (delivering_.has_ended) return;
  std::optional<absl::Status>& outcome = delivering_.outcome;
  if (inbox.outcome.has_value()) outcome = std::move(inbox.outcome);
  RequestDecodes& decodes = *delivering_.decodes;
  if (inbox.next_round.has_value()) {
    decodes.BeginRound(*std::move(inbox.next_round));
  }
  Apply(inbox.updates);
  const Answer* answer = decodes.answer();
  if (answer == nullptr) {  // more rounds follow
    if (outcome.has_value()) FinishError(*outcome);
    return;
  }
  // How segments behind the end of the text ended does not matter.
  if (outcome.has_value() && answer->is_complete()) {
    outcome = absl::OkStatus();
  }
  if (outcome.has_value() && outcome->ok() && decodes.needs_second_request() &&
      SubmitSecond()) {
    return;
  }
  // Another caller has taken its place in the engine's queue.
  if (outcome.has_value() && decodes.is_second() &&
      absl::IsResourceExhausted(*outcome)) {
    decodes.GiveUpRepairs();
    outcome = absl::OkStatus();
  }
  if (!responder_->IsReady()) return;  // OnWritable() pushes again
  if (!outcome.has_value()) {
    SendPart();
  } else if (outcome->ok()) {
    FinishOk();
  } else {
    FinishError(*outcome);
  }
}

void Exchange::Apply(const std::vector<Update>& updates) {
  RequestDecodes& decodes = *delivering_.decodes;
  for (const Update& update : updates) {
    decodes.AddTokens(update.segment_index, update.tokens);
    if (!update.finished.empty()) {
      decodes.FinishSegment(update.segment_index, update.finished);
    }
  }
  const Answer* answer = decodes.answer();
  if (answer != nullptr && answer->is_complete() && !answer->is_finished()) {
    CancelInEngine();
  } else {
    DecodeMore();
  }
}

// Gives the engine and the reading threads what follows from the results.
void Exchange::DecodeMore() {
  RequestDecodes& decodes = *delivering_.decodes;
  if (std::optional<std::string> text = decodes.TakeRoundText()) {
    PrepareRound(*std::move(text));
  }
  std::vector<Extension> extensions = decodes.TakeExtensions();
  if (extensions.empty()) return;
  RequestHandle handle;
  {
    absl::MutexLock lock(&mu_);
    handle = *engine_handle_;
    first_segment_ = decodes.first_segment();
  }
  for (Extension& extension : extensions) {
    if (extension.sampling != nullptr) {
      lease_->CountAs(extension.sampling->beam_size);
    }
    services_.engine->Extend(handle, std::move(extension));
  }
}

// Has the repairs of a request run that has ended. Returns false if the engine
// has no place for them; then the answer is finished without.
bool Exchange::SubmitSecond() {
  RequestDecodes& decodes = *delivering_.decodes;
  Request second = decodes.TakeSecondRequest();
  BeginRequest();
  const absl::StatusOr<RequestHandle> handle =
      SubmitToEngine(std::move(second));
  if (!handle.ok()) {
    EndRequest();
    decodes.GiveUpRepairs();
    return false;
  }
  delivering_.outcome.reset();
  bool is_client_gone = false;
  {
    absl::MutexLock lock(&mu_);
    engine_handle_ = *handle;
    is_client_gone = is_client_gone_;
  }
  DecodeMore();
  if (is_client_gone) CancelInEngine();
  return true;
}

// The exchange has not ended, so the transport has not closed it and the
// reading threads are there.
void Exchange::PrepareRound(std::string text) {
  FairExecutor::Text round;
  round.caller = lease_->caller();
  round.bytes = text.size();
  round.read = [self = shared_from_this(), text = std::move(text)] {
    self->ReadRound(text);
  };
  services_.reading->Run(std::move(round));
}

void Exchange::ReadRound(const std::string& text) {
  absl::StatusOr<TokenLists> sources =
      services_.request_reader->SummarySources(text, [this] {
        services_.reading->Yield();
        return !IsClientGone();
      });
  if (!sources.ok()) return;  // the client has left
  absl::MutexLock lock(&mu_);
  inbox_.next_round = *std::move(sources);
  PushLocked();
}

void Exchange::CancelInEngine() {
  std::optional<RequestHandle> handle;
  {
    absl::MutexLock lock(&mu_);
    handle = engine_handle_;
  }
  if (handle.has_value()) services_.engine->Cancel(*handle);
}

void Exchange::RecordEnd(const absl::Status& status) {
  // Before the client knows, because it may call again at once.
  lease_.reset();
  record_.code = status.code();
  absl::MutexLock lock(&mu_);
  record_.queued = queued_;
  record_.first_token = first_token_;
}

void Exchange::SendPart() {
  if (!responder_->TakesParts()) return;
  const AnswerPart part = delivering_.decodes->answer()->TakePart();
  if (!part.text.empty() || !part.tokens.empty()) responder_->Send(part);
}

void Exchange::FinishOk() {
  delivering_.has_ended = true;
  RecordEnd(absl::OkStatus());
  Answer& answer = *delivering_.decodes->answer();
  const AnswerPart rest = answer.TakePart();
  AnswerSummary summary = answer.summary();
  summary.model = record_.model;
  record_.num_input_tokens = summary.num_input_tokens;
  record_.num_output_tokens = summary.num_output_tokens;
  record_.num_segments = summary.num_segments;
  if (summary.detected.size() == 1 && !summary.detected.front().empty()) {
    record_.detected_language = summary.detected.front().front().tag;
  }
  record_.num_decodes_again = summary.checks.num_decodes;
  record_.num_flagged = summary.checks.num_flagged;
  services_.metrics->CountSuccess(summary.finish_reason);
  CountText(summary, *services_.metrics);
  responder_->Finish(rest, summary);
}

void Exchange::FinishError(const absl::Status& status) {
  delivering_.has_ended = true;
  // A transport cancels a request whose deadline has passed; then the deadline
  // is the reason.
  const bool is_late = status.code() == absl::StatusCode::kCancelled &&
                       MonotonicTime::Now() >= deadline_;
  const absl::Status reported =
      is_late ? absl::DeadlineExceededError("the deadline has passed") : status;
  // Another caller has taken its place in the engine's queue.
  if (absl::IsResourceExhausted(reported)) {
    services_.metrics->CountRejected(Rejection::kQueueFull);
  }
  RecordEnd(reported);
  responder_->Fail(reported);
}

}  // namespace sheaf
