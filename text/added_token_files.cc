// SPDX-License-Identifier: Apache-2.0

#include "text/added_token_files.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "base/strict_json.h"
#include "text/charsmap.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr size_t kMaxTokenBytes = 1024;                // of one added token
constexpr size_t kMaxAllTokenBytes = size_t{4} << 20;  // of all of them
constexpr int32_t kDefaultSentinels = 100;

// The text of a special token, which files give as a string or an object.
// Absent if no token is named.
const json* TokenText(const json& token) {
  if (token.is_string()) return &token;
  if (!token.is_object()) return nullptr;
  const auto content = token.find("content");
  return content != token.end() && content->is_string() ? &*content : nullptr;
}

bool HasVisibleCharacter(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (!IsWhitespace(NextCharacter(text, at))) return true;
  }
  return false;
}

class Collector {
 public:
  Collector(AddedTokenFiles files, TokenizerFiles& out)
      : files_(std::move(files)), out_(out) {}

  absl::Status Run() {
    for (absl::Status (Collector::*step)() :
         {&Collector::ReadNames, &Collector::AddTokensWithIds,
          &Collector::AddImpliedTokens, &Collector::AddSentinels,
          &Collector::AddNamedTokens, &Collector::AddControlPieces,
          &Collector::FindEnd}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    SetNeeds();
    return absl::OkStatus();
  }

 private:
  // Reads the special tokens that files name by their use.
  absl::Status ReadNames() {
    control_.insert({"</s>", "<pad>", "<unk>", out_.model.eos_piece});
    for (const NamedObject* file : {&files_.config, &files_.special_map}) {
      for (const char* use :
           {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
            "cls_token", "mask_token"}) {
        const auto token = file->value.find(use);
        if (token == file->value.end() || token->is_null()) continue;
        if (absl::Status status = Name(*file, use, *token); !status.ok()) {
          return status;
        }
      }
      for (const char* list :
           {"additional_special_tokens", "extra_special_tokens"}) {
        const auto tokens = file->value.find(list);
        if (tokens == file->value.end()) continue;
        for (const json& token : *tokens) {
          if (absl::Status status = Name(*file, list, token); !status.ok()) {
            return status;
          }
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status Name(const NamedObject& file, absl::string_view key,
                    const json& value) {
    const json* text = TokenText(value);
    if (text == nullptr) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: %s has %s, which is no token", file.path, key, Shown(value)));
    }
    AddedToken token;
    token.text = text->get<std::string>();
    if (value.is_object()) {
      absl::StatusOr<AddedToken> parsed =
          ParseAddedToken(value, absl::StrCat(file.path, ": ", key));
      if (!parsed.ok()) return parsed.status();
      token = *std::move(parsed);
    }
    token.is_special = true;
    if (absl::Status status = CheckText(token, file.path); !status.ok()) {
      return status;
    }
    for (const char* use :
         {"eos_token", "pad_token", "unk_token", "bos_token"}) {
      if (key == use) control_.insert(token.text);
    }
    if (key == "eos_token" && eos_text_.empty()) eos_text_ = token.text;
    if (special_.insert(token.text).second) named_.push_back(std::move(token));
    return absl::OkStatus();
  }

  absl::Status CheckText(const AddedToken& token, absl::string_view path) {
    const char* rule = nullptr;
    if (token.text.empty()) rule = "is empty";
    if (token.text.size() > kMaxTokenBytes) rule = "has more than 1024 bytes";
    if (absl::StrContains(token.text, '\0')) rule = "has a NUL byte";
    if (rule == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: token %s %s", path, Quoted(token.text), rule));
  }

  absl::Status AddTokensWithIds() {
    for (size_t id = 0; id < out_.tokens().size(); ++id) {
      piece_ids_[out_.tokens()[id].text] = static_cast<int32_t>(id);
    }
    for (AddedToken& token : files_.json_tokens) {
      if (absl::Status status =
              Add(std::move(token), files_.directory + "/tokenizer.json");
          !status.ok()) {
        return status;
      }
    }
    if (absl::Status status = AddDecoder(); !status.ok()) return status;
    for (const auto& [text, id] : files_.list.value.items()) {
      AddedToken token;
      token.text = text;
      if (absl::Status status = SetId(id, files_.list.path, token);
          !status.ok()) {
        return status;
      }
      if (absl::Status status = Add(std::move(token), files_.list.path);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddDecoder() {
    const auto decoder = files_.config.value.find("added_tokens_decoder");
    if (decoder == files_.config.value.end()) return absl::OkStatus();
    if (!decoder->is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(
          files_.config.path, ": added_tokens_decoder is not an object"));
    }
    const std::string where =
        absl::StrCat(files_.config.path, ": added_tokens_decoder");
    for (const auto& [key, value] : decoder->items()) {
      absl::StatusOr<AddedToken> token =
          ParseAddedToken(value, absl::StrCat(where, "[", Quoted(key), "]"));
      if (!token.ok()) return token.status();
      int32_t id = -1;
      const json number = absl::SimpleAtoi(key, &id) && absl::StrCat(id) == key
                              ? json(id)
                              : json(key);
      if (absl::Status status = SetId(number, where, *token); !status.ok()) {
        return status;
      }
      if (absl::Status status = Add(*std::move(token), where); !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  static absl::Status SetId(const json& id, absl::string_view where,
                            AddedToken& token) {
    if (id.is_number_integer() && id >= 0 && id <= INT32_MAX) {
      token.id = id.get<int32_t>();
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: token %s has id %s; a number is needed", where,
                        Quoted(token.text), Shown(id)));
  }

  absl::Status Add(AddedToken token, absl::string_view where) {
    if (absl::Status status = CheckText(token, where); !status.ok()) {
      return status;
    }
    if (token.id >= files_.vocab_size) {
      if (IsSentinelName(token.text)) {
        ++num_sentinels_left_out_;
        return absl::OkStatus();
      }
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: token %s has id %d; the model's vocab_size is %d", where,
          Quoted(token.text), token.id, files_.vocab_size));
    }
    const auto piece = piece_ids_.find(token.text);
    const auto& pieces = out_.tokens();
    const bool is_piece = token.id < static_cast<int32_t>(pieces.size());
    if (is_piece ? pieces[token.id].text != token.text
                 : piece != piece_ids_.end()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: token %s has id %d; %s", where, Quoted(token.text), token.id,
          is_piece
              ? absl::StrCat("that is piece ", Quoted(pieces[token.id].text))
              : absl::StrCat("it is piece ", piece->second)));
    }
    const auto [by_text, is_new_text] = ids_.try_emplace(token.text, token.id);
    const auto [by_id, is_new_id] = texts_.try_emplace(token.id, token.text);
    if (by_text->second != token.id || by_id->second != token.text) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: token %s has id %d; the files also have token %s with id %d",
          where, Quoted(token.text), token.id, Quoted(by_id->second),
          by_text->second));
    }
    if (!is_new_text) return absl::OkStatus();
    num_text_bytes_ += token.text.size();
    if (num_text_bytes_ > kMaxAllTokenBytes) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: the added tokens have more than %d bytes", where,
                          kMaxAllTokenBytes));
    }
    out_.added_tokens.push_back(std::move(token));
    return absl::OkStatus();
  }

  absl::Status AddImpliedTokens() {
    for (AddedToken& token : files_.implied_tokens) {
      control_.insert(token.text);
      if (ids_.contains(token.text)) continue;
      if (absl::Status status = Add(std::move(token), files_.directory);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  // Adds the sentinels that the reference's tokenizer adds by itself.
  // <extra_id_0> has the highest id.
  absl::Status AddSentinels() {
    if (num_sentinels_left_out_ > 0) {
      Warn(absl::StrFormat(
          "%d sentinels such as <extra_id_0> have ids beyond the model's "
          "vocab_size %d; they are text",
          num_sentinels_left_out_, files_.vocab_size));
      return absl::OkStatus();
    }
    const auto is_sentinel = [](const auto& token) {
      return IsSentinelName(token.text);
    };
    const auto& pieces = out_.tokens();
    if (!files_.has_sentinels || files_.has_tokenizer_json ||
        std::any_of(out_.added_tokens.begin(), out_.added_tokens.end(),
                    is_sentinel) ||
        std::any_of(pieces.begin(), pieces.end(), is_sentinel)) {
      return absl::OkStatus();
    }
    int64_t count = std::count_if(named_.begin(), named_.end(), is_sentinel);
    const auto extra_ids = files_.config.value.find("extra_ids");
    if (extra_ids != files_.config.value.end()) {
      if (!extra_ids->is_number_unsigned() || *extra_ids > INT32_MAX) {
        return absl::InvalidArgumentError(absl::StrFormat(
            "%s: extra_ids is %s; a number of sentinels is needed",
            files_.config.path, Shown(*extra_ids)));
      }
      count = extra_ids->get<int64_t>();
    } else if (count == 0) {
      count = kDefaultSentinels;
    }
    const int64_t end = static_cast<int64_t>(pieces.size()) + count;
    if (end > files_.vocab_size) {
      if (extra_ids != files_.config.value.end()) {
        Warn(absl::StrFormat(
            "%s: extra_ids is %d, but the model's vocab_size %d has no room "
            "for them; <extra_id_0> is text",
            files_.config.path, count, files_.vocab_size));
      }
      return absl::OkStatus();
    }
    for (int64_t i = 0; i < count; ++i) {
      AddedToken token;
      token.text = absl::StrCat("<extra_id_", i, ">");
      token.id = static_cast<int32_t>(end - 1 - i);
      token.is_special = true;
      if (absl::Status status = Add(std::move(token), files_.config.path);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  // Special tokens to which no file gives an id get the next free ids.
  absl::Status AddNamedTokens() {
    int32_t next = static_cast<int32_t>(out_.tokens().size());
    for (const AddedToken& token : out_.added_tokens) {
      next = std::max(next, token.id + 1);
    }
    for (AddedToken& token : named_) {
      if (ids_.contains(token.text) || IsSentinelName(token.text)) continue;
      const auto piece = piece_ids_.find(token.text);
      token.id = piece != piece_ids_.end() ? piece->second : next;
      if (token.id >= files_.vocab_size) {
        Warn(absl::StrFormat(
            "special token %s has no id, and the model's vocab_size %d has no "
            "room for it; it is text",
            Quoted(token.text), files_.vocab_size));
        continue;
      }
      if (token.id == next) ++next;
      if (absl::Status status = Add(std::move(token), files_.directory);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddControlPieces() {
    const auto& pieces = out_.tokens();
    for (size_t id = 0; id < pieces.size(); ++id) {
      if (pieces[id].text.empty()) continue;
      const bool is_control = pieces[id].type == PieceType::kControl ||
                              pieces[id].type == PieceType::kUnknown ||
                              control_.contains(pieces[id].text);
      if (!is_control) continue;
      control_.insert(pieces[id].text);
      if (ids_.contains(pieces[id].text)) continue;
      AddedToken token;
      token.text = pieces[id].text;
      token.id = static_cast<int32_t>(id);
      if (absl::Status status = Add(std::move(token), files_.directory);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  void SetNeeds() {
    for (AddedToken& token : out_.added_tokens) {
      const bool is_sentinel = IsSentinelName(token.text);
      token.is_special |= is_sentinel || special_.contains(token.text) ||
                          control_.contains(token.text);
      token.is_normalized &=
          HasVisibleCharacter(ApplyCharsMap(out_.model.charsmap, token.text));
      if (!token.is_special) continue;
      const bool is_control = control_.contains(token.text) && !is_sentinel;
      token.needs = is_control || !files_.has_sentinels
                        ? SpecialTokens::kAll
                        : SpecialTokens::kSentinels;
    }
  }

  absl::Status FindEnd() {
    if (eos_text_.empty()) eos_text_ = out_.model.eos_piece;
    if (eos_text_.empty()) return absl::OkStatus();  // texts have no end
    const auto id = ids_.find(eos_text_);
    if (id == ids_.end()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: eos_token is %s, which has no id",
                          files_.directory, Quoted(eos_text_)));
    }
    out_.eos_id = id->second;
    return absl::OkStatus();
  }

  void Warn(std::string warning) {
    out_.warnings.push_back(std::move(warning));
  }

  AddedTokenFiles files_;
  TokenizerFiles& out_;
  absl::flat_hash_set<std::string> control_, special_;  // texts
  std::vector<AddedToken> named_;  // special tokens, in the files' order
  std::string eos_text_;
  absl::flat_hash_map<std::string, int32_t> piece_ids_, ids_;  // by text
  absl::flat_hash_map<int32_t, std::string> texts_;  // of added tokens, by id
  size_t num_text_bytes_ = 0;
  int64_t num_sentinels_left_out_ = 0;
};

}  // namespace

absl::StatusOr<AddedTokenFiles> ReadAddedTokenFiles(
    const std::string& directory, int32_t vocab_size) {
  AddedTokenFiles files;
  files.directory = directory;
  files.vocab_size = vocab_size;
  for (const auto& [file, name] :
       {std::pair{&files.config, "tokenizer_config.json"},
        {&files.list, "added_tokens.json"},
        {&files.special_map, "special_tokens_map.json"}}) {
    file->path = absl::StrCat(directory, "/", name);
    absl::StatusOr<json> value = ReadStrictJson(file->path);
    if (absl::IsNotFound(value.status())) continue;
    if (!value.ok()) return value.status();
    if (!value->is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file->path, ": is not an object"));
    }
    file->value = *std::move(value);
  }
  return files;
}

std::string SpecialTokenText(const AddedTokenFiles& files,
                             absl::string_view use,
                             absl::string_view default_text) {
  for (const NamedObject* file : {&files.config, &files.special_map}) {
    const auto token = file->value.find(std::string(use));
    if (token == file->value.end()) continue;
    const json* text = TokenText(*token);
    if (text != nullptr) return text->get<std::string>();
  }
  return std::string(default_text);
}

absl::Status CollectAddedTokens(AddedTokenFiles files, TokenizerFiles& out) {
  return Collector(std::move(files), out).Run();
}

}  // namespace sheaf
