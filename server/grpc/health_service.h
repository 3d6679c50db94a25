// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpc/health/v1/health.pb.h"
#include "server/grpc/rpc_router.h"

namespace sheaf {

class HealthWatch;

// The name that does not serve while the engine is stuck.
inline constexpr char kLivenessName[] = "liveness";

// grpc.health.v1.Health: tells which services serve. The name "" stands for
// the whole server. Anybody may ask. A call of Watch stays open, costs no
// thread, and keeps at most one status that its client has not read.
//
// Thread-safe. Outlives its calls.
class HealthService {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  HealthService() = default;
  HealthService(const HealthService&) = delete;
  HealthService& operator=(const HealthService&) = delete;

  // `host` is not owned.
  void AddTo(RpcHost& host, RpcRouter& router);

  void Set(absl::string_view name, bool is_serving);
  bool IsServing(absl::string_view name) const;
  // Every name that was set, except this one, serves no more.
  void SetAllNotServing(absl::string_view except);

 private:
  friend class HealthWatch;
  struct Service {
    Status status = grpc::health::v1::HealthCheckResponse::SERVICE_UNKNOWN;
    std::set<HealthWatch*> watches;
  };

  absl::StatusOr<grpc::ByteBuffer> Check(const std::string& bytes);
  // From now on the call gets the status of this name, beginning with the
  // current one.
  void Watch(const std::string& name, HealthWatch* watch);
  void Forget(const std::string& name, HealthWatch* watch);
  void SetLocked(Service& service, Status status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  std::map<std::string, Service, std::less<>> services_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
