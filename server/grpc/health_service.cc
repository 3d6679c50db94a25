// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/health_service.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "server/field_error.h"
#include "server/grpc/unary_call.h"
#include "server/grpc/wire.h"
#include "server/parse_message.h"

namespace sheaf {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Longer names are not those of services. A call of Watch keeps its name.
constexpr size_t kMaxNameBytes = 200;

absl::StatusOr<std::string> ParseName(const std::string& bytes) {
  HealthCheckRequest request;
  if (absl::Status status = ParseMessage(bytes, &request); !status.ok()) {
    return status;
  }
  if (request.service().size() > kMaxNameBytes) {
    return FieldError(absl::StatusCode::kInvalidArgument, "service",
                      "has %d bytes; this server allows 0..%d",
                      request.service().size(), kMaxNameBytes);
  }
  return request.service();
}

}  // namespace

// A call of Watch.
class HealthWatch final : public RpcCall {
 public:
  HealthWatch(RpcHost& host, const RpcName& name,
              grpc::CallbackServerContext* rpc, HealthService* service)
      : RpcCall(host, name, rpc), service_(*service) {}

  // Sends the status, at once or as soon as the one before it has been sent.
  void Tell(HealthService::Status status) {
    absl::MutexLock lock(&mu_);
    if (is_sending_) {
      next_ = status;
      return;
    }
    is_sending_ = true;
    SendStatus(status);
  }

 private:
  void Begin() override { ReadMessage(kMaxOpenMessageBytes); }
  void OnMessage(std::string bytes) override {
    absl::StatusOr<std::string> name = ParseName(bytes);
    if (!name.ok()) return End(name.status());
    watched_ = *std::move(name);
    service_.Watch(*watched_, this);
  }
  void OnSent(bool) override {
    absl::MutexLock lock(&mu_);
    is_sending_ = next_.has_value();
    if (is_sending_) SendStatus(*std::exchange(next_, std::nullopt));
  }
  void OnClosed() override {
    if (watched_.has_value()) service_.Forget(*watched_, this);
  }

  void SendStatus(HealthService::Status status) {
    HealthCheckResponse response;
    response.set_status(status);
    Send(SerializeMessage(response));
  }

  HealthService& service_;
  std::optional<std::string> watched_;  // set once, before OnClosed()
  absl::Mutex mu_;
  bool is_sending_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<HealthService::Status> next_ ABSL_GUARDED_BY(mu_);
};

void HealthService::AddTo(RpcHost& host, RpcRouter& router) {
  const auto& service = ServiceOf<HealthCheckRequest>();
  router.Add(
      service, "Check", RpcRouter::Token::kNotRequired,
      OpenUnary(host, /*limiter=*/nullptr,
                [this](const std::string& bytes) { return Check(bytes); }));
  router.Add(
      service, "Watch", RpcRouter::Token::kNotRequired,
      [this, &host](const RpcName& name, grpc::CallbackServerContext* rpc) {
        return std::make_shared<HealthWatch>(host, name, rpc, this);
      });
}

absl::StatusOr<grpc::ByteBuffer> HealthService::Check(
    const std::string& bytes) {
  absl::StatusOr<std::string> name = ParseName(bytes);
  if (!name.ok()) return name.status();
  HealthCheckResponse response;
  {
    absl::MutexLock lock(&mu_);
    const auto it = services_.find(*name);
    if (it == services_.end() ||
        it->second.status == HealthCheckResponse::SERVICE_UNKNOWN) {
      return FieldError(absl::StatusCode::kNotFound, "service",
                        "is \"%s\"; this server has no such service",
                        Escaped(*name));
    }
    response.set_status(it->second.status);
  }
  return SerializeMessage(response);
}

void HealthService::Watch(const std::string& name, HealthWatch* watch) {
  absl::MutexLock lock(&mu_);
  Service& service = services_[name];
  service.watches.insert(watch);
  watch->Tell(service.status);
}

void HealthService::Forget(const std::string& name, HealthWatch* watch) {
  absl::MutexLock lock(&mu_);
  const auto it = services_.find(name);
  it->second.watches.erase(watch);
  if (it->second.watches.empty() &&
      it->second.status == HealthCheckResponse::SERVICE_UNKNOWN) {
    services_.erase(it);
  }
}

void HealthService::Set(absl::string_view name, bool is_serving) {
  absl::MutexLock lock(&mu_);
  SetLocked(services_[std::string(name)],
            is_serving ? HealthCheckResponse::SERVING
                       : HealthCheckResponse::NOT_SERVING);
}

bool HealthService::IsServing(absl::string_view name) const {
  absl::MutexLock lock(&mu_);
  const auto it = services_.find(name);
  return it != services_.end() &&
         it->second.status == HealthCheckResponse::SERVING;
}

void HealthService::SetAllNotServing(absl::string_view except) {
  absl::MutexLock lock(&mu_);
  for (auto& [name, service] : services_) {
    if (name == except ||
        service.status == HealthCheckResponse::SERVICE_UNKNOWN) {
      continue;
    }
    SetLocked(service, HealthCheckResponse::NOT_SERVING);
  }
}

void HealthService::SetLocked(Service& service, Status status) {
  if (std::exchange(service.status, status) == status) return;
  for (HealthWatch* watch : service.watches) watch->Tell(status);
}

}  // namespace sheaf
