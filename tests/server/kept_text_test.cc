// SPDX-License-Identifier: Apache-2.0

// What must survive a translation does, whatever the model writes: random
// documents, through a running server with a model of random weights.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/server/model_server.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

constexpr int kNumDocuments = 3000;
constexpr int kClients = 16;

int64_t CountOf(const std::string& text, const std::string& part) {
  int64_t num = 0;
  for (size_t at = text.find(part); at != text.npos;
       at = text.find(part, at + part.size())) {
    ++num;
  }
  return num;
}

// A random document and what its translation must have.
struct Document {
  v1::TranslateRequest request;
  std::vector<std::string> spans;
};

class Generator {
 public:
  explicit Generator(int seed) : random_(seed) {}

  Document Next() {
    document_ = Document();
    v1::TranslateRequest& request = document_.request;
    format_ = static_cast<v1::TextFormat>(1 + Below(3));
    request.set_format(format_);
    request.set_source_language("en");
    request.set_target_language("de");
    request.set_return_alignments(Below(4) == 0);
    request.mutable_decoding()->set_max_new_tokens(8 + Below(16));
    if (Below(4) == 0) {
      request.add_do_not_translate("Blue Fox");
      has_term_ = true;
    } else {
      has_term_ = false;
    }
    std::string text;
    const int num_paragraphs = 1 + Below(3);
    for (int i = 0; i < num_paragraphs; ++i) text += Paragraph();
    request.set_text(format_ == v1::TEXT_FORMAT_XML
                         ? absl::StrCat("<doc>", text, "</doc>")
                         : text);
    return document_;
  }

 private:
  int Below(int n) { return static_cast<int>(random_() % n); }

  std::string Paragraph() {
    std::string text = Words(/*depth=*/0);
    if (format_ == v1::TEXT_FORMAT_PLAIN) return text + "\n";
    return absl::StrCat("<p>", text, "</p>\n");
  }

  std::string Words(int depth) {
    std::string text;
    const int num_words = 1 + Below(7);
    for (int i = 0; i < num_words; ++i) {
      if (i > 0) text += Below(12) == 0 ? ". " : " ";
      text += Word(depth);
    }
    return text;
  }

  std::string Word(int depth) {
    static constexpr const char* kWords[] = {
        "The", "file", "is", "open", "work", "of", "a", "license", "OPEN",
        "under", "terms", "12", "19:30", "permission", "\u20ac5", "it\u2019s"};
    if (Below(4) == 0) return Span();
    if (format_ != v1::TEXT_FORMAT_PLAIN && depth < 4 && Below(4) == 0) {
      return Element(depth);
    }
    return kWords[Below(std::size(kWords))];
  }

  std::string Element(int depth) {
    const int id = Below(1000);
    switch (Below(4)) {
      case 0:
        return absl::StrCat("<br id=\"", id, "\"/>");
      case 1:
        return absl::StrCat("<!-- ", id, " -->");
      case 2:
        return absl::StrCat("<b id=\"", id, "\">", Words(depth + 1), "</b>");
      default:
        return absl::StrCat("<i>", Words(depth + 1), "</i>");
    }
  }

  std::string Span() {
    const int id = Below(100);
    std::string span;
    switch (Below(has_term_ ? 7 : 6)) {
      case 0:
        span = absl::StrCat("{name", id, "}");
        break;
      case 1:
        span = absl::StrCat("%", 1 + id % 9, "$s");
        break;
      case 2:
        span = absl::StrCat("https://example.org/a", id, "?b=1");
        break;
      case 3:
        span = absl::StrCat("user", id, "@example.org");
        break;
      case 4:
        span = absl::StrCat("${value", id, "}");
        break;
      case 5:
        span = absl::StrCat("{{item", id, "}}");
        break;
      default:
        span = "Blue Fox";
    }
    document_.spans.push_back(span);
    return span;
  }

  std::mt19937 random_;
  Document document_;
  v1::TextFormat format_ = v1::TEXT_FORMAT_PLAIN;
  bool has_term_ = false;
};

// The tags and comments of a text of the generator, in order.
std::vector<std::string> TagsOf(const std::string& text) {
  std::vector<std::string> tags;
  for (size_t at = text.find('<'); at != text.npos; at = text.find('<', at)) {
    const size_t end = absl::StartsWith(text.substr(at), "<!--")
                           ? text.find("-->", at) + 3
                           : text.find('>', at) + 1;
    tags.push_back(text.substr(at, end - at));
    at = end;
  }
  return tags;
}

// The elements that surround each tag, by name and attributes, sorted. Empty if
// the tags are not well nested.
std::vector<std::string> NestingOf(const std::vector<std::string>& tags) {
  std::vector<std::string> paths;
  std::vector<std::string> open;
  for (const std::string& tag : tags) {
    if (absl::StartsWith(tag, "</")) {
      if (open.empty()) return {};
      open.pop_back();
      continue;
    }
    std::string path;
    for (const std::string& each : open) path += each;
    paths.push_back(path + tag);
    const bool is_empty =
        absl::EndsWith(tag, "/>") || absl::StartsWith(tag, "<!--");
    if (!is_empty) open.push_back(tag);
  }
  if (!open.empty()) return {};
  std::sort(paths.begin(), paths.end());
  return paths;
}

void Check(const Document& document, const v1::TranslateResponse& response) {
  const std::string& source = document.request.text();
  const std::string& text = response.text();
  for (const std::string& span : document.spans) {
    EXPECT_EQ(CountOf(text, span), CountOf(source, span))
        << span << " in " << source << " -> " << text;
  }
  if (document.request.format() != v1::TEXT_FORMAT_PLAIN) {
    const std::vector<std::string> of_source = TagsOf(source);
    const std::vector<std::string> of_text = TagsOf(text);
    EXPECT_EQ(NestingOf(of_text), NestingOf(of_source))
        << source << " -> " << text;
    EXPECT_EQ(of_text.size(), of_source.size()) << source << " -> " << text;
  }
  if (!document.request.return_alignments()) return;
  const auto num_code_points = [](const std::string& each) {
    return std::count_if(each.begin(), each.end(),
                         [](char c) { return (c & 0xC0) != 0x80; });
  };
  int64_t source_end = 0, target_end = 0;
  for (const v1::SegmentReport& segment : response.segments()) {
    EXPECT_LE(source_end, segment.source().begin()) << source;
    EXPECT_LE(target_end, segment.target().begin()) << source;
    EXPECT_LT(segment.source().begin(), segment.source().end()) << source;
    source_end = segment.source().end();
    target_end = segment.target().end();
    for (const v1::TokenAlignment& alignment : segment.alignments()) {
      EXPECT_LE(segment.source().begin(), alignment.source().begin());
      EXPECT_LE(alignment.source().end(), segment.source().end()) << source;
      EXPECT_LE(segment.target().begin(), alignment.target().begin());
      EXPECT_LE(alignment.target().end(), segment.target().end()) << text;
    }
  }
  EXPECT_LE(source_end, num_code_points(source));
  EXPECT_LE(target_end, num_code_points(text));
}

TEST(KeptTextTest, SpansAndTagsSurviveWhateverTheModelWrites) {
  ProgramOptions options = ModelServer::Options();
  options.languages = ParseLanguagePairs("--languages", "en-de").value();
  const auto server =
      ModelServer::Start(TestdataDir("text-end-to-end"), options);
  ASSERT_NE(server, nullptr);
  std::atomic<int> next = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      for (int seed = next++; seed < kNumDocuments; seed = next++) {
        const Document document = Generator(seed).Next();
        grpc::ClientContext context;
        v1::TranslateResponse response;
        const grpc::Status status = server->text().Translate(
            &context, document.request, &response);
        ASSERT_TRUE(status.ok()) << status.error_message() << " for "
                                 << document.request.text();
        Check(document, response);
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace sheaf
