// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "text/markup/html_tokenizer.h"

namespace sheaf {

// Finds the end of SVG or MathML content. Takes amortized constant time per
// token, however deep elements nest.
class HtmlForeignContent {
 public:
  enum class Place {
    kInside,
    kLast,    // the token is the end tag of the content
    kBehind,  // the token ends the content, but does not belong to it
  };

  // Begins with the start tag of an element. REQUIRES: !is_open().
  void Begin(absl::string_view name);

  bool is_open() const { return !names_.empty(); }
  // Whether the next token stands in an element of SVG or MathML, and not in
  // HTML within it.
  bool is_foreign() const;

  // Tells where the next token stands, which `tokenizer` has just read.
  // `is_around` tells whether an HTML element is open around the content.
  // REQUIRES: is_open().
  Place Take(const HtmlToken& token, HtmlTokenizer& tokenizer,
             absl::FunctionRef<bool(absl::string_view name)> is_around);

 private:
  void TakeStartTag(const std::string& name, bool is_self_closing,
                    HtmlTokenizer& tokenizer);
  void Open(const std::string& name);
  bool Close(const std::string& name);

  std::vector<std::string> names_;  // of the open elements, in lower case
  absl::flat_hash_map<std::string, int64_t> count_;  // of names in names_
  int64_t num_html_ = 0;  // the number of names_ whose content is HTML
};

}  // namespace sheaf
