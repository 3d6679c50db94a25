// SPDX-License-Identifier: Apache-2.0

#include "server/access/auth_tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "server/ops/file_stamp.h"

namespace sheaf {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr int32_t kMaxWeight = 100;
constexpr uint64_t kMaxFileBytes = uint64_t{16} << 20;

// A name is a label of a metric and a word in the log.
bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

bool IsSha256(absl::string_view hex) {
  return hex.size() == size_t{2} * SHA256_DIGEST_LENGTH &&
         std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit);
}

}  // namespace

AuthTokens::AuthTokens(std::string path,
                       std::function<void(const absl::Status&)> on_reload)
    : path_(std::move(path)), on_reload_(std::move(on_reload)) {}

absl::StatusOr<AuthTokens::Entry> AuthTokens::ReadEntry(
    absl::Span<const absl::string_view> words) {
  if (words.size() < 2 || words.size() > 3 || !IsName(words[0]) ||
      !IsSha256(words[1])) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "allowed is NAME SHA256 [weight=N], a name of 1..%d letters, digits, "
        "\"-\", \"_\" and \".\", and 64 hexadecimal digits",
        kMaxNameBytes));
  }
  Entry entry{{std::string(words[0])}, {}};
  const std::string bytes = absl::HexStringToBytes(words[1]);
  std::copy(bytes.begin(), bytes.end(), entry.sha256.begin());
  if (words.size() == 2) return entry;
  absl::string_view weight = words[2];
  if (!absl::ConsumePrefix(&weight, "weight=") ||
      !absl::SimpleAtoi(weight, &entry.holder.weight) ||
      entry.holder.weight < 1 || entry.holder.weight > kMaxWeight) {
    // Printed only if it cannot be a misplaced secret.
    return absl::InvalidArgumentError(absl::StrFormat(
        "the third word is %s; allowed is weight=1 to weight=%d",
        absl::StartsWith(words[2], "weight=") ? words[2] : "something else",
        kMaxWeight));
  }
  return entry;
}

absl::StatusOr<AuthTokens::Entries> AuthTokens::Read(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(path, kMaxFileBytes);
  if (!text.ok()) {
    return absl::NotFoundError(
        absl::StrFormat("--auth_tokens_file is \"%s\": cannot be read: %s",
                        path, text.status().message()));
  }
  const auto wrong = [&path](int32_t line_number, absl::string_view reason) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--auth_tokens_file: line %d of \"%s\" is wrong: %s",
                        line_number, path, reason));
  };
  Entries entries;
  // By name: the weight, and the line that gives it.
  absl::flat_hash_map<std::string, std::pair<int32_t, int32_t>> weights;
  int32_t line_number = 0;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++line_number;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty() || words[0].front() == '#') continue;
    absl::StatusOr<Entry> entry = ReadEntry(words);
    if (!entry.ok()) return wrong(line_number, entry.status().message());
    const Holder& holder = entry->holder;
    const auto& [weight, its_line] =
        weights.try_emplace(holder.name, holder.weight, line_number)
            .first->second;
    if (holder.weight != weight) {
      return wrong(
          line_number,
          absl::StrFormat("the weight of \"%s\" is %d; allowed is %d, "
                          "which it has on line %d",
                          holder.name, holder.weight, weight, its_line));
    }
    entries.push_back(*std::move(entry));
  }
  if (entries.empty()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--auth_tokens_file: \"%s\" has no token", path));
  }
  return entries;
}

absl::StatusOr<std::unique_ptr<AuthTokens>> AuthTokens::Load(
    const std::string& path,
    std::function<void(const absl::Status&)> on_reload) {
  std::unique_ptr<AuthTokens> tokens(
      new AuthTokens(path, std::move(on_reload)));
  absl::MutexLock look_lock(&tokens->look_mu_);
  absl::MutexLock lock(&tokens->mu_);
  tokens->stamp_ = FileStamp(path);
  absl::StatusOr<Entries> entries = Read(path);
  if (!entries.ok()) return entries.status();
  tokens->entries_ = std::make_shared<const Entries>(*std::move(entries));
  return tokens;
}

void AuthTokens::Look(bool is_asked) {
  absl::MutexLock look_lock(&look_mu_);
  // Taken before the file is read, so that the next look sees a later change.
  const std::string stamp = FileStamp(path_);
  const bool has_changed = stamp != std::exchange(stamp_, stamp);
  if (!has_changed && status_.ok() && !is_asked) return;
  absl::StatusOr<Entries> entries = Read(path_);
  const bool is_other =
      entries.status() != std::exchange(status_, entries.status());
  if (entries.ok()) {
    absl::MutexLock lock(&mu_);
    entries_ = std::make_shared<const Entries>(*std::move(entries));
  }
  if (has_changed || is_other || is_asked) on_reload_(status_);
}

std::shared_ptr<const AuthTokens::Entries> AuthTokens::Current() {
  absl::MutexLock lock(&mu_);
  return entries_;
}

std::optional<AuthTokens::Holder> AuthTokens::HolderOf(
    absl::string_view token) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(token.data()), token.size(),
         digest.data());
  const std::shared_ptr<const Entries> entries = Current();
  const Entry* found = nullptr;
  for (const Entry& entry : *entries) {  // all of them, each in constant time
    const bool is_equal =
        CRYPTO_memcmp(entry.sha256.data(), digest.data(), digest.size()) == 0;
    found = is_equal ? &entry : found;
  }
  if (found == nullptr) return std::nullopt;
  return found->holder;
}

}  // namespace sheaf
