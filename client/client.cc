// SPDX-License-Identifier: Apache-2.0

#include "client/client.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/channel.h"
#include "client/utf8.h"
#include "grpcpp/grpcpp.h"
#include "sheaf/v1/model.grpc.pb.h"
#include "sheaf/v1/text.grpc.pb.h"

namespace sheaf {
namespace {

template <typename Response, typename Stub, typename Request>
absl::StatusOr<Response> CallUnary(
    const std::string& token, Stub& stub,
    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                 Response*),
    const Request& request, const CallOptions& options) {
  if (absl::Status status = CheckUtf8(request); !status.ok()) return status;
  grpc::ClientContext context;
  PrepareContext(token, options, context);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return FromGrpc(status);
  return response;
}

// The handling of chunks and of the end, for both kinds of streams.
class StreamState {
 public:
  // Returns false, for the caller to cancel the call, if `on_chunk` does.
  template <typename Chunk, typename OnChunk>
  bool OnChunkRead(const Chunk& chunk, OnChunk& on_chunk) {
    if (end_.is_stopped) return false;
    if (chunk.has_usage()) end_.usage = chunk.usage();
    if (chunk.finish_reason() != v1::FINISH_REASON_UNSPECIFIED) {
      end_.finish_reason = chunk.finish_reason();
    }
    if (on_chunk(chunk)) return true;
    end_ = StreamEnd{};
    end_.is_stopped = true;
    return false;
  }

  absl::StatusOr<StreamEnd> End(const grpc::Status& status) const {
    if (!status.ok() && !end_.is_stopped) return FromGrpc(status);
    return end_;
  }

 private:
  StreamEnd end_;
};

template <typename Chunk, typename Stub, typename Request>
absl::StatusOr<StreamEnd> CallStream(
    const std::string& token, Stub& stub,
    std::unique_ptr<grpc::ClientReader<Chunk>> (Stub::*method)(
        grpc::ClientContext*, const Request&),
    const Request& request, absl::FunctionRef<bool(const Chunk&)> on_chunk,
    const CallOptions& options) {
  if (absl::Status status = CheckUtf8(request); !status.ok()) return status;
  grpc::ClientContext context;
  PrepareContext(token, options, context);
  StreamState state;
  const std::unique_ptr<grpc::ClientReader<Chunk>> reader =
      (stub.*method)(&context, request);
  Chunk chunk;
  while (reader->Read(&chunk)) {
    if (!state.OnChunkRead(chunk, on_chunk)) {
      context.TryCancel();
      break;
    }
  }
  return state.End(reader->Finish());
}

// Counts the asynchronous calls in progress, to wait for their end.
// Thread-safe.
class CallCount {
 public:
  void Begin() {
    absl::MutexLock lock(&mutex_);
    ++count_;
  }
  void End() {
    absl::MutexLock lock(&mutex_);
    --count_;
  }
  void WaitForNone() {
    absl::MutexLock lock(&mutex_);
    const auto is_none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return count_ == 0;
    };
    mutex_.Await(absl::Condition(&is_none));
  }

 private:
  absl::Mutex mutex_;
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One asynchronous stream; deletes itself at its end.
template <typename Request, typename Chunk>
class StreamReactor final : public grpc::ClientReadReactor<Chunk> {
 public:
  StreamReactor(CallCount& calls, const std::string& token,
                const Request& request,
                std::function<bool(const Chunk&)> on_chunk,
                Client::OnDone on_done, const CallOptions& options)
      : calls_(calls),
        request_(request),
        on_chunk_(std::move(on_chunk)),
        on_done_(std::move(on_done)) {
    PrepareContext(token, options, context_);
    calls_.Begin();
  }

  template <typename AsyncStub>
  void Start(AsyncStub& stub,
             void (AsyncStub::*method)(grpc::ClientContext*, const Request*,
                                       grpc::ClientReadReactor<Chunk>*)) {
    (stub.*method)(&context_, &request_, this);
    this->StartRead(&chunk_);
    this->StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (!state_.OnChunkRead(chunk_, on_chunk_)) {
      context_.TryCancel();
      return;
    }
    this->StartRead(&chunk_);
  }

  void OnDone(const grpc::Status& status) override {
    on_done_(state_.End(status));
    CallCount& calls = calls_;
    delete this;
    calls.End();  // last, when this call no longer holds the channel
  }

 private:
  CallCount& calls_;
  const Request request_;
  const std::function<bool(const Chunk&)> on_chunk_;
  const Client::OnDone on_done_;
  grpc::ClientContext context_;
  Chunk chunk_;
  StreamState state_;
};

template <typename Chunk, typename AsyncStub, typename Request>
void StartStream(CallCount& calls, const std::string& token, AsyncStub& stub,
                 void (AsyncStub::*method)(grpc::ClientContext*, const Request*,
                                           grpc::ClientReadReactor<Chunk>*),
                 const Request& request,
                 std::function<bool(const Chunk&)> on_chunk,
                 Client::OnDone on_done, const CallOptions& options) {
  if (absl::Status status = CheckUtf8(request); !status.ok()) {
    on_done(status);
    return;
  }
  auto* reactor = new StreamReactor<Request, Chunk>(
      calls, token, request, std::move(on_chunk), std::move(on_done), options);
  reactor->Start(stub, method);
}

// One asynchronous call with a whole answer.
template <typename Request, typename Response>
struct WholeCall {
  Request request;
  Response response;
  grpc::ClientContext context;
};

template <typename Response, typename AsyncStub, typename Request>
void StartWhole(CallCount& calls, const std::string& token, AsyncStub& stub,
                void (AsyncStub::*method)(grpc::ClientContext*, const Request*,
                                          Response*,
                                          std::function<void(grpc::Status)>),
                const Request& request, Client::OnResponse<Response> on_done,
                const CallOptions& options) {
  if (absl::Status status = CheckUtf8(request); !status.ok()) {
    on_done(status);
    return;
  }
  calls.Begin();
  auto* call = new WholeCall<Request, Response>();
  call->request = request;
  PrepareContext(token, options, call->context);
  (stub.*method)(
      &call->context, &call->request, &call->response,
      [&calls, call, on_done = std::move(on_done)](const grpc::Status& status) {
        if (status.ok()) {
          on_done(std::move(call->response));
        } else {
          on_done(FromGrpc(status));
        }
        delete call;
        calls.End();  // last, as in StreamReactor
      });
}

}  // namespace

struct Client::Connection {
  Connection(const std::shared_ptr<grpc::Channel>& channel, std::string token)
      : text(channel), model(channel), token(std::move(token)) {}
  // If a call held the channel last, a thread of gRPC would destroy the
  // channel, whose destructor joins that thread.
  ~Connection() { calls.WaitForNone(); }

  v1::TextService::Stub text;
  v1::ModelService::Stub model;
  const std::string token;
  CallCount calls;
};

using TextStub = v1::TextService::Stub;
using AsyncTextStub = class v1::TextService::Stub::async;
using ModelStub = v1::ModelService::Stub;

Client::Client(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

absl::StatusOr<Client> Client::Connect(const ClientOptions& options) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = OpenChannel(options);
  if (!channel.ok()) return channel.status();
  return Client(std::make_unique<Connection>(*channel, options.token));
}

absl::StatusOr<v1::TranslateResponse> Client::Translate(
    const v1::TranslateRequest& request, const CallOptions& options) {
  return CallUnary(connection_->token, connection_->text, &TextStub::Translate,
                   request, options);
}

absl::StatusOr<v1::SummarizeResponse> Client::Summarize(
    const v1::SummarizeRequest& request, const CallOptions& options) {
  return CallUnary(connection_->token, connection_->text, &TextStub::Summarize,
                   request, options);
}

absl::StatusOr<v1::GenerateResponse> Client::Generate(
    const v1::GenerateRequest& request, const CallOptions& options) {
  return CallUnary(connection_->token, connection_->text, &TextStub::Generate,
                   request, options);
}

absl::StatusOr<v1::DetectLanguageResponse> Client::DetectLanguage(
    const v1::DetectLanguageRequest& request, const CallOptions& options) {
  return CallUnary(connection_->token, connection_->text,
                   &TextStub::DetectLanguage, request, options);
}

absl::StatusOr<StreamEnd> Client::TranslateStream(
    const v1::TranslateRequest& request, OnTextChunk on_chunk,
    const CallOptions& options) {
  return CallStream(connection_->token, connection_->text,
                    &TextStub::TranslateStream, request, on_chunk, options);
}

absl::StatusOr<StreamEnd> Client::SummarizeStream(
    const v1::SummarizeRequest& request, OnTextChunk on_chunk,
    const CallOptions& options) {
  return CallStream(connection_->token, connection_->text,
                    &TextStub::SummarizeStream, request, on_chunk, options);
}

absl::StatusOr<StreamEnd> Client::GenerateStream(
    const v1::GenerateRequest& request, OnGenerateChunk on_chunk,
    const CallOptions& options) {
  return CallStream(connection_->token, connection_->text,
                    &TextStub::GenerateStream, request, on_chunk, options);
}

void Client::TranslateStreamAsync(
    const v1::TranslateRequest& request,
    std::function<bool(const v1::TextChunk&)> on_chunk, OnDone on_done,
    const CallOptions& options) {
  StartStream(connection_->calls, connection_->token,
              *connection_->text.async(), &AsyncTextStub::TranslateStream,
              request, std::move(on_chunk), std::move(on_done), options);
}

void Client::SummarizeStreamAsync(
    const v1::SummarizeRequest& request,
    std::function<bool(const v1::TextChunk&)> on_chunk, OnDone on_done,
    const CallOptions& options) {
  StartStream(connection_->calls, connection_->token,
              *connection_->text.async(), &AsyncTextStub::SummarizeStream,
              request, std::move(on_chunk), std::move(on_done), options);
}

void Client::GenerateStreamAsync(
    const v1::GenerateRequest& request,
    std::function<bool(const v1::GenerateChunk&)> on_chunk, OnDone on_done,
    const CallOptions& options) {
  StartStream(connection_->calls, connection_->token,
              *connection_->text.async(), &AsyncTextStub::GenerateStream,
              request, std::move(on_chunk), std::move(on_done), options);
}

void Client::TranslateAsync(const v1::TranslateRequest& request,
                            OnResponse<v1::TranslateResponse> on_done,
                            const CallOptions& options) {
  StartWhole<v1::TranslateResponse>(
      connection_->calls, connection_->token, *connection_->text.async(),
      &AsyncTextStub::Translate, request, std::move(on_done), options);
}

void Client::SummarizeAsync(const v1::SummarizeRequest& request,
                            OnResponse<v1::SummarizeResponse> on_done,
                            const CallOptions& options) {
  StartWhole<v1::SummarizeResponse>(
      connection_->calls, connection_->token, *connection_->text.async(),
      &AsyncTextStub::Summarize, request, std::move(on_done), options);
}

void Client::GenerateAsync(const v1::GenerateRequest& request,
                           OnResponse<v1::GenerateResponse> on_done,
                           const CallOptions& options) {
  StartWhole<v1::GenerateResponse>(
      connection_->calls, connection_->token, *connection_->text.async(),
      &AsyncTextStub::Generate, request, std::move(on_done), options);
}

absl::StatusOr<v1::ListModelsResponse> Client::ListModels(
    const CallOptions& options) {
  return CallUnary(connection_->token, connection_->model,
                   &ModelStub::ListModels, v1::ListModelsRequest(), options);
}

absl::StatusOr<v1::Model> Client::GetModel(const v1::GetModelRequest& request,
                                           const CallOptions& options) {
  return CallUnary(connection_->token, connection_->model, &ModelStub::GetModel,
                   request, options);
}

}  // namespace sheaf
