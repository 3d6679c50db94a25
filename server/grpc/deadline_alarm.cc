// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/deadline_alarm.h"

#include "server/grpc/grpc_time.h"

namespace sheaf {

DeadlineAlarm::DeadlineAlarm(grpc::ServerContextBase* rpc)
    : target_(std::make_shared<Target>(rpc)) {}

void DeadlineAlarm::Arm(MonotonicTime time) {
  alarm_.Set(ToGrpc(time), [target = target_](bool has_fired) {
    absl::MutexLock lock(&target->mu);
    if (has_fired && target->rpc != nullptr) target->rpc->TryCancel();
  });
}

void DeadlineAlarm::Disarm() {
  {
    absl::MutexLock lock(&target_->mu);
    target_->rpc = nullptr;
  }
  alarm_.Cancel();
}

}  // namespace sheaf
