// SPDX-License-Identifier: Apache-2.0

#include "text/sentencepiece_library.h"

#include <sentencepiece_processor.h>

#include <exception>
#include <utility>

namespace sheaf {

struct SentencePieceLibrary::Impl {
  sentencepiece::SentencePieceProcessor processor;
};

SentencePieceLibrary::SentencePieceLibrary(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

SentencePieceLibrary::~SentencePieceLibrary() = default;

std::unique_ptr<SentencePieceLibrary> SentencePieceLibrary::Create(
    const std::string& serialized, std::string& error) {
  try {
    auto impl = std::make_unique<Impl>();
    const auto status = impl->processor.LoadFromSerializedProto(serialized);
    if (status.ok()) {
      return std::unique_ptr<SentencePieceLibrary>(
          new SentencePieceLibrary(std::move(impl)));
    }
    error = status.error_message();
  } catch (const std::exception& exception) {
    error = exception.what();
  }
  return nullptr;
}

bool SentencePieceLibrary::Encode(std::string_view text,
                                  std::vector<int32_t>& ids) const {
  try {
    return impl_->processor.Encode(text, &ids).ok();
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace sheaf
