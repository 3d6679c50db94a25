// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/monotonic_time.h"

namespace sheaf {

// Cancels a call at a point of time.
//
// Thread-safe. Arm() is called once at most.
class DeadlineAlarm {
 public:
  // `rpc` is not owned and lives until Disarm() returns.
  explicit DeadlineAlarm(grpc::ServerContextBase* rpc);
  DeadlineAlarm(const DeadlineAlarm&) = delete;
  DeadlineAlarm& operator=(const DeadlineAlarm&) = delete;

  void Arm(MonotonicTime time);
  // From now on the call is not cancelled.
  void Disarm();

 private:
  // Shared with the alarm's function, which gRPC may call after this object is
  // gone.
  struct Target {
    explicit Target(grpc::ServerContextBase* rpc) : rpc(rpc) {}
    absl::Mutex mu;
    grpc::ServerContextBase* rpc ABSL_GUARDED_BY(mu);  // null: disarmed
  };

  const std::shared_ptr<Target> target_;
  grpc::Alarm alarm_;
};

}  // namespace sheaf
