// SPDX-License-Identifier: Apache-2.0

#include "text/documents/xml_attributes.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sheaf {

std::string WithAttribute(absl::string_view tag, absl::string_view name,
                          absl::string_view value) {
  size_t at = tag.find_first_of(" \t\r\n/>");
  for (;;) {
    const size_t name_begin = tag.find_first_not_of(" \t\r\n", at);
    if (tag[name_begin] == '/' || tag[name_begin] == '>') break;
    const size_t equals = tag.find('=', name_begin);
    const size_t quote = tag.find_first_of("\"'", equals);
    const size_t end = tag.find(tag[quote], quote + 1);
    const absl::string_view found = absl::StripTrailingAsciiWhitespace(
        tag.substr(name_begin, equals - name_begin));
    if (found == name) {
      return absl::StrCat(tag.substr(0, quote + 1), value, tag.substr(end));
    }
    at = end + 1;
  }
  return absl::StrCat(tag.substr(0, at), " ", name, "=\"", value, "\"",
                      tag.substr(at));
}

}  // namespace sheaf
