// SPDX-License-Identifier: Apache-2.0

#include "base/strict_json.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"

namespace sheaf {
namespace {

using nlohmann::json;

// Builds the value from the parser's events. `open_` has the objects and arrays
// that have begun and not ended, outermost first.
class TreeBuilder final : public nlohmann::json_sax<json> {
 public:
  TreeBuilder(absl::string_view name, int64_t max_values,
              absl::Span<const LongMember> long_members)
      : name_(name), max_values_(max_values), long_members_(long_members) {}

  absl::Status& status() { return status_; }
  json& root() { return root_; }

  bool null() override { return Add(nullptr) != nullptr; }
  bool boolean(bool value) override { return Add(value) != nullptr; }
  bool number_integer(int64_t value) override { return Add(value) != nullptr; }
  bool number_unsigned(uint64_t value) override {
    return Add(value) != nullptr;
  }
  bool number_float(double value, const std::string&) override {
    return Add(value) != nullptr;
  }
  bool string(std::string& value) override {
    return Add(std::move(value)) != nullptr;
  }
  bool binary(json::binary_t&) override { return false; }

  bool start_object(size_t) override { return Begin(json::object()); }
  bool start_array(size_t) override { return Begin(json::array()); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }

  bool key(std::string& key) override {
    if (open_.back() == elements_ && !TakeElement()) return false;
    keys_.resize(open_.size());
    keys_.back() = key;
    auto [place, is_new] = open_.back()->get_ref<json::object_t&>().try_emplace(
        key, json(nullptr));
    member_ = &place->second;
    return is_new || Refuse(absl::StrCat("key ", Quoted(key), " occurs twice"));
  }

  bool parse_error(size_t position, const std::string&,
                   const json::exception&) override {
    return Refuse(absl::StrCat("not valid JSON at byte ", position));
  }

 private:
  bool Refuse(absl::string_view rule) {
    status_ = absl::InvalidArgumentError(absl::StrCat(name_, ": ", rule));
    return false;
  }

  // Returns null, with an error in status(), if there are too many values or an
  // element of a long member is refused.
  json* Add(json value) {
    if (IsInLongArray() && !TakeElement()) return nullptr;
    if (num_values_ == max_values_) {
      Refuse(absl::StrFormat("has more than %d values", max_values_));
      return nullptr;
    }
    ++num_values_;
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *member_ = std::move(value);
    return member_;
  }

  bool Begin(json empty) {
    if (open_.size() == kMaxJsonDepth) {
      return Refuse(absl::StrFormat("nests deeper than %d", kMaxJsonDepth));
    }
    const LongMember* const long_member = FindLongMember();
    json* const value = Add(std::move(empty));
    open_.push_back(value);
    if (long_member != nullptr) {
      long_member_ = long_member;
      elements_ = value;
      num_values_kept_ = num_values_;
    }
    return value != nullptr;
  }

  // The long member whose value begins now. Null if it is another value.
  const LongMember* FindLongMember() const {
    if (open_.size() != 2 || !open_[1]->is_object()) return nullptr;
    for (const LongMember& member : long_members_) {
      if (keys_[0] == member.object && keys_[1] == member.member) {
        return &member;
      }
    }
    return nullptr;
  }

  bool IsInLongArray() const {
    return !open_.empty() && open_.back() == elements_ && elements_->is_array();
  }

  // Passes on the complete element of the long member, if there is one.
  bool TakeElement() {
    if (elements_->empty()) return true;
    const auto element = elements_->begin();
    status_ = long_member_->take(
        elements_->is_object() ? &element.key() : nullptr, *element);
    elements_->clear();
    num_values_ = num_values_kept_;
    return status_.ok();
  }

  bool End() {
    if (open_.back() == elements_) {
      if (!TakeElement()) return false;
      elements_ = nullptr;
    }
    open_.pop_back();
    return true;
  }

  const absl::string_view name_;
  const int64_t max_values_;
  int64_t num_values_ = 0;
  const absl::Span<const LongMember> long_members_;
  const LongMember* long_member_ = nullptr;  // the open one
  json* elements_ = nullptr;                 // its value, while it is open
  int64_t num_values_kept_ = 0;  // number of values before its elements
  absl::Status status_;
  json root_;
  std::vector<json*> open_;
  std::vector<std::string> keys_;  // the last key of each of `open_`
  json* member_ = nullptr;         // of open_.back(), for the last key
};

absl::StatusOr<json> Parse(absl::string_view text, absl::string_view name,
                           const JsonLimits& limits,
                           absl::Span<const LongMember> long_members) {
  if (text.size() > limits.max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s has %d bytes; at most %d are read", name,
                        text.size(), limits.max_bytes));
  }
  if (text.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": is empty"));
  }
  if (absl::Status bytes = CheckJsonBytes(text, name); !bytes.ok()) {
    return bytes;
  }
  TreeBuilder builder(name, limits.max_values, long_members);
  json::sax_parse(text.begin(), text.end(), &builder);
  if (!builder.status().ok()) return std::move(builder.status());
  return std::move(builder.root());
}

}  // namespace

absl::Status CheckJsonBytes(absl::string_view text, absl::string_view name) {
  if (absl::StartsWith(text, "\xEF\xBB\xBF")) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": begins with a byte order mark"));
  }
  if (const size_t nul = text.find('\0'); nul != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": byte ", nul, " is NUL"));
  }
  return absl::OkStatus();
}

absl::StatusOr<json> ParseStrictJson(absl::string_view text,
                                     absl::string_view name,
                                     const JsonLimits& limits) {
  return Parse(text, name, limits, /*long_members=*/{});
}

absl::StatusOr<json> ParseStrictJson(
    absl::string_view text, absl::string_view name, const JsonLimits& limits,
    absl::Span<const LongMember> long_members) {
  return Parse(text, name, limits, long_members);
}

absl::StatusOr<json> ReadStrictJson(const std::string& path,
                                    const JsonLimits& limits) {
  absl::StatusOr<std::string> text = ReadTextFile(path, limits.max_bytes);
  if (!text.ok()) return text.status();
  return ParseStrictJson(*text, path, limits);
}

}  // namespace sheaf
