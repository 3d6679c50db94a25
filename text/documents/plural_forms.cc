// SPDX-License-Identifier: Apache-2.0

#include "text/documents/plural_forms.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

// More than any expression of a language needs.
constexpr size_t kMaxExpressionBytes = 1024;
constexpr int kMaxDepth = 32;

constexpr absl::string_view kOneForm = "nplurals=1; plural=0;";
constexpr absl::string_view kNotOne = "nplurals=2; plural=(n != 1);";
constexpr absl::string_view kAboveOne = "nplurals=2; plural=(n > 1);";
constexpr absl::string_view kEastSlavic =
    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && "
    "(n%100<10 || n%100>=20) ? 1 : 2);";

struct Rule {
  absl::string_view languages;  // separated by spaces
  absl::string_view forms;
};

// The rules of CLDR for whole numbers, in the order of forms that gettext uses.
constexpr Rule kRules[] = {
    {"bm bo dz id ig ii ja jv kde kea km ko lo ms my sah ses sg su th to vi wo "
     "yo yue zh",
     kOneForm},
    {"ak am as bn fa ff fil fr gu guw hi hy kab kn ln mg nso pa pt ti tl tr wa "
     "zu oc uz",
     kAboveOne},
    {"be bs hr ru sr uk sh", kEastSlavic},
    {"cs sk", "nplurals=3; plural=(n==1) ? 0 : (n>=2 && n<=4) ? 1 : 2;"},
    {"pl",
     "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || "
     "n%100>=20) ? 1 : 2);"},
    {"lt",
     "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && (n%100<10 || "
     "n%100>=20) ? 1 : 2);"},
    {"lv", "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2);"},
    {"ro mo",
     "nplurals=3; plural=(n==1 ? 0 : (n==0 || (n%100 > 0 && n%100 < 20)) ? 1 : "
     "2);"},
    {"sl",
     "nplurals=4; plural=(n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 "
     "? 2 : 3);"},
    {"ga",
     "nplurals=5; plural=n==1 ? 0 : n==2 ? 1 : (n>2 && n<7) ? 2 : (n>6 && "
     "n<11) ? 3 : 4;"},
    {"gd",
     "nplurals=4; plural=(n==1 || n==11) ? 0 : (n==2 || n==12) ? 1 : (n > 2 && "
     "n < 20) ? 2 : 3;"},
    {"cy",
     "nplurals=6; plural=(n==0) ? 0 : (n==1) ? 1 : (n==2) ? 2 : (n==3) ? 3 : "
     "(n==6) ? 4 : 5;"},
    {"mt",
     "nplurals=4; plural=(n==1 ? 0 : n==0 || (n%100>1 && n%100<11) ? 1 : "
     "(n%100>10 && n%100<20) ? 2 : 3);"},
    {"ar ars",
     "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && "
     "n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"},
    {"is mk", "nplurals=2; plural=(n%10!=1 || n%100==11);"},
};

// Evaluates an expression of C in `n` with the operators that gettext allows.
class Evaluator {
 public:
  Evaluator(absl::string_view text, uint64_t n) : text_(text), n_(n) {}

  // Returns whether the whole text is an expression, and its value.
  bool Run(uint64_t& value) {
    value = Conditional(0);
    SkipSpaces();
    return is_valid_ && at_ == text_.size();
  }

 private:
  struct Operator {
    absl::string_view name;
    int precedence;
  };
  // Longer names first.
  static constexpr Operator kOperators[] = {
      {"||", 1}, {"&&", 2}, {"==", 3}, {"!=", 3}, {"<=", 4},
      {">=", 4}, {"<", 4},  {">", 4},  {"+", 5},  {"-", 5},
      {"*", 6},  {"/", 6},  {"%", 6}};

  void SkipSpaces() {
    while (at_ < text_.size() && absl::ascii_isspace(text_[at_])) ++at_;
  }
  bool Take(absl::string_view token) {
    SkipSpaces();
    if (!absl::StartsWith(text_.substr(at_), token)) return false;
    at_ += token.size();
    return true;
  }
  bool Fail() { return is_valid_ = false; }

  uint64_t Conditional(int depth) {
    if (depth > kMaxDepth) return Fail();
    const uint64_t condition = Binary(/*min_precedence=*/1, depth + 1);
    if (!is_valid_ || !Take("?")) return condition;
    const uint64_t yes = Conditional(depth + 1);
    if (!is_valid_ || !Take(":")) return Fail();
    const uint64_t no = Conditional(depth + 1);
    return condition != 0 ? yes : no;
  }

  uint64_t Binary(int min_precedence, int depth) {
    if (depth > kMaxDepth) return Fail();
    uint64_t left = Unary(depth + 1);
    while (is_valid_) {
      SkipSpaces();
      const Operator* const found = std::find_if(
          std::begin(kOperators), std::end(kOperators), [&](const Operator& o) {
            return absl::StartsWith(text_.substr(at_), o.name);
          });
      if (found == std::end(kOperators) || found->precedence < min_precedence) {
        break;
      }
      at_ += found->name.size();
      left = Apply(found->name, left, Binary(found->precedence + 1, depth + 1));
    }
    return left;
  }

  uint64_t Unary(int depth) {
    if (depth > kMaxDepth) return Fail();
    if (Take("!")) return Unary(depth + 1) == 0;
    if (Take("(")) {
      const uint64_t value = Conditional(depth + 1);
      return Take(")") ? value : Fail();
    }
    if (Take("n")) return n_;
    const size_t begin = at_;
    while (at_ < text_.size() && absl::ascii_isdigit(text_[at_])) ++at_;
    uint64_t number = 0;
    if (!absl::SimpleAtoi(text_.substr(begin, at_ - begin), &number)) {
      return Fail();
    }
    return number;
  }

  uint64_t Apply(absl::string_view name, uint64_t a, uint64_t b) {
    if (name == "||") return a != 0 || b != 0;
    if (name == "&&") return a != 0 && b != 0;
    if (name == "==") return a == b;
    if (name == "!=") return a != b;
    if (name == "<=") return a <= b;
    if (name == ">=") return a >= b;
    if (name == "<") return a < b;
    if (name == ">") return a > b;
    if (name == "+") return a + b;
    if (name == "-") return a - b;
    if (name == "*") return a * b;
    if (b == 0) return Fail();
    return name == "/" ? a / b : a % b;
  }

  const absl::string_view text_;
  const uint64_t n_;
  size_t at_ = 0;
  bool is_valid_ = true;
};

// The text after "KEY" and '=' up to ';' or the end.
absl::string_view ValueOf(absl::string_view text, absl::string_view key) {
  const size_t at = text.find(key);
  if (at == absl::string_view::npos) return "";
  absl::string_view rest =
      absl::StripLeadingAsciiWhitespace(text.substr(at + key.size()));
  if (!absl::ConsumePrefix(&rest, "=")) return "";
  return absl::StripAsciiWhitespace(rest.substr(0, rest.find(';')));
}

}  // namespace

absl::StatusOr<PluralForms> ParsePluralForms(absl::string_view value) {
  const absl::string_view count = ValueOf(value, "nplurals");
  // "plural" is also a part of "nplurals".
  const size_t plural = value.find(';');
  const absl::string_view expression =
      plural == absl::string_view::npos
          ? ""
          : ValueOf(value.substr(plural), "plural");
  PluralForms forms;
  uint64_t form_of_one = 0;
  if (!absl::SimpleAtoi(count, &forms.num_forms) || forms.num_forms < 1 ||
      forms.num_forms > kMaxPluralForms ||
      expression.size() > kMaxExpressionBytes ||
      !Evaluator(expression, /*n=*/1).Run(form_of_one) ||
      form_of_one >= static_cast<uint64_t>(forms.num_forms)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Plural-Forms is \"", value.substr(0, 80),
        "\"; it must be nplurals=1 to ", kMaxPluralForms,
        " and plural= an expression of gettext with a value below that"));
  }
  forms.form_of_one = static_cast<int32_t>(form_of_one);
  return forms;
}

std::string PluralFormsOf(absl::string_view language) {
  // Brazil's Portuguese counts as French does, Portugal's as English does.
  const std::string tag = absl::AsciiStrToLower(language);
  if (tag == "pt-pt" || tag == "pt_pt") return std::string(kNotOne);
  const std::string name = tag.substr(0, tag.find_first_of("-_"));
  if (name.empty()) return std::string(kNotOne);
  for (const Rule& rule : kRules) {
    if (absl::StrContains(absl::StrCat(" ", rule.languages, " "),
                          absl::StrCat(" ", name, " "))) {
      return std::string(rule.forms);
    }
  }
  return std::string(kNotOne);
}

}  // namespace sheaf
