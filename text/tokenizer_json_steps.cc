// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer_json_steps.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "base/key_reader.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr char kSpaceMark[] = "\xE2\x96\x81";  // U+2581

absl::StatusOr<TextPreparation::Prefix> ReadMetaspace(
    const TokenizerJsonFields& fields, const std::string& field,
    const json& metaspace) {
  if (!HasType(metaspace, "Metaspace")) {
    return fields.Unsupported(field, metaspace, "Metaspace");
  }
  if (Member(metaspace, "replacement") != kSpaceMark) {
    return fields.Unsupported(absl::StrCat(field, ".replacement"),
                              Member(metaspace, "replacement"), "U+2581");
  }
  const absl::StatusOr<bool> has_prefix =
      fields.Bool(field, metaspace, "add_prefix_space", /*fallback=*/true);
  if (!has_prefix.ok()) return has_prefix.status();
  absl::Status keys = fields.CheckKeys(field, metaspace,
                                       {"replacement", "add_prefix_space",
                                        "str_rep", "prepend_scheme", "split"});
  if (!keys.ok()) return keys;
  const json& scheme = Member(metaspace, "prepend_scheme");
  if (scheme == "never" || (scheme.is_null() && !*has_prefix)) {
    return TextPreparation::Prefix::kNever;
  }
  if (scheme == "always" || scheme.is_null()) {
    return TextPreparation::Prefix::kAlways;
  }
  if (scheme == "first") return TextPreparation::Prefix::kFirst;
  return fields.Unsupported(absl::StrCat(field, ".prepend_scheme"), scheme,
                            "always, first or never");
}

class PreTokenizerReader {
 public:
  PreTokenizerReader(const TokenizerJsonFields& fields, TextPreparation& out)
      : fields_(fields), out_(out) {}

  absl::Status Read(const std::vector<const json*>& steps) {
    if (steps.empty()) {
      out_.words = TextPreparation::Words::kWhole;
      out_.marks_spaces = false;
      out_.prefix = TextPreparation::Prefix::kNever;
      return absl::OkStatus();
    }
    if (steps.size() == 2 && HasType(*steps[0], "WhitespaceSplit")) {
      out_.splits_at_whitespace = true;
      return ReadMarks(*steps[1]);
    }
    if (steps.size() == 1) {
      if (HasType(*steps[0], "ByteLevel")) return ReadByteLevel(*steps[0]);
      if (HasType(*steps[0], "Split")) return ReadSplit(*steps[0]);
      if (HasType(*steps[0], "Metaspace")) return ReadMarks(*steps[0]);
    }
    return fields_.Unsupported(
        kField, *steps[0],
        "Metaspace, WhitespaceSplit and Metaspace, ByteLevel, or Split");
  }

 private:
  static constexpr char kField[] = "pre_tokenizer";

  absl::Status ReadMarks(const json& metaspace) {
    const absl::StatusOr<TextPreparation::Prefix> prefix =
        ReadMetaspace(fields_, kField, metaspace);
    if (!prefix.ok()) return prefix.status();
    out_.prefix = *prefix;
    const absl::StatusOr<bool> splits =
        fields_.Bool(kField, metaspace, "split", /*fallback=*/true);
    if (!splits.ok()) return splits.status();
    out_.words = *splits ? TextPreparation::Words::kAtMarks
                         : TextPreparation::Words::kWhole;
    if (!out_.splits_at_whitespace) return absl::OkStatus();
    // Only the first word would have a mark, and no space would be left.
    if (*prefix != TextPreparation::Prefix::kAlways) {
      return fields_.Unsupported(
          "pre_tokenizer.prepend_scheme after WhitespaceSplit",
          Member(metaspace, "prepend_scheme"), "always");
    }
    if (!*splits) {
      return fields_.Unsupported("pre_tokenizer.split after WhitespaceSplit",
                                 false, "true");
    }
    return absl::OkStatus();
  }

  absl::Status ReadByteLevel(const json& step) {
    const absl::StatusOr<bool> has_prefix =
        fields_.Bool(kField, step, "add_prefix_space", /*fallback=*/true);
    if (!has_prefix.ok()) return has_prefix.status();
    const absl::StatusOr<bool> has_pattern =
        fields_.Bool(kField, step, "use_regex", /*fallback=*/true);
    if (!has_pattern.ok()) return has_pattern.status();
    out_.marks_spaces = false;
    out_.prefix = *has_prefix ? TextPreparation::Prefix::kAlways
                              : TextPreparation::Prefix::kNever;
    out_.words = *has_pattern ? TextPreparation::Words::kByPattern
                              : TextPreparation::Words::kWhole;
    return fields_.CheckKeys(kField, step,
                             {"add_prefix_space", "trim_offsets", "use_regex"});
  }

  absl::Status ReadSplit(const json& step) {
    if (Member(Member(step, "pattern"), "String") != " " ||
        Member(step, "behavior") != "MergedWithPrevious" ||
        (Member(step, "invert") != false &&
         !Member(step, "invert").is_null())) {
      return fields_.Unsupported("pre_tokenizer Split", step,
                                 "the string \" \" with MergedWithPrevious");
    }
    out_.marks_spaces = false;
    out_.prefix = TextPreparation::Prefix::kNever;
    out_.words = TextPreparation::Words::kAfterSpaces;
    return fields_.CheckKeys(kField, step, {"pattern", "behavior", "invert"});
  }

  const TokenizerJsonFields& fields_;
  TextPreparation& out_;
};

class PostProcessorReader {
 public:
  explicit PostProcessorReader(const TokenizerJsonFields& fields)
      : fields_(fields) {}

  absl::Status Read(const json& step) {
    // It only moves the offsets of tokens.
    if (HasType(step, "ByteLevel")) return absl::OkStatus();
    if (has_tokens_) {
      return fields_.Unsupported("post_processor after another", step,
                                 "only one with tokens");
    }
    has_tokens_ = true;
    if (HasType(step, "TemplateProcessing")) return ReadTemplate(step);
    if (HasType(step, "RobertaProcessing") || HasType(step, "BertProcessing")) {
      absl::Status status = ReadPair(step, "cls", out_.before);
      return status.ok() ? ReadPair(step, "sep", out_.after) : status;
    }
    return fields_.Unsupported(
        kField, step,
        "TemplateProcessing, RobertaProcessing, BertProcessing or ByteLevel");
  }

  SurroundingTokens Take() { return std::move(out_); }

 private:
  static constexpr absl::string_view kField = "post_processor";

  absl::Status ReadTemplate(const json& step) {
    const json& single = Member(step, "single");
    if (!single.is_array()) {
      return fields_.Unsupported("post_processor.single", single, "an array");
    }
    bool has_text = false;
    for (const json& element : single) {
      const json& name = Member(Member(element, "SpecialToken"), "id");
      const bool is_text = !Member(element, "Sequence").is_null();
      if (is_text ? has_text : !name.is_string()) {
        return fields_.Unsupported("post_processor.single", single,
                                   "one text, with tokens around it");
      }
      if (is_text) {
        has_text = true;
        continue;
      }
      absl::Status status = AddTokens(Member(step, "special_tokens"),
                                      name.get_ref<const std::string&>(),
                                      has_text ? out_.after : out_.before);
      if (!status.ok()) return status;
    }
    if (has_text) return absl::OkStatus();
    return fields_.Unsupported("post_processor.single", single,
                               "one text, with tokens around it");
  }

  absl::Status AddTokens(const json& special_tokens, const std::string& name,
                         std::vector<NamedToken>& out) const {
    const json& ids = Member(Member(special_tokens, name.c_str()), "ids");
    if (!ids.is_array() || ids.size() != 1 || !ids[0].is_number_unsigned() ||
        ids[0].get<uint64_t>() > INT32_MAX) {
      return fields_.Invalid(
          "post_processor.special_tokens",
          absl::StrFormat("has ids %s for %s; the id of that token is allowed",
                          Shown(ids), Quoted(name)));
    }
    out.push_back({name, ids[0].get<int64_t>()});
    return absl::OkStatus();
  }

  absl::Status ReadPair(const json& step, const char* key,
                        std::vector<NamedToken>& out) const {
    const json& pair = Member(step, key);
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() ||
        !pair[1].is_number_unsigned() || pair[1].get<uint64_t>() > INT32_MAX) {
      return fields_.Unsupported(absl::StrCat(kField, ".", key), pair,
                                 "a pair of a token and its id");
    }
    out.push_back({pair[0].get<std::string>(), pair[1].get<int64_t>()});
    return absl::OkStatus();
  }

  const TokenizerJsonFields& fields_;
  SurroundingTokens out_;
  bool has_tokens_ = false;
};

bool IsReplaceOfMarks(const json& step) {
  return HasType(step, "Replace") &&
         Member(Member(step, "pattern"), "String") == kSpaceMark &&
         Member(step, "content") == " ";
}

bool IsStripOfFirstSpace(const json& step) {
  return HasType(step, "Strip") && Member(step, "content") == " " &&
         Member(step, "start") == 1 && Member(step, "stop") == 0;
}

}  // namespace

absl::StatusOr<bool> ReadPreTokenizer(const TokenizerJsonFields& fields,
                                      const json& pre_tokenizer,
                                      TextPreparation& out) {
  const auto steps =
      fields.Elements("pre_tokenizer", pre_tokenizer, "pretokenizers");
  if (!steps.ok()) return steps.status();
  absl::Status status = PreTokenizerReader(fields, out).Read(*steps);
  if (!status.ok()) return status;
  return !steps->empty() && HasType(*steps->front(), "ByteLevel");
}

absl::StatusOr<SurroundingTokens> ReadPostProcessor(
    const TokenizerJsonFields& fields, const json& post_processor) {
  const auto steps =
      fields.Elements("post_processor", post_processor, "processors");
  if (!steps.ok()) return steps.status();
  PostProcessorReader reader(fields);
  for (const json* step : *steps) {
    absl::Status status = reader.Read(*step);
    if (!status.ok()) return status;
  }
  return reader.Take();
}

absl::StatusOr<TokenizerDecoder> ReadDecoder(const TokenizerJsonFields& fields,
                                             const json& decoder) {
  if (HasType(decoder, "ByteLevel")) return TokenizerDecoder::kByteLevel;
  if (HasType(decoder, "Metaspace")) {
    absl::Status status = ReadMetaspace(fields, "decoder", decoder).status();
    if (!status.ok()) return status;
    return TokenizerDecoder::kMetaspace;
  }
  const auto steps = fields.Elements("decoder", decoder, "decoders");
  if (!steps.ok()) return steps.status();
  const bool strips_first =
      steps->size() == 4 && IsStripOfFirstSpace(*steps->back());
  if ((steps->size() == 3 || strips_first) && IsReplaceOfMarks(*(*steps)[0]) &&
      HasType(*(*steps)[1], "ByteFallback") && HasType(*(*steps)[2], "Fuse")) {
    return strips_first ? TokenizerDecoder::kMarksAfterFirst
                        : TokenizerDecoder::kMarks;
  }
  return fields.Unsupported("decoder", decoder,
                            "Metaspace, ByteLevel, or a Sequence of Replace "
                            "(of U+2581), ByteFallback, Fuse and Strip");
}

}  // namespace sheaf
