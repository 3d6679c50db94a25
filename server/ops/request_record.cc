#include "server/ops/request_record.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "server/grpc/wire.h"

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

std::string CodeName(grpc::StatusCode code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

}  // namespace

std::optional<absl::string_view> MetadataOf(const grpc::ServerContextBase& rpc,
                                            absl::string_view key) {
  const auto it =
      rpc.client_metadata().find(grpc::string_ref(key.data(), key.size()));
  if (it == rpc.client_metadata().end()) return std::nullopt;
  return absl::string_view(it->second.data(), it->second.size());
}

RequestRecord ArrivalOf(const grpc::ServerContextBase& rpc,
                        absl::string_view method) {
  RequestRecord record;
  const auto id = MetadataOf(rpc, "x-request-id");
  record.request_id = id && IsId(*id) ? std::string(*id) : MakeId();
  const auto traceparent = MetadataOf(rpc, "traceparent");
  if (traceparent && IsTraceparent(*traceparent)) {
    record.traceparent = std::string(*traceparent);
  }
  record.method = std::string(method);
  record.peer = PeerOf(rpc);
  record.arrival = MonotonicTime::Now();
  return record;
}

void WriteRecord(const RequestRecord& record, Log* log) {
  if (log == nullptr) return;
  Log::Fields fields = {{"request_id", record.request_id},
                        {"method", record.method},
                        {"code", CodeName(record.code)},
                        {"peer", record.peer}};
  const auto add_word = [&](const char* key, const std::string& word) {
    if (!word.empty()) fields[key] = word;
  };
  add_word("traceparent", record.traceparent);
  add_word("token", record.token_name);
  add_word("model", record.model);
  if (record.summary.num_segments > 0) {
    fields["input_tokens"] = record.summary.num_input_tokens;
    fields["output_tokens"] = record.summary.num_output_tokens;
    fields["segments"] = record.summary.num_segments;
  }
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
