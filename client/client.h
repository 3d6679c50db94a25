// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sheaf/v1/model.pb.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {

// PEM texts, not paths of files.
struct TlsOptions {
  std::string ca_pem = "";    // trusted authorities; empty: the system's
  std::string cert_pem = "";  // the client's certificate, if the server asks
  std::string key_pem = "";
  // The name that the server's certificate must have. Empty: the host in
  // `server`.
  std::string server_name = "";
};

struct ClientOptions {
  // "HOST:PORT", a name with one or more addresses; several addresses separated
  // by commas; or "unix:PATH", one Unix socket. Calls go in turn to the servers
  // that are reachable and healthy.
  std::string server = "127.0.0.1:50051";
  std::optional<TlsOptions> tls = std::nullopt;  // nullopt: not encrypted
  std::string token = "";  // sent as "authorization: Bearer TOKEN"
  // Maximum number of times that a call is sent, 1 to 5. A call is sent again,
  // perhaps to another server, if it ended with UNAVAILABLE before its answer
  // began, or with RESOURCE_EXHAUSTED and a time at which to retry. No call is
  // sent after its deadline.
  int max_attempts = 4;
};

struct CallOptions {
  // Time from the start of the call to its last byte. After it, the call ends
  // with DEADLINE_EXCEEDED and the server frees its resources. Infinite: the
  // server's limit applies.
  absl::Duration timeout = absl::InfiniteDuration();
};

// The end of a stream that did not fail.
struct StreamEnd {
  v1::FinishReason finish_reason = v1::FINISH_REASON_UNSPECIFIED;
  v1::Usage usage;
  // True if the callback returned false. The call was then cancelled, the
  // fields above are not set, and the server may have generated more than was
  // received.
  bool is_stopped = false;
};

// Calls a Sheaf server. Requests and answers are the messages of
// proto/sheaf/v1. For an option that is absent from a request, the server uses
// its default.
//
//   absl::StatusOr<Client> client = Client::Connect({.server = "host:50051"});
//   if (!client.ok()) return client.status();
//   v1::TranslateRequest request;
//   request.set_text("Hello, world.");
//   request.set_source_language("en");
//   request.set_target_language("de");
//   absl::StatusOr<v1::TranslateResponse> response =
//       client->Translate(request, {.timeout = absl::Seconds(10)});
//
// Errors: code and message of the server, unchanged, and those of gRPC
// (UNAVAILABLE if no server answers, DEADLINE_EXCEEDED). If a string of the
// request is not UTF-8, the method returns INVALID_ARGUMENT without a call, and
// the message names the field.
//
// Threads: every method may be called from any thread at any time. All calls
// share one connection per server. The first call opens it, and it is opened
// again if it breaks.
//
// Ownership: a method reads or copies its request before it returns. A chunk is
// valid until its callback returns. The destructor waits for asynchronous calls
// in progress, so it must not run in one of their callbacks. A moved-from
// client may only be destroyed or assigned to.
class Client {
 public:
  // INVALID_ARGUMENT if an option is wrong. Does not wait for the server. If
  // the server is not reachable, the calls fail.
  static absl::StatusOr<Client> Connect(const ClientOptions& options);

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  absl::StatusOr<v1::TranslateResponse> Translate(
      const v1::TranslateRequest& request, const CallOptions& options = {});
  absl::StatusOr<v1::SummarizeResponse> Summarize(
      const v1::SummarizeRequest& request, const CallOptions& options = {});
  absl::StatusOr<v1::GenerateResponse> Generate(
      const v1::GenerateRequest& request, const CallOptions& options = {});
  absl::StatusOr<v1::DetectLanguageResponse> DetectLanguage(
      const v1::DetectLanguageRequest& request,
      const CallOptions& options = {});

  // Streams: `on_chunk` gets each chunk when it arrives, in order, on the
  // calling thread, including the final chunk with the usage. If it returns
  // false, it is not called again and the call is cancelled (see
  // StreamEnd::is_stopped). If a stream fails, `on_chunk` has received the
  // chunks before the error.
  using OnTextChunk = absl::FunctionRef<bool(const v1::TextChunk&)>;
  using OnGenerateChunk = absl::FunctionRef<bool(const v1::GenerateChunk&)>;
  absl::StatusOr<StreamEnd> TranslateStream(const v1::TranslateRequest& request,
                                            OnTextChunk on_chunk,
                                            const CallOptions& options = {});
  absl::StatusOr<StreamEnd> SummarizeStream(const v1::SummarizeRequest& request,
                                            OnTextChunk on_chunk,
                                            const CallOptions& options = {});
  absl::StatusOr<StreamEnd> GenerateStream(const v1::GenerateRequest& request,
                                           OnGenerateChunk on_chunk,
                                           const CallOptions& options = {});

  // The same without a waiting thread: these methods return at once. gRPC's
  // threads call the callbacks of a call one at a time, and `on_done` last and
  // exactly once, perhaps before the method has returned. If the request is
  // refused by the client itself, the calling thread calls `on_done`. Callbacks
  // must not block, and they live until `on_done` has returned.
  using OnDone = std::function<void(absl::StatusOr<StreamEnd>)>;
  void TranslateStreamAsync(const v1::TranslateRequest& request,
                            std::function<bool(const v1::TextChunk&)> on_chunk,
                            OnDone on_done, const CallOptions& options = {});
  void SummarizeStreamAsync(const v1::SummarizeRequest& request,
                            std::function<bool(const v1::TextChunk&)> on_chunk,
                            OnDone on_done, const CallOptions& options = {});
  void GenerateStreamAsync(
      const v1::GenerateRequest& request,
      std::function<bool(const v1::GenerateChunk&)> on_chunk, OnDone on_done,
      const CallOptions& options = {});

  // Whole answers without a waiting thread, with the rules for `on_done` above.
  template <typename Response>
  using OnResponse = std::function<void(absl::StatusOr<Response>)>;
  void TranslateAsync(const v1::TranslateRequest& request,
                      OnResponse<v1::TranslateResponse> on_done,
                      const CallOptions& options = {});
  void SummarizeAsync(const v1::SummarizeRequest& request,
                      OnResponse<v1::SummarizeResponse> on_done,
                      const CallOptions& options = {});
  void GenerateAsync(const v1::GenerateRequest& request,
                     OnResponse<v1::GenerateResponse> on_done,
                     const CallOptions& options = {});

  absl::StatusOr<v1::ListModelsResponse> ListModels(
      const CallOptions& options = {});
  absl::StatusOr<v1::Model> GetModel(const v1::GetModelRequest& request,
                                     const CallOptions& options = {});

 private:
  struct Connection;

  explicit Client(std::unique_ptr<Connection> connection);

  std::unique_ptr<Connection> connection_;
};

}  // namespace sheaf
