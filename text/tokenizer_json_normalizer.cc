// SPDX-License-Identifier: Apache-2.0

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "text/charsmap.h"
#include "text/tokenizer_json_steps.h"

namespace sheaf {
namespace {

using nlohmann::json;
using Step = TextPreparation::Step;

// Real normalizers make a text at most 3 times longer, by marks for spaces.
constexpr size_t kMaxGrowth = 16;
constexpr size_t kMaxContentBytes = 64;

class NormalizerReader {
 public:
  NormalizerReader(const TokenizerJsonFields& fields, TextPreparation& out)
      : fields_(fields), out_(out) {}

  absl::Status Read(const json& step, bool is_first) {
    if (HasType(step, "Precompiled")) return ReadTable(step, is_first);
    if (HasType(step, "NFC") || HasType(step, "NFKC")) {
      out_.steps.push_back({.kind = HasType(step, "NFC") ? Step::Kind::kNfc
                                                         : Step::Kind::kNfkc});
      return fields_.CheckKeys(kField, step, {});
    }
    if (HasType(step, "Strip")) return ReadStrip(step);
    if (HasType(step, "Prepend")) return ReadPrepend(step);
    if (HasType(step, "Replace")) return ReadReplace(step);
    return fields_.Unsupported(
        kField, step, "Precompiled, NFC, NFKC, Strip, Prepend or Replace");
  }

 private:
  static constexpr absl::string_view kField = "normalizer";

  absl::Status ReadTable(const json& step, bool is_first) {
    if (!is_first) {
      return fields_.Unsupported("normalizer after another", step,
                                 "Precompiled as the first one");
    }
    const json& charsmap = Member(step, "precompiled_charsmap");
    if (charsmap.is_null()) return absl::OkStatus();
    if (!charsmap.is_string() ||
        !absl::Base64Unescape(charsmap.get_ref<const std::string&>(),
                              &out_.charsmap)) {
      return fields_.Invalid("normalizer.precompiled_charsmap",
                             "is not base64");
    }
    absl::Status status = CheckCharsMap(out_.charsmap);
    if (status.ok()) {
      return fields_.CheckKeys(kField, step, {"precompiled_charsmap"});
    }
    return absl::InvalidArgumentError(
        absl::StrCat(fields_.name(),
                     ": normalizer.precompiled_charsmap: ", status.message()));
  }

  absl::Status ReadStrip(const json& step) {
    Step strip = {.kind = Step::Kind::kStrip};
    for (const auto& [key, flag] :
         {std::pair{"strip_left", &strip.strips_begin},
          {"strip_right", &strip.strips_end}}) {
      const absl::StatusOr<bool> value =
          fields_.Bool(kField, step, key, /*fallback=*/true);
      if (!value.ok()) return value.status();
      *flag = *value;
    }
    out_.steps.push_back(std::move(strip));
    return fields_.CheckKeys(kField, step, {"strip_left", "strip_right"});
  }

  absl::Status ReadPrepend(const json& step) {
    Step prepend = {.kind = Step::Kind::kPrepend};
    absl::Status status = SetContent(Member(step, "prepend"), prepend);
    if (!status.ok()) return status;
    out_.steps.push_back(std::move(prepend));
    return fields_.CheckKeys(kField, step, {"prepend"});
  }

  absl::Status ReadReplace(const json& step) {
    const json& pattern = Member(step, "pattern");
    const json& text = Member(pattern, "String");
    Step replace;
    if (Member(pattern, "Regex") == " {2,}") {
      replace.kind = Step::Kind::kReplaceRuns;
      replace.pattern = "  ";
    } else if (text.is_string() && text != "") {
      replace.kind = Step::Kind::kReplace;
      replace.pattern = text.get<std::string>();
    } else {
      return fields_.Unsupported("normalizer Replace.pattern", pattern,
                                 "a string, or the expression \" {2,}\"");
    }
    absl::Status status = SetContent(Member(step, "content"), replace);
    if (!status.ok()) return status;
    growth_ *= (replace.content.size() + replace.pattern.size() - 1) /
                   replace.pattern.size() +
               (replace.content.empty() ? 1 : 0);
    if (growth_ > kMaxGrowth) {
      return fields_.Invalid(
          kField, absl::StrFormat("makes texts %d times longer; at most %d is "
                                  "allowed",
                                  growth_, kMaxGrowth));
    }
    out_.steps.push_back(std::move(replace));
    return fields_.CheckKeys(kField, step, {"pattern", "content"});
  }

  absl::Status SetContent(const json& content, Step& step) const {
    if (!content.is_string() ||
        content.get_ref<const std::string&>().size() > kMaxContentBytes) {
      return fields_.Unsupported(
          "the text of a normalizer", content,
          absl::StrFormat("a string of at most %d bytes", kMaxContentBytes));
    }
    step.content = content.get<std::string>();
    return absl::OkStatus();
  }

  const TokenizerJsonFields& fields_;
  TextPreparation& out_;
  size_t growth_ = 1;
};

}  // namespace

absl::Status ReadNormalizer(const TokenizerJsonFields& fields,
                            const json& normalizer, TextPreparation& out) {
  const auto steps = fields.Elements("normalizer", normalizer, "normalizers");
  if (!steps.ok()) return steps.status();
  NormalizerReader reader(fields, out);
  for (const json* step : *steps) {
    absl::Status status = reader.Read(*step, step == steps->front());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace sheaf
