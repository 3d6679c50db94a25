// SPDX-License-Identifier: Apache-2.0

#include "server/ops/request_record.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

constexpr size_t kMaxIdBytes = 128;

std::string MakeId() {
  static thread_local absl::BitGen bits;
  return absl::StrFormat("%016x", absl::Uniform<uint64_t>(bits));
}

bool IsId(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxIdBytes &&
         std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

// "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
bool IsTraceparent(absl::string_view text) {
  constexpr absl::string_view kForm =
      "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
  return text.size() == kForm.size() &&
         std::equal(text.begin(), text.end(), kForm.begin(),
                    [](char c, char form) {
                      return form == 'x' ? absl::ascii_isxdigit(c) : c == form;
                    });
}

double Milliseconds(absl::Duration duration) {
  return absl::ToInt64Microseconds(duration) / 1000.0;
}

}  // namespace

std::string RequestIdOr(absl::string_view id) {
  return IsId(id) ? std::string(id) : MakeId();
}

std::string CheckedTraceparent(absl::string_view traceparent) {
  return IsTraceparent(traceparent) ? std::string(traceparent) : "";
}

void WriteRecord(const RequestRecord& record, Log* log) {
  if (log == nullptr) return;
  Log::Fields fields = {{"request_id", record.request_id},
                        {"method", record.method},
                        {"code", absl::StatusCodeToString(record.code)},
                        {"peer", record.peer}};
  const auto add_word = [&](const char* key, const std::string& word) {
    if (!word.empty()) fields[key] = word;
  };
  add_word("traceparent", record.traceparent);
  add_word("certificate_subject", record.certificate_subject);
  add_word("token", record.token_name);
  add_word("model", record.model);
  add_word("detected_language", record.detected_language);
  if (record.is_unread) fields["is_unread"] = true;
  if (record.num_segments > 0) {
    fields["input_tokens"] = record.num_input_tokens;
    fields["output_tokens"] = record.num_output_tokens;
    fields["segments"] = record.num_segments;
  }
  if (record.num_decodes_again > 0) {
    fields["decodes_again"] = record.num_decodes_again;
  }
  if (record.num_flagged > 0) fields["flagged"] = record.num_flagged;
  if (record.queued.has_value()) {
    fields["queue_ms"] = Milliseconds(*record.queued);
  }
  if (record.first_token.has_value()) {
    fields["first_token_ms"] =
        Milliseconds(*record.first_token - record.arrival);
  }
  fields["total_ms"] = Milliseconds(MonotonicTime::Now() - record.arrival);
  log->Event("request", fields);
}

}  // namespace sheaf
