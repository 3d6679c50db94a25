// SPDX-License-Identifier: Apache-2.0

#include "server/http/form_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// "name=value" of each field, "name(file)=value" of a file.
std::string Text(const absl::StatusOr<FormFields>& fields) {
  if (!fields.ok()) return std::string(fields.status().message());
  std::string text;
  for (const FormField& field : *fields) {
    absl::StrAppend(
        &text, text.empty() ? "" : "|", field.name,
        field.is_file ? absl::StrCat("(", field.file_name, ")") : "", "=",
        field.value);
  }
  return text;
}

TEST(UrlEncodedTest, HasNamesAndValues) {
  EXPECT_EQ(Text(ParseUrlEncoded("q=a+b%20c&source=en&target=de")),
            "q=a b c|source=en|target=de");
  EXPECT_EQ(Text(ParseUrlEncoded("q=a%26b%3Dc&q=2&&x&=y&z=1=2")),
            "q=a&b=c|q=2|x=|=y|z=1=2");
  EXPECT_EQ(Text(ParseUrlEncoded("")), "");
  EXPECT_EQ(Text(ParseUrlEncoded("q=%C3%BC%e2%82%ac")), "q=ü€");
}

TEST(UrlEncodedTest, RefusesWhatIsMalformed) {
  for (const char* text :
       {"q=%", "q=%4", "q=%zz", "q=%C3", "%ff=1", "q=\xff"}) {
    EXPECT_FALSE(ParseUrlEncoded(text).ok()) << text;
  }
  std::string many;
  for (size_t i = 0; i <= kMaxFormFields; ++i) many += "a=1&";
  EXPECT_THAT(Text(ParseUrlEncoded(many)), HasSubstr("more than 2000 fields"));
}

std::string Part(const std::string& header, const std::string& value) {
  return absl::StrCat("--b\r\n", header, "\r\n\r\n", value, "\r\n");
}
constexpr char kQ[] = "Content-Disposition: form-data; name=\"q\"";

TEST(MultipartTest, HasNamesValuesAndFiles) {
  const std::string body = absl::StrCat(
      Part(kQ, "Hello\r\n-- b\r\n"),
      Part("content-disposition: form-data; name=source\r\n"
           "Content-Type: text/plain; charset=utf-8",
           ""),
      Part("Content-Disposition: form-data; name=\"file\"; "
           "filename=\"a \\\"b\\\".txt\"\r\nContent-Type: text/plain",
           std::string("\0\xff", 2)),
      "--b--\r\n");
  EXPECT_EQ(Text(ParseMultipart(body, "b")),
            absl::StrCat("q=Hello\r\n-- b\r\n|source=|file(a \"b\".txt)=",
                         absl::string_view("\0\xff", 2)));
  EXPECT_THAT(*ParseMultipart("--b--", "b"), SizeIs(0));
}

TEST(MultipartTest, AQuotedNameIsNoParameter) {
  const std::string body = absl::StrCat(
      Part("Content-Disposition: form-data; filename=\"a; name=\\\"b\\\"\"; "
           "NAME = \"q; filename=c\"",
           "1"),
      Part("Content-Disposition: form-data; name=\"q; filename=c\"", "2"),
      "--b--\r\n");
  EXPECT_EQ(Text(ParseMultipart(body, "b")),
            "q; filename=c(a; name=\"b\")=1|q; filename=c=2");
}

TEST(MultipartTest, RefusesWhatIsMalformed) {
  const std::string end = "--b--\r\n";
  for (const std::string& body : {
           std::string(""),
           std::string("--b\r\n"),
           Part(kQ, "no end"),
           Part(kQ, "a\r\n--bx\r\n") + end,
           "text before" + Part(kQ, "a") + end,
           Part(kQ, "a") + end + "text after",
           Part("Content-Disposition: form-data", "no name") + end,
           Part("Content-Disposition: attachment; name=q", "a") + end,
           Part("Content-Type: text/plain", "a") + end,
           Part("no colon", "a") + end,
           Part(absl::StrCat(kQ, "\r\n", kQ), "two names") + end,
           Part(absl::StrCat(kQ, "; name=r"), "two names") + end,
           Part(absl::StrCat(kQ, "\r\nContent-Transfer-Encoding: base64"),
                "YQ==") +
               end,
           Part(absl::StrCat(kQ, "\r\nX-A: ", std::string(3000, 'a')), "a") +
               end,
           Part(kQ, "\xff") + end,
           Part("Content-Disposition: form-data; name=\"\xff\"", "a") + end,
           "--b \r\n" + std::string(kQ) + "\r\n\r\na\r\n" + end,
       }) {
    EXPECT_FALSE(ParseMultipart(body, "b").ok()) << body;
  }
  EXPECT_FALSE(ParseMultipart("--b--", std::string(100, 'b')).ok());
}

}  // namespace
}  // namespace sheaf
