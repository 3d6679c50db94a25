// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/infer_stream.h"

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/batch_exchange.h"
#include "server/grpc/infer_request.h"
#include "server/grpc/infer_response.h"
#include "server/grpc/wire.h"
#include "server/ops/request_record.h"
#include "server/parse_message.h"
#include "server/responder.h"

namespace sheaf {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

constexpr char kFinalResponse[] = "triton_final_response";

void SetFinal(bool is_final, ModelInferResponse* response) {
  (*response->mutable_parameters())[kFinalResponse].set_bool_param(is_final);
}

// Whether an error concerns more than the request.
bool EndsStream(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnavailable:
      return true;
    default:
      return false;
  }
}

}  // namespace

// The responder of one request.
class InferStream::Answer final : public Responder {
 public:
  Answer(std::shared_ptr<InferStream> stream, const RequestReader& reader)
      : stream_(std::move(stream)), reader_(reader) {}

  // Reads the request.
  absl::StatusOr<PreparedRequest> Read(std::string& bytes,
                                       RequestReader::IsWanted is_wanted) {
    ModelInferRequest request;
    absl::Status status = ParseMessage(bytes, &request);
    if (!status.ok()) return status;
    std::string().swap(bytes);  // the message has them now
    layout_.id = request.id();
    absl::StatusOr<InferBatch> batch =
        ReadInferRequest(request, /*is_streamed=*/true, reader_);
    if (!batch.ok()) return batch.status();
    layout_ = std::move(batch->layout);
    return batch->items.front().read(is_wanted);
  }

  bool TakesParts() const override { return true; }
  bool IsReady() const override { return !stream_->IsSending(); }
  void LimitReading(MonotonicTime deadline) override {
    stream_->LimitLife(deadline);
  }
  void Send(const AnswerPart& part) override {
    if (part.text.empty()) return;
    ModelStreamInferResponse response;
    *response.mutable_infer_response() =
        MakeInferPart(layout_, reader_.model().name, part.text);
    if (response.infer_response().outputs().empty()) return;
    SetFinal(false, response.mutable_infer_response());
    stream_->SendResponse(response, /*is_last=*/false);
  }
  void Finish(const AnswerPart& rest, const AnswerSummary& summary) override {
    ModelStreamInferResponse response;
    *response.mutable_infer_response() =
        MakeInferResponse(layout_, {{rest, summary}});
    SetFinal(true, response.mutable_infer_response());
    stream_->SendResponse(response, /*is_last=*/true);
  }
  void Fail(const absl::Status& status) override {
    if (EndsStream(status)) return stream_->End(status);
    ModelStreamInferResponse response;
    response.set_error_message(std::string(status.message()));
    ModelInferResponse* about = response.mutable_infer_response();
    about->set_id(layout_.id);
    SetFinal(true, about);
    stream_->SendResponse(response, /*is_last=*/true);
  }

 private:
  const std::shared_ptr<InferStream> stream_;
  const RequestReader& reader_;
  InferLayout layout_;  // set by Read()
};

void InferStream::Begin() {
  request_id_ = RequestIdOr(caller().request_id);
  AddRequestId(request_id_, &rpc());
  if (absl::Status place = TakeCallersPlace(); !place.ok()) return End(place);
  ReadMessage(host().max_message_bytes);
}

absl::Status InferStream::TakeCallersPlace() {
  absl::StatusOr<CallerLease> lease = services_.limiter->Acquire(caller());
  if (!lease.ok()) return lease.status();
  lease_.emplace(*std::move(lease));
  return absl::OkStatus();
}

void InferStream::OnMessage(std::string bytes) {
  lease_.reset();  // the exchange takes its own
  auto answer = std::make_shared<Answer>(
      std::static_pointer_cast<InferStream>(shared_from_this()),
      *services_.request_reader);
  Caller caller_of_request = caller();
  caller_of_request.request_id = request_id_;
  const auto exchange = std::make_shared<Exchange>(
      services_, std::move(caller_of_request), answer);
  {
    absl::MutexLock lock(&exchange_mu_);
    exchange_ = exchange;
  }
  if (!exchange->Authorize() ||
      !exchange->TakeMessage(static_cast<int64_t>(bytes.size()))) {
    return;
  }
  exchange->Start([answer, bytes = std::move(bytes)](
                      RequestReader::IsWanted is_wanted) mutable {
    return answer->Read(bytes, is_wanted);
  });
}

void InferStream::SendResponse(const ModelStreamInferResponse& response,
                               bool is_last) {
  {
    absl::MutexLock lock(&exchange_mu_);
    is_last_ = is_last;
    // Before the client has the answer, so that there is no moment in which it
    // could begin another request instead.
    if (is_last) next_place_ = TakeCallersPlace();
  }
  Send(SerializeMessage(response));
}

void InferStream::OnSent(bool is_sent) {
  std::shared_ptr<Exchange> ended, running;
  absl::Status next_place;
  {
    absl::MutexLock lock(&exchange_mu_);
    (is_last_ ? ended : running) = exchange_;
    if (is_last_) exchange_ = nullptr;
    is_last_ = false;
    next_place = next_place_;
  }
  if (running != nullptr) {
    if (!is_sent) running->OnClientGone();
    return running->OnWritable();
  }
  ended->OnClosed();
  if (!is_sent) return End(absl::CancelledError(""));
  LimitLife(MonotonicTime::InfiniteFuture());
  if (!next_place.ok()) return End(next_place);
  ReadNextMessage(host().max_message_bytes);
}

void InferStream::OnHalfClose() {
  lease_.reset();  // before the client knows the end
  End(absl::OkStatus());
}

std::shared_ptr<Exchange> InferStream::exchange() {
  absl::MutexLock lock(&exchange_mu_);
  return exchange_;
}

void InferStream::OnClientGone() {
  if (const auto running = exchange()) return running->OnClientGone();
  End(absl::CancelledError(""));
}

void InferStream::OnUnread() {
  if (const auto running = exchange()) running->OnUnread();
}

void InferStream::OnClosed() {
  std::shared_ptr<Exchange> last;
  {
    absl::MutexLock lock(&exchange_mu_);
    last.swap(exchange_);
  }
  if (last != nullptr) last->OnClosed();
  lease_.reset();
}

}  // namespace sheaf
