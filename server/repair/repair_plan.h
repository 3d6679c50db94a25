// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/request.h"
#include "server/repair/segment_report.h"
#include "text/marks.h"
#include "text/prompt_template.h"
#include "text/tokenizer.h"

namespace sheaf {
