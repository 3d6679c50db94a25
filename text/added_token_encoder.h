// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/added_tokens.h"
#include "text/text_encoder.h"
#include "text/text_preparation.h"

namespace sheaf {

// Finds the added tokens in texts (tokenizer_files.h). A class that is derived
// from it encodes the text between them.
class AddedTokenEncoder : public TextEncoder {
 public:
  AddedTokenEncoder(const AddedTokenEncoder&) = delete;
  AddedTokenEncoder& operator=(const AddedTokenEncoder&) = delete;

  std::vector<int32_t> Encode(absl::string_view prompt, absl::string_view text,
                              SpecialTokens allowed) const override;

 protected:
  // Normalized tokens are found in texts that are normalized as `preparation`
  // says. If `receives_normalized`, AppendText() gets these texts. Otherwise it
  // gets texts as they are, unless there are normalized tokens in them.
  AddedTokenEncoder(std::vector<AddedToken> added_tokens,
                    TextPreparation preparation, bool receives_normalized);

  // Appends the ids of `text`, which is not empty. `is_first` says that it
  // begins the whole text.
  virtual void AppendText(absl::string_view text, bool is_first,
                          SpecialTokens allowed,
                          std::vector<int32_t>& ids) const = 0;

  const TextPreparation& preparation() const { return preparation_; }

 private:
  class Encoding;  // of one text

  const TextPreparation preparation_;
  const bool receives_normalized_;
  const std::vector<AddedToken> added_tokens_;
  const AddedTokenSplitter splitter_;             // of texts as they are
  const AddedTokenSplitter normalized_splitter_;  // of normalized texts
};

}  // namespace sheaf
