// SPDX-License-Identifier: Apache-2.0

#include "server/access/intake.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

// A caller with several requests holds at most kHeldPerFree times the bytes
// that are free.
constexpr int64_t kHeldPerFree = 3;

}  // namespace

IntakeBytes::IntakeBytes(Intake* intake, std::string caller, int64_t bytes)
    : intake_(intake), caller_(std::move(caller)), bytes_(bytes) {}

IntakeBytes::IntakeBytes(IntakeBytes&& other) noexcept
    : intake_(std::exchange(other.intake_, nullptr)),
      caller_(std::move(other.caller_)),
      bytes_(other.bytes_) {}

IntakeBytes::~IntakeBytes() {
  if (intake_ == nullptr) return;
  absl::MutexLock lock(&intake_->mu_);
  intake_->Add(caller_, bytes_, -bytes_).IgnoreError();
}

absl::Status IntakeBytes::Resize(int64_t bytes) {
  absl::MutexLock lock(&intake_->mu_);
  absl::Status status = intake_->Add(caller_, bytes_, bytes - bytes_);
  if (status.ok()) bytes_ = bytes;
  return status;
}

absl::StatusOr<IntakeBytes> Intake::Take(const std::string& caller,
                                         int64_t bytes) {
  if (absl::Status status = CheckOpen(); !status.ok()) return status;
  return TakeMore(caller, bytes);
}

absl::StatusOr<IntakeBytes> Intake::TakeMore(const std::string& caller,
                                             int64_t bytes) {
  absl::MutexLock lock(&mu_);
  if (absl::Status status = Add(caller, /*own=*/0, bytes); !status.ok()) {
    return status;
  }
  return IntakeBytes(this, caller, bytes);
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

absl::Status Intake::Add(const std::string& caller, int64_t own, int64_t more) {
  if (more > 0) {
    if (absl::Status status = Check(caller, own, more); !status.ok()) {
      return status;
    }
  }
  bytes_ += more;
  int64_t& bytes_of_caller = bytes_of_[caller];
  bytes_of_caller += more;
  if (bytes_of_caller == 0) bytes_of_.erase(caller);
  on_bytes_(bytes_);
  return absl::OkStatus();
}

absl::Status Intake::Check(const std::string& caller, int64_t own,
                           int64_t more) {
  if (own + more > max_bytes_) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the request takes %d bytes; this server holds at most %d "
        "(--max_queued_bytes)",
        own + more, max_bytes_));
  }
  const int64_t free = max_bytes_ - bytes_ - more;
  if (free < 0) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "the request takes %d bytes and the others %d; this server holds at "
        "most %d (--max_queued_bytes)",
        own + more, bytes_ - own, max_bytes_));
  }
  const auto held = bytes_of_.find(caller);
  const int64_t others = held == bytes_of_.end() ? 0 : held->second - own;
  if (others > 0 && others + own + more > kHeldPerFree * free) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "the request takes %d bytes and others of \"%s\" %d, which leaves %d "
        "free of %d (--max_queued_bytes); this server holds for a caller with "
        "several requests at most %d times what is free",
        own + more, caller, others, free, max_bytes_, kHeldPerFree));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
