// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sheaf {

// libsentencepiece behind standard types. Its header declares names in
// namespace `absl` that clash with Abseil's, so one file includes it, and that
// file sees no Abseil.
//
// Thread-safe after creation.
class SentencePieceLibrary {
 public:
  // Null, with the reason in `error`, if the library refuses the model.
  // REQUIRES: `serialized` is from Serialize() of a checked model, because the
  // library trusts its input.
  static std::unique_ptr<SentencePieceLibrary> Create(
      const std::string& serialized, std::string& error);
  ~SentencePieceLibrary();

  // False if the library fails. No text is known to cause this.
  bool Encode(std::string_view text, std::vector<int32_t>& ids) const;

  // The same, with the pieces themselves. Characters that are no piece are what
  // they are in the normalized text.
  bool Encode(std::string_view text, std::vector<std::string>& pieces) const;

 private:
  struct Impl;
  explicit SentencePieceLibrary(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sheaf
