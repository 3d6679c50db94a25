#include "server/grpc/call.h"

#include <utility>

#include "base/check.h"
#include "server/grpc/grpc_time.h"
#include "server/grpc/wire.h"
#include "text/stop_sequences.h"

namespace sheaf {
namespace {

// The id that the log has. It trails: metadata in front would be an answer that
// has begun, which gRPC's clients do not retry.
constexpr char kRequestIdKey[] = "x-request-id";

// What a client may take to read the answer after the deadline of the request.
constexpr absl::Duration kReadGrace = absl::Seconds(1);

// What gRPC and a call take beside the message.
constexpr int64_t kBytesPerCall = 16 << 10;
// What an answer takes, token ids included, per byte of the message, about.
constexpr int64_t kAnswerBytes = 3;

// Nothing for a client that left before its request was looked at.
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

}  // namespace

Call::Call(const CallContext& context, ReplyKind kind, const char* method,
           grpc::CallbackServerContext* rpc)
    : context_(context),
      kind_(kind),
      rpc_(rpc),
      record_(ArrivalOf(*rpc, method)) {
  rpc_->AddTrailingMetadata(kRequestIdKey, record_.request_id);
}

void Call::HoldForRpc() {
  held_by_rpc_ = shared_from_this();
  context_.live_calls->Add(1);
}

bool Call::Authorize(int64_t message_bytes) {
  absl::StatusOr<CallerLease> lease = context_.limiter->Acquire(
      record_.peer, MetadataOf(*rpc_, "authorization"));
  if (absl::IsResourceExhausted(lease.status())) {
    Refuse(lease.status(), Rejection::kCallerLimit);
  } else if (!lease.ok()) {
    Refuse(lease.status(), RejectionOf(lease.status()));
  }
  if (!lease.ok()) return false;
  lease_.emplace(*std::move(lease));
  record_.token_name = lease_->token_name();
  if (!record_.token_name.empty()) {
    context_.metrics->CountClient(record_.token_name);
  }
  absl::StatusOr<IntakeBytes> bytes =
      context_.intake->Take(kBytesPerCall + message_bytes);
  message_bytes_ = message_bytes;
  if (!bytes.ok()) {
    RefuseBytes(bytes.status());
    return false;
  }
  held_bytes_.emplace(*std::move(bytes));
  return true;
}

bool Call::AwaitTurn(size_t bytes, std::function<void()> read) {
  const std::optional<FairExecutor::Ticket> ticket =
      context_.fair_executor->TryRun(
          {lease_->caller(), bytes, std::move(read)});
  if (!ticket.has_value()) return false;
  bool has_left = false;
  {
    absl::MutexLock lock(&mu_);
    ticket_ = ticket;
    has_left = is_gone_;
  }
  if (has_left) WithdrawFromDoor();  // NoteGone() did not know the ticket
  return true;
}

void Call::WithdrawFromDoor() {
  std::optional<FairExecutor::Ticket> ticket;
  {
    absl::MutexLock lock(&mu_);
    ticket.swap(ticket_);
  }
  if (!ticket.has_value()) return;
  const auto read = context_.fair_executor->Withdraw(*ticket);
  if (read != nullptr) read();  // refuses at once: the client has left
}

void Call::Start(absl::StatusOr<PreparedRequest> prepared) {
  if (!prepared.ok()) {
    return Refuse(prepared.status(), RejectionOf(prepared.status()));
  }
  if (absl::Status status = held_bytes_->Resize(
          kBytesPerCall + kAnswerBytes * message_bytes_ + BytesOf(*prepared));
      !status.ok()) {
    return RefuseBytes(status);
  }
  model_ = std::move(prepared->model);
  record_.model = model_;
  deadline_ = prepared->request.deadline;
  if (prepared->request.is_open) {
    first_segment_ = std::numeric_limits<int32_t>::max();
    rounds_.emplace(std::move(prepared->plan));
  } else {
    answer_.emplace(std::move(prepared->plan));
  }
  ArmDeadlineAlarm();
  std::optional<RequestHandle> request;
  if (!prepared->request.segments.empty()) {
    prepared->request.sink = this;
    held_by_engine_ = shared_from_this();
    absl::StatusOr<RequestHandle> submitted =
        context_.engine->Submit(/*lane=*/0, std::move(prepared->request));
    if (!submitted.ok()) {
      held_by_engine_.reset();
      return Refuse(submitted.status(), RejectionOf(submitted.status()));
    }
    request = *submitted;
  }
  bool has_left = false;
  {
    absl::MutexLock lock(&mu_);
    has_started_ = true;
    request_ = request;
    if (!request.has_value()) outcome_ = absl::OkStatus();  // nothing to run
    if (!updates_.empty() || outcome_.has_value()) PushLocked();
    has_left = is_gone_;
  }
  if (has_left) CancelInEngine();  // NoteGone() did not know the id
}

bool Call::is_gone() {
  absl::MutexLock lock(&mu_);
  return is_gone_;
}

void Call::NoteGone() {
  {
    absl::MutexLock lock(&mu_);
    is_gone_ = true;
  }
  WithdrawFromDoor();
  CancelInEngine();
}

// The engine keeps the deadline of what runs; this one is for a client that
// does not read its answer.
void Call::ArmDeadlineAlarm() {
  // The alarm keeps its function as long as it lives itself, in this: a
  // shared_ptr in there would keep both for ever.
  alarm_.Set(ToGrpc(deadline_ + kReadGrace),
             [weak = weak_from_this()](bool has_fired) {
               const std::shared_ptr<Call> self = weak.lock();
               if (self == nullptr) return;
               absl::MutexLock lock(&self->rpc_mu_);
               if (has_fired && !self->is_done_) self->rpc_->TryCancel();
             });
}

void Call::Refuse(const absl::Status& status, std::optional<Rejection> reason) {
  if (reason.has_value()) context_.metrics->CountRejected(*reason);
  AddPushback(status, rpc_);
  RecordEnd(status);
  FinishRpc(status);
}

void Call::RefuseBytes(const absl::Status& status) {
  Refuse(status, absl::IsResourceExhausted(status) ? Rejection::kQueuedBytes
                                                   : RejectionOf(status));
}

Call::Update& Call::UpdateOf(int32_t segment_index) {
  if (updates_.empty() || updates_.back().segment_index != segment_index ||
      !updates_.back().finished.empty()) {
    updates_.push_back({segment_index, {}, {}});
  }
  return updates_.back();
}

void Call::PushLocked() {
  if (is_pushed_ || !has_started_) return;
  is_pushed_ = true;
  context_.delivery->Push(shared_from_this());
}

void Call::PushToDelivery() {
  absl::MutexLock lock(&mu_);
  PushLocked();
}

void Call::OnStarted(absl::Duration queued) {
  absl::MutexLock lock(&mu_);
  queued_ = queued;
}

void Call::OnTokens(int32_t segment_index, absl::Span<const int32_t> tokens) {
  absl::MutexLock lock(&mu_);
  if (!first_token_.has_value() && segment_index >= first_segment_) {
    first_token_ = MonotonicTime::Now();
  }
  Update& news = UpdateOf(segment_index);
  news.tokens.insert(news.tokens.end(), tokens.begin(), tokens.end());
  PushLocked();
}

void Call::OnSegmentFinished(int32_t segment_index,
                             std::vector<Hypothesis> hypotheses) {
  SHEAF_CHECK(!hypotheses.empty());
  absl::MutexLock lock(&mu_);
  UpdateOf(segment_index).finished = std::move(hypotheses);
  PushLocked();
}

void Call::OnFinished(const absl::Status& status) {
  const std::shared_ptr<Call> last_hold = std::move(held_by_engine_);
  absl::MutexLock lock(&mu_);
  outcome_ = status;
  PushLocked();
}

void Call::Deliver() {
  std::vector<Update> news;
  std::optional<Sources> next_round;
  std::optional<absl::Status> outcome;
  {
    absl::MutexLock lock(&mu_);
    is_pushed_ = false;
    news.swap(updates_);
    next_round.swap(next_round_);
    outcome = outcome_;
  }
  if (has_ended_) return;
  if (next_round.has_value()) BeginRound(*std::move(next_round));
  ApplyUpdates(std::move(news));
  if (!answer_.has_value()) {  // there are more rounds to come
    if (outcome.has_value()) FinishError(*outcome);
    return;
  }
  // Whatever became of segments behind the end of the text.
  if (outcome.has_value() && answer_->is_complete()) outcome = absl::OkStatus();
  Send(outcome.has_value() ? &*outcome : nullptr);
}

void Call::ApplyUpdates(std::vector<Update> news) {
  for (Update& item : news) {
    if (!answer_.has_value()) {
      if (item.finished.empty()) continue;
      rounds_->FinishPart(item.segment_index, item.finished.front());
      if (rounds_->is_round_done()) PrepareNextRound();
      continue;
    }
    const int32_t index = item.segment_index - first_segment_;
    answer_->AddTokens(index, item.tokens);
    if (!item.finished.empty()) answer_->FinishSegment(index, item.finished);
  }
  if (answer_.has_value() && answer_->is_complete() &&
      !answer_->is_finished()) {
    CancelInEngine();
  }
}

void Call::PrepareNextRound() {
  FairExecutor::Text round;
  round.caller = lease_->caller();
  std::string text = rounds_->TakeText();
  round.bytes = text.size();
  round.read = [self = shared_from_this(), text = std::move(text)] {
    absl::StatusOr<Sources> sources =
        self->context_.request_reader->SummarySources(text, [&] {
          self->context_.fair_executor->Yield();
          return !self->is_gone();
        });
    if (!sources.ok()) return;  // the client has left
    absl::MutexLock lock(&self->mu_);
    self->next_round_ = *std::move(sources);
    self->PushLocked();
  };
  // Once gRPC is done with the call, the door thread may be gone as well.
  absl::MutexLock lock(&rpc_mu_);
  if (!is_done_) context_.fair_executor->Run(std::move(round));
}

void Call::BeginRound(Sources sources) {
  Extension extension;
  extension.is_open = !rounds_->Begin(sources);
  extension.segments = std::move(sources);
  if (!extension.is_open) {
    const AnswerPlan& plan = rounds_->plan();
    extension.stop = StopSequences::Make(plan.tokenizer, plan.stop);
    answer_.emplace(plan);
    first_segment_ = rounds_->first_segment();
    rounds_.reset();
  }
  RequestHandle request;
  {
    absl::MutexLock lock(&mu_);
    request = *request_;
  }
  context_.engine->Extend(request, std::move(extension));
}

void Call::CancelInEngine() {
  std::optional<RequestHandle> request;
  {
    absl::MutexLock lock(&mu_);
    request = request_;
  }
  if (request.has_value()) context_.engine->Cancel(*request);
}

void Call::RecordEnd(const absl::Status& status) {
  // Before the client knows, which may call again at once.
  lease_.reset();
  record_.code = static_cast<grpc::StatusCode>(status.code());
  absl::MutexLock lock(&mu_);
  record_.queued = queued_;
  record_.first_token = first_token_;
}

void Call::FinishOk() {
  has_ended_ = true;
  RecordEnd(absl::OkStatus());
  record_.summary = answer_->summary();
  context_.metrics->CountSuccess(answer_->summary().finish_reason);
}

void Call::FinishError(const absl::Status& status) {
  has_ended_ = true;
  // gRPC cancels a call whose deadline has passed: then that is the reason.
  const bool is_late = status.code() == absl::StatusCode::kCancelled &&
                       MonotonicTime::Now() >= deadline_;
  const absl::Status ending =
      is_late ? absl::DeadlineExceededError("the deadline has passed") : status;
  RecordEnd(ending);
  FinishRpc(ending);
}

void Call::ReleaseFromRpc() {
  const std::shared_ptr<Call> last_hold = std::move(held_by_rpc_);
  {
    absl::MutexLock lock(&rpc_mu_);
    is_done_ = true;
  }
  alarm_.Cancel();
  WriteRecord(record_, context_.log);
  context_.live_calls->Add(-1);
}

void UnaryCall::Send(const absl::Status* outcome) {
  if (outcome == nullptr) return;
  if (!outcome->ok()) return FinishError(*outcome);
  *response_ =
      SerializeReply(kind(), model(), answer().TakePart(), answer().summary());
  FinishOk();
  FinishRpc(*outcome);
}

void UnaryCall::FinishRpc(const absl::Status& status) {
  Finish(ToGrpcStatus(status));
}

void StreamCall::Send(const absl::Status* outcome) {
  {
    absl::MutexLock lock(&write_mu_);
    if (is_writing_) return;  // OnWriteDone() pushes again
  }
  if (outcome != nullptr && !outcome->ok()) return FinishError(*outcome);
  const AnswerPart part = answer().TakePart();
  if (outcome != nullptr) {
    const AnswerSummary summary = answer().summary();
    chunk_ = SerializeChunk(kind(), part, &summary);
    FinishOk();
    StartWriteAndFinish(&chunk_, grpc::WriteOptions(), grpc::Status::OK);
    return;
  }
  const bool has_tokens =
      kind() == ReplyKind::kGenerate && !part.tokens.empty();
  if (part.text.empty() && !has_tokens) return;
  chunk_ = SerializeChunk(kind(), part, /*summary=*/nullptr);
  {
    absl::MutexLock lock(&write_mu_);
    is_writing_ = true;
  }
  StartWrite(&chunk_);
}

void StreamCall::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&write_mu_);
    is_writing_ = false;
  }
  if (!ok) NoteGone();
  PushToDelivery();
}

void StreamCall::FinishRpc(const absl::Status& status) {
  Finish(ToGrpcStatus(status));
}

}  // namespace sheaf
