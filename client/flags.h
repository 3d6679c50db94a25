// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/flag_parser.h"
#include "client/client.h"
#include "sheaf/v1/text.pb.h"
#include "text/documents/document.h"

namespace sheaf {

// "5,6,7".
struct TokenIdList {
  std::vector<int32_t> ids;
};
bool AbslParseFlag(absl::string_view text, TokenIdList* flag,
                   std::string* error);
std::string AbslUnparseFlag(const TokenIdList& flag);

// "automatic", "keep" or "paragraphs".
struct LineBreaksFlag {
  v1::LineBreaks value = v1::LINE_BREAKS_UNSPECIFIED;
};
bool AbslParseFlag(absl::string_view text, LineBreaksFlag* flag,
                   std::string* error);
std::string AbslUnparseFlag(const LineBreaksFlag& flag);

// The name of a format: "text", "markdown", ...
struct DocumentFormatFlag {
  DocumentFormat value = DocumentFormat::kText;
};
bool AbslParseFlag(absl::string_view text, DocumentFormatFlag* flag,
                   std::string* error);
std::string AbslUnparseFlag(const DocumentFormatFlag& flag);

// The client, call options and decoding options of a command.
struct CallSetup {
  Client client;
  CallOptions options;
  v1::DecodingOptions decoding;
};

// Read the flags. A flag that was not given leaves its field absent. The server
// checks ranges. Errors are UsageErrors.
absl::StatusOr<CallSetup> CallSetupFromFlags();
absl::StatusOr<CallOptions> CallOptionsFromFlags();
absl::StatusOr<v1::DecodingOptions> DecodingFromFlags();
absl::StatusOr<ClientOptions> ServerFromFlags();

// Returns a UsageError for --stream with several hypotheses.
absl::Status CheckStreamOfOne();

// Returns --concurrency if it is in its range.
absl::StatusOr<int> ConcurrencyFromFlags();

}  // namespace sheaf

// The flags that the commands read themselves. flags.cc defines all.
ABSL_DECLARE_FLAG(std::string, model);
ABSL_DECLARE_FLAG(std::string, from);
ABSL_DECLARE_FLAG(std::string, to);
ABSL_DECLARE_FLAG(bool, copy_target_language);
ABSL_DECLARE_FLAG(bool, stream);
ABSL_DECLARE_FLAG(bool, json);
ABSL_DECLARE_FLAG(std::string, input);
ABSL_DECLARE_FLAG(std::string, output);
ABSL_DECLARE_FLAG(bool, overwrite);
ABSL_DECLARE_FLAG(std::optional<sheaf::LineBreaksFlag>, line_breaks);
ABSL_DECLARE_FLAG(std::optional<sheaf::DocumentFormatFlag>, format);
ABSL_DECLARE_FLAG(bool, retranslate);
ABSL_DECLARE_FLAG(std::optional<int32_t>, num_hypotheses);
ABSL_DECLARE_FLAG(bool, mark_for_review);
ABSL_DECLARE_FLAG(std::optional<bool>, protect_spans);
ABSL_DECLARE_FLAG(std::optional<bool>, repair);
ABSL_DECLARE_FLAG(sheaf::RepeatedString, do_not_translate);
ABSL_DECLARE_FLAG(sheaf::RepeatedString, term);
ABSL_DECLARE_FLAG(std::string, glossary);
ABSL_DECLARE_FLAG(bool, report);
ABSL_DECLARE_FLAG(std::optional<sheaf::TokenIdList>, ids);
ABSL_DECLARE_FLAG(std::optional<uint64_t>, seed);
ABSL_DECLARE_FLAG(std::optional<int>, max_attempts);
ABSL_DECLARE_FLAG(std::optional<double>, rate);
ABSL_DECLARE_FLAG(std::optional<int32_t>, clients);
ABSL_DECLARE_FLAG(double, seconds);
ABSL_DECLARE_FLAG(bool, http);
ABSL_DECLARE_FLAG(bool, whole);
ABSL_DECLARE_FLAG(std::string, task);
ABSL_DECLARE_FLAG(std::string, text);
ABSL_DECLARE_FLAG(int32_t, source_tokens);
ABSL_DECLARE_FLAG(int32_t, source_vocab_size);
