// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "server/caller_glossaries.h"
#include "server/exchange.h"
#include "server/http/file_store.h"

namespace sheaf {

// The services behind the paths of DeepL's API. The pointers are not owned, and
// their objects outlive the router's calls.
struct DeepLBackend {
  const Services* services;
  CallerGlossaries* glossaries;      // null: callers can create none
  std::shared_ptr<FileStore> files;  // of translated documents
};

// The characters of the texts that were translated since the start.
using DeepLUsage = std::shared_ptr<std::atomic<int64_t>>;

}  // namespace sheaf
