// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/caller_glossaries.h"

// The file of a glossary that a caller has created.
namespace sheaf {

inline constexpr absl::string_view kCallerGlossaryExtension = ".json";

// A new id, which cannot be guessed: a random UUID (RFC 9562, version 4).
std::string NewGlossaryId();
bool IsGlossaryId(absl::string_view text);

// INVALID_ARGUMENT names what is not allowed.
absl::Status CheckGlossaryName(absl::string_view name);

// {"owner": "...", "name": "...", "creation_time": "2026-01-31T12:00:00.000Z",
//  "dictionaries": [{"source_lang": "en", "target_lang": "de",
//                    "entries": "server\tRechner"}]}
std::string ToFileText(const CallerGlossary& glossary);

// Reads a file as untrusted input. INVALID_ARGUMENT, or what ReadTextFile()
// returns; errors name the path.
absl::StatusOr<CallerGlossary> ReadGlossaryFile(const std::string& path,
                                                absl::string_view id);

}  // namespace sheaf
