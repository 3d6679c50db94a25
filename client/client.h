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

// PEM texts, not files.
struct TlsOptions {
  std::string ca_pem = "";    // Whom to trust. Empty: whom the system trusts.
  std::string cert_pem = "";  // The client's own, if the server asks.
  std::string key_pem = "";
  // What the server's certificate must be for. Empty: the host in `server`.
  std::string server_name = "";
};

struct ClientOptions {
  // "HOST:PORT", a name with all its addresses; or addresses separated by
  // commas. Calls go round over those that are there and healthy. Or
  // "unix:PATH", one Unix socket.
  std::string server = "127.0.0.1:50051";
  std::optional<TlsOptions> tls = std::nullopt;  // None: not encrypted.
  std::string token = "";  // Sent as "authorization: Bearer TOKEN".
  // Times that a call is sent, 1 to 5. One that ended as UNAVAILABLE before its
  // answer began is sent again, perhaps to another server, and so is one that
  // ended as RESOURCE_EXHAUSTED, when that server says; never past its
  // deadline.
  int max_attempts = 4;
};

struct CallOptions {
  // From the call to its last byte; the call then ends as DEADLINE_EXCEEDED and
  // the server frees what it held. Infinite: the server's own limit holds.
  absl::Duration timeout = absl::InfiniteDuration();
};

// How a stream ended that did not fail.
struct StreamEnd {
  v1::FinishReason finish_reason = v1::FINISH_REASON_UNSPECIFIED;
  v1::Usage usage;
  // The callback returned false: the call was cancelled, the two above are not
  // set, and the server may have generated more than was seen.
  bool is_stopped = false;
};

// Calls a Sheaf server. Requests and answers are the messages of
// proto/sheaf/v1; an option that is absent from a request takes the server's
// default.
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
// Errors: the server's code and message as they are, one to one, and gRPC's own
// (UNAVAILABLE if nobody answers, DEADLINE_EXCEEDED). INVALID_ARGUMENT without
// a call if a string of the request is not UTF-8; the message names the field.
//
// Threads: every method may be called from any thread at any time; all calls
// share one connection a server, made by the first and made anew when it broke.
//
// Ownership: requests are read, or copied, before a method returns; a chunk is
// valid until its callback returns. The destructor waits for the asynchronous
// calls that are under way, so it must not run in one of their callbacks. A
// client that was moved from may only be destroyed or assigned to.
class Client {
 public:
  // INVALID_ARGUMENT if the address can not be one. Does not wait for the
  // server: one that is not there fails the calls.
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

  // Streams: `on_chunk` gets each chunk as it comes, in order, on the calling
  // thread, the final one (which has the usage) too. If it returns false it is
  // not called again and the call is cancelled: see StreamEnd::is_stopped.
  // After an error the chunks that came before it have been given.
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

  // The same without a thread that waits: these return at once. A call's
  // callbacks come from gRPC's threads, never two at a time, `on_done` last and
  // exactly once, perhaps before the method has returned (from the calling
  // thread if the request was refused here). They must not block, and they live
  // until `on_done` has returned.
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
