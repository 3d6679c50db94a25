// SPDX-License-Identifier: Apache-2.0

#include "text/sentencepiece_library.h"

#include <sentencepiece_processor.h>

#include <exception>
#include <utility>

namespace sheaf {

struct SentencePieceLibrary::Impl {
  template <typename Element>
  bool Encode(std::string_view text, std::vector<Element>& out) const {
    try {
      return processor.Encode(text, &out).ok();
    } catch (const std::exception&) {
      return false;
    }
  }

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
  return impl_->Encode(text, ids);
}

bool SentencePieceLibrary::Encode(std::string_view text,
                                  std::vector<std::string>& pieces) const {
  return impl_->Encode(text, pieces);
}

}  // namespace sheaf
