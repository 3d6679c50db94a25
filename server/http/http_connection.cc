// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "server/http/cors.h"
#include "server/http/http_caller.h"
#include "server/http/http_head.h"
#include "server/http/http_status.h"
#include "server/ops/request_record.h"

namespace sheaf {
namespace {

// How long a client may take to close after its last answer, and how many bytes
// are read meanwhile and dropped. A socket that is closed while bytes wait to
// be read resets the connection, and the client may lose the answer.
constexpr absl::Duration kLingerTime = absl::Seconds(2);
constexpr size_t kMaxLingerBytes = size_t{1} << 20;
// How many bytes a client may send before it has its answer.
constexpr size_t kMaxExtraBytes = 64 << 10;
// The body's bytes are counted in units of this size.
constexpr size_t kCountedBytes = 4 << 10;

constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
absl::Status StatusOf(const RequestParser::Failure& failure) {
  return WithHttpStatus(
      absl::Status(CodeOfHttpStatus(failure.status), failure.message),
      failure.status);
}

}  // namespace

HttpConnection::HttpConnection(HttpHost& host, HttpLoop& loop, int fd,
                               const std::shared_ptr<SSL_CTX>& tls)
    : host_(host),
      loop_(loop),
      stream_(loop.io, fd, tls),
      timer_(loop.io),
      begin_(MonotonicTime::Now()) {}

void HttpConnection::Start() {
  SetDeadline(
      std::min(host_.limits.handshake_timeout, host_.limits.idle_timeout));
  ShakeHands();
}

void HttpConnection::ShakeHands() {
  if (state_ != State::kHandshake) return;
  const auto again = [self = shared_from_this()] { self->ShakeHands(); };
  switch (stream_.Handshake()) {
    case ByteStream::Result::kDone:
      subject_ = stream_.CertificateSubject();
      state_ = State::kIdle;
      SetDeadline(host_.limits.idle_timeout);
      return Pump();
    case ByteStream::Result::kAwaitReadable:
      return stream_.AwaitReadable(again);
    case ByteStream::Result::kAwaitWritable:
      return stream_.AwaitWritable(again);
    case ByteStream::Result::kClosed:
      return Close();
  }
}

// Takes all bytes that are there, and waits for more.
void HttpConnection::Pump() {
  if (is_pumping_ || is_awaiting_bytes_) return;
  is_pumping_ = true;
  const auto again = [self = shared_from_this()] {
    self->is_awaiting_bytes_ = false;
    self->Pump();
  };
  while (state_ != State::kClosed && !has_no_more_bytes_ &&
         !is_awaiting_bytes_) {
    const ByteStream::Moved moved =
        stream_.Read(loop_.scratch.data(), loop_.scratch.size());
    switch (moved.result) {
      case ByteStream::Result::kDone:
        OnBytes(absl::string_view(loop_.scratch.data(), moved.num_bytes));
        break;
      case ByteStream::Result::kAwaitReadable:
        is_awaiting_bytes_ = true;
        stream_.AwaitReadable(again);
        break;
      case ByteStream::Result::kAwaitWritable:
        is_awaiting_bytes_ = true;
        stream_.AwaitWritable(again);
        break;
      case ByteStream::Result::kClosed:
        has_no_more_bytes_ = true;
        OnEnd();
        break;
    }
  }
  is_pumping_ = false;
}

void HttpConnection::OnBytes(absl::string_view bytes) {
  switch (state_) {
    case State::kIdle:
      parser_ = std::make_unique<RequestParser>(RequestParser::Limits{
          host_.limits.max_header_bytes, host_.limits.max_body_bytes});
      arrival_ = MonotonicTime::Now();
      request_id_.clear();
      cors_fields_.clear();
      is_head_ = false;
      is_version_1_0_ = false;
      is_in_parts_ = false;
      num_extra_bytes_ = 0;
      state_ = State::kHeader;
      SetDeadline(host_.limits.header_timeout);
      return OnBytesOfRequest(bytes);
    case State::kHeader:
    case State::kBody:
      return OnBytesOfRequest(bytes);
    default:
      return OnExtraBytes(bytes.size());
  }
}

void HttpConnection::OnBytesOfRequest(absl::string_view bytes) {
  using ParserState = RequestParser::State;
  while (!bytes.empty() &&
         (state_ == State::kHeader || state_ == State::kBody)) {
    bytes.remove_prefix(parser_->Put(bytes));
    const ParserState parsed = parser_->state();
    if (parsed == ParserState::kFailed) {
      const absl::Status reason = StatusOf(parser_->failure());
      must_close_ = true;
      if (state_ == State::kBody) return FailBody(reason);
      return AnswerWithoutCall(PlainError(reason));
    }
    if (parsed == ParserState::kHeader) continue;
    if (parsed == ParserState::kDone && !bytes.empty()) must_close_ = true;
    if (state_ == State::kHeader) {
      OnHeader();
    } else if (!TakeBodyBytes()) {
      return;
    }
    if (state_ == State::kBody && parsed == ParserState::kDone) OnBody();
  }
  if (host_.is_draining) OnDrain();
  OnExtraBytes(bytes.size());
}

// Bytes behind a request whose answer is not there yet.
void HttpConnection::OnExtraBytes(size_t num_bytes) {
  if (num_bytes == 0) return;
  must_close_ = true;
  num_extra_bytes_ += num_bytes;
  const bool is_lingering = state_ == State::kLingering;
  if (num_extra_bytes_ > (is_lingering ? kMaxLingerBytes : kMaxExtraBytes)) {
    Drop();
  }
}

void HttpConnection::OnEnd() {
  switch (state_) {
    case State::kAnswering:
      must_close_ = true;
      // A client may end its side once it has asked; of a stream, it has left.
      if (!is_in_parts_) return;
      return Drop();
    case State::kClosed:
      return;
    default:
      return Drop();
  }
}

void HttpConnection::OnHeader() {
  const HttpHeader& header = parser_->header();
  is_head_ = header.method == "HEAD";
  is_version_1_0_ = header.is_version_1_0;
  must_close_ = must_close_ || !header.keeps_alive || is_version_1_0_ ||
                MonotonicTime::Now() - begin_ > host_.limits.max_age;
  request_id_ = RequestIdOr(header.Field("x-request-id"));
  AddCorsFields(host_.cors_origins, header, cors_fields_);
  HttpRouter::Found found = host_.router->Find(header.method, header.path);
  if (found.route != nullptr) {
    return BeginCall(*found.route, std::move(found.values));
  }
  if (found.allowed.empty()) {
    return AnswerWithoutCall(
        PlainError(absl::NotFoundError("this server has no such path")));
  }
  if (header.method == "OPTIONS") return AnswerOptions(found.allowed);
  HttpResponse response = PlainError(WithHttpStatus(
      absl::UnimplementedError(absl::StrCat(
          "the method is not allowed; allowed is ", found.allowed)),
      405));
  response.fields.emplace_back("Allow", found.allowed);
  AnswerWithoutCall(std::move(response));
}

void HttpConnection::AnswerOptions(absl::string_view allowed) {
  HttpResponse response;
  response.status = 204;
  response.fields.emplace_back("Allow", std::string(allowed));
  AddPreflightFields(host_.cors_origins, allowed, response.fields);
  AnswerWithoutCall(std::move(response));
}

void HttpConnection::AnswerWithoutCall(HttpResponse response) {
  route_ = nullptr;
  state_ = State::kRunning;
  if (request_id_.empty()) request_id_ = RequestIdOr("");
  Answer(std::move(response));
  parser_.reset();
}

void HttpConnection::BeginCall(const HttpRouter::Route& route,
                               std::vector<std::string> values) {
  route_ = &route;
  const HttpHeader& header = parser_->header();
  HttpCallContext context;
  context.request = {header, std::move(values), ""};
  context.request.header.is_secure =
      stream_.has_tls() ||
      (host_.proxies->IncludesPeer(stream_.peer()) &&
       absl::EqualsIgnoreCase(header.Field("x-forwarded-proto"), "https"));
  context.caller =
      CallerOfHttp(header, absl::StrCat(route.method, " ", route.pattern),
                   stream_.peer(), subject_, *host_.proxies);
  context.caller.request_id = request_id_;
  address_ = context.caller.address;
  context.reply = shared_from_this();
  const bool has_body = header.has_body;
  const bool expects_continue =
      header.expects_continue && has_body && !is_version_1_0_;
  call_ = route.open(std::move(context));
  state_ = State::kBody;
  life_limit_ = MonotonicTime::InfiniteFuture();
  num_body_bytes_ = 0;
  SetDeadline(host_.limits.body_timeout);
  const std::shared_ptr<HttpCall> call = call_;
  if (!call->Begin()) {
    if (has_body) must_close_ = true;
    parser_.reset();
    if (state_ == State::kBody) state_ = State::kRunning;
    return;
  }
  // A socket has room for these few bytes, because nothing else is on its way.
  if (expects_continue &&
      stream_.Write(kContinue).num_bytes != kContinue.size()) {
    Drop();
  }
}

// Counts what has arrived of the body. Returns false if there is no place for
// it, and then has failed the body.
bool HttpConnection::TakeBodyBytes() {
  const size_t size = parser_->body_size();
  if (size <= num_body_bytes_) return true;
  num_body_bytes_ = (size / kCountedBytes + 1) * kCountedBytes;
  const auto bytes = static_cast<int64_t>(num_body_bytes_);
  absl::Status status;
  if (body_bytes_.has_value()) {
    status = body_bytes_->Resize(bytes);
  } else {
    absl::StatusOr<IntakeBytes> taken = host_.bodies->Take(address_, bytes);
    status = taken.status();
    if (taken.ok()) body_bytes_.emplace(*std::move(taken));
  }
  if (status.ok()) return true;
  must_close_ = true;
  FailBody(absl::ResourceExhaustedError(
      "bodies that are not answered, of this address or of all, take the "
      "memory that this server has for them (--transport_bytes)"));
  return false;
}

void HttpConnection::OnBody() {
  std::string body = parser_->TakeBody();
  parser_.reset();
  state_ = State::kRunning;
  SetDeadlineAt(life_limit_);
  const std::shared_ptr<HttpCall> call = call_;
  call->OnBody(std::move(body));
}

void HttpConnection::FailBody(const absl::Status& reason) {
  parser_.reset();
  if (state_ != State::kClosed) {
    state_ = State::kRunning;
    SetDeadlineAt(life_limit_);
  }
  const std::shared_ptr<HttpCall> call = call_;
  call->OnNoBody(reason);
}

void HttpConnection::OnDrain() {
  if (state_ != State::kBody) return;
  must_close_ = true;
  FailBody(absl::UnavailableError("the server is draining"));
}

void HttpConnection::Post(std::function<void()> task) {
  boost::asio::post(loop_.io, [self = shared_from_this(),
                               task = std::move(task)] { task(); });
}

void HttpConnection::LimitLife(MonotonicTime time) {
  Post([this, time] {
    life_limit_ = time;
    if (state_ == State::kRunning) SetDeadlineAt(time);
  });
}

void HttpConnection::Answer(HttpResponse response) {
  if (route_ != nullptr) {
    host_.metrics->CountHttpRequest(
        {route_->method, route_->pattern}, response.status,
        absl::ToDoubleSeconds(MonotonicTime::Now() - arrival_));
  } else {
    host_.metrics->CountHttpRequest({"other", "other"}, response.status, 0);
  }
  if (state_ == State::kClosed) return EndCall();
  const bool has_content = response.status != 204;
  std::string bytes = HeadOf(
      response,
      has_content
          ? absl::StrCat("Content-Length: ", response.body.size(), "\r\n")
          : "");
  if (!is_head_ && has_content) bytes += response.body;
  is_last_ = true;
  Write(std::move(bytes));
}

void HttpConnection::BeginParts(HttpResponse head) {
  host_.metrics->CountHttpRequest(
      {route_->method, route_->pattern}, head.status,
      absl::ToDoubleSeconds(MonotonicTime::Now() - arrival_));
  is_in_parts_ = true;
  is_last_ = false;
  if (state_ == State::kClosed) return;
  out_ = HeadOf(head, is_version_1_0_ ? "" : "Transfer-Encoding: chunked\r\n");
}

void HttpConnection::AppendPart(absl::string_view part,
                                std::string& bytes) const {
  if (is_version_1_0_) {
    absl::StrAppend(&bytes, part);
  } else {
    absl::StrAppend(&bytes, absl::Hex(part.size()), "\r\n", part, "\r\n");
  }
}

void HttpConnection::SendPart(absl::string_view part) {
  SHEAF_CHECK(is_in_parts_ && !part.empty());
  if (state_ == State::kClosed) {
    return Post([this] {
      if (call_ != nullptr) call_->OnSent();
    });
  }
  std::string bytes = std::move(out_);
  AppendPart(part, bytes);
  is_last_ = false;
  Write(std::move(bytes));
}

void HttpConnection::EndParts(absl::string_view last_part) {
  if (state_ == State::kClosed) return EndCall();
  std::string bytes = std::move(out_);
  if (!last_part.empty()) AppendPart(last_part, bytes);
  if (!is_version_1_0_) bytes += "0\r\n\r\n";
  is_last_ = true;
  Write(std::move(bytes));
}

std::string HttpConnection::HeadOf(const HttpResponse& response,
                                   absl::string_view framing) {
  // A body that is not read would be taken for the next request.
  const bool has_unread_body = parser_ != nullptr && parser_->header().has_body;
  must_close_ = must_close_ || host_.is_draining || has_unread_body;
  return HttpHeadText(response, {.framing = framing,
                                 .request_id = request_id_,
                                 .more = cors_fields_,
                                 .must_close = must_close_});
}

void HttpConnection::Write(std::string bytes) {
  out_ = std::move(bytes);
  num_written_ = 0;
  state_ = State::kAnswering;
  SetDeadlineAt(std::min(MonotonicTime::Now() + host_.limits.answer_timeout,
                         life_limit_));
  WriteSome();
}

void HttpConnection::WriteSome() {
  while (state_ == State::kAnswering && num_written_ < out_.size()) {
    const ByteStream::Moved moved =
        stream_.Write(absl::string_view(out_).substr(num_written_));
    switch (moved.result) {
      case ByteStream::Result::kDone:
        num_written_ += moved.num_bytes;
        break;
      case ByteStream::Result::kAwaitReadable:  // a new key of TLS
      case ByteStream::Result::kAwaitWritable:
        if (std::exchange(is_awaiting_room_, true)) return;
        return stream_.AwaitWritable([self = shared_from_this()] {
          self->is_awaiting_room_ = false;
          self->WriteSome();
        });
      case ByteStream::Result::kClosed:
        return Drop();
    }
  }
  if (state_ == State::kAnswering) OnWritten();
}

void HttpConnection::OnWritten() {
  std::string().swap(out_);
  num_written_ = 0;
  if (!is_last_) {
    state_ = State::kRunning;
    SetDeadlineAt(life_limit_);
    // Not from within SendPart().
    return Post([this] {
      if (call_ != nullptr) call_->OnSent();
    });
  }
  EndCall();
  if (must_close_) return Linger();
  state_ = State::kIdle;
  SetDeadline(host_.limits.idle_timeout);
  Pump();
}

void HttpConnection::EndCall() {
  const std::shared_ptr<HttpCall> call = std::move(call_);
  if (call != nullptr) call->OnClosed();
  body_bytes_.reset();
  num_body_bytes_ = 0;
}

void HttpConnection::Linger() {
  if (has_no_more_bytes_) return Close();
  state_ = State::kLingering;
  num_extra_bytes_ = 0;
  stream_.ShutDownSending();
  SetDeadline(kLingerTime);
  Pump();
}

void HttpConnection::Drop() {
  if (state_ == State::kClosed) return;
  const State state = state_;
  Close();
  if (call_ == nullptr) return;
  // An answer that was given is dropped.
  if (state == State::kAnswering && is_last_) return EndCall();
  if (state == State::kBody) return FailBody(absl::CancelledError(""));
  const std::shared_ptr<HttpCall> call = call_;
  call->OnClientGone();
  // The part that was on its way is dropped.
  if (state == State::kAnswering) call->OnSent();
}

void HttpConnection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  stream_.Close();
  deadline_ = MonotonicTime::InfiniteFuture();
  timer_.cancel();
  parser_.reset();
  std::string().swap(out_);
  loop_.connections.erase(shared_from_this());
}

void HttpConnection::SetDeadline(absl::Duration after) {
  SetDeadlineAt(MonotonicTime::Now() + after);
}

void HttpConnection::SetDeadlineAt(MonotonicTime time) {
  deadline_ = time;
  ArmTimer();
}

// A timer that rings too early is set again when it rings.
void HttpConnection::ArmTimer() {
  if (deadline_ == MonotonicTime::InfiniteFuture() ||
      timer_time_ <= deadline_) {
    return;
  }
  timer_time_ = deadline_;
  timer_.expires_after(absl::ToChronoNanoseconds(
      std::max(deadline_ - MonotonicTime::Now(), absl::ZeroDuration())));
  timer_.async_wait(
      [weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (error || self == nullptr) return;
        self->timer_time_ = MonotonicTime::InfiniteFuture();
        if (MonotonicTime::Now() >= self->deadline_) return self->OnTimeout();
        self->ArmTimer();
      });
}

void HttpConnection::OnTimeout() {
  deadline_ = MonotonicTime::InfiniteFuture();
  switch (state_) {
    case State::kHeader:
      must_close_ = true;
      return AnswerWithoutCall(PlainError(WithHttpStatus(
          absl::DeadlineExceededError(absl::StrFormat(
              "the header of the request has not arrived whole within %s",
              absl::FormatDuration(host_.limits.header_timeout))),
          408)));
    case State::kBody:
      must_close_ = true;
      return FailBody(WithHttpStatus(
          absl::DeadlineExceededError(absl::StrFormat(
              "the body of the request has not arrived whole within %s "
              "(--message_timeout)",
              absl::FormatDuration(host_.limits.body_timeout))),
          408));
    case State::kAnswering:
      if (call_ != nullptr) call_->OnUnread();
      return Drop();
    default:
      return Drop();
  }
}

}  // namespace sheaf
