// SPDX-License-Identifier: Apache-2.0

#include "server/access/intake.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace sheaf {

IntakeBytes::IntakeBytes(Intake* intake, int64_t bytes)
    : intake_(intake), bytes_(bytes) {}

IntakeBytes::IntakeBytes(IntakeBytes&& other) noexcept
    : intake_(std::exchange(other.intake_, nullptr)), bytes_(other.bytes_) {}

IntakeBytes::~IntakeBytes() {
  if (intake_ == nullptr) return;
  absl::MutexLock lock(&intake_->mu_);
  intake_->Add(bytes_, -bytes_).IgnoreError();
}

absl::Status IntakeBytes::Resize(int64_t bytes) {
  absl::MutexLock lock(&intake_->mu_);
  absl::Status status = intake_->Add(bytes_, bytes - bytes_);
  if (status.ok()) bytes_ = bytes;
  return status;
}

absl::StatusOr<IntakeBytes> Intake::Take(int64_t bytes) {
  if (absl::Status status = CheckOpen(); !status.ok()) return status;
  absl::MutexLock lock(&mu_);
  if (absl::Status status = Add(/*own=*/0, bytes); !status.ok()) return status;
  return IntakeBytes(this, bytes);
}

absl::Status Intake::CheckOpen() {
  absl::MutexLock lock(&mu_);
  return is_closed_ ? absl::UnavailableError("the server is draining")
                    : absl::OkStatus();
}

void Intake::Close() {
  absl::MutexLock lock(&mu_);
  is_closed_ = true;
}

absl::Status Intake::Add(int64_t own, int64_t more) {
  if (more > 0 && own + more > max_bytes_) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the request takes %d bytes; this server holds at most %d "
        "(--max_queued_bytes)",
        own + more, max_bytes_));
  }
  if (more > 0 && bytes_ + more > max_bytes_) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "the request takes %d bytes and the others %d; this server holds at "
        "most %d (--max_queued_bytes)",
        own + more, bytes_ - own, max_bytes_));
  }
  bytes_ += more;
  on_bytes_(bytes_);
  return absl::OkStatus();
}

}  // namespace sheaf
