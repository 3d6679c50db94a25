// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/repair/segment_builder.h"
#include "sheaf/v1/text.pb.h"
#include "text/markup/markup.h"

namespace sheaf {

// The fields of requests that say how a text is read and what is kept in it.
// INVALID_ARGUMENT names the field, its value and what is allowed.
absl::StatusOr<TextFormat> ReadTextFormat(v1::TextFormat format);
absl::StatusOr<MarkupOptions> ReadMarkupOptions(
    const v1::TranslateRequest& request, TextFormat format);
absl::StatusOr<KeepOptions> ReadKeepOptions(
    const v1::TranslateRequest& request);

// An error of ParseMarkup(), with the field that it is about.
absl::Status WithTextField(const absl::Status& status);

}  // namespace sheaf
