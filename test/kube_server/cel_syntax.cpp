#include "test/kube_server/cel_syntax.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr int kDeepest = 200;

bool begins_name(char letter) {
  return std::isalpha(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}
bool is_digit(char letter) { return std::isdigit(static_cast<unsigned char>(letter)) != 0; }

// Recursive descent, one function a level of CEL's grammar. The first thing that is not understood ends it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<CelNode> whole() {
    CelNode out = choice();
    skip_space();
    if (wrong_.empty() && at_ != text_.size()) wrong_ = "the end";
    if (wrong_.empty()) return out;
    return fail(Code::kInvalidArgument,
                "expression: wanted " + wrong_ + " at '" + std::string(text_.substr(at_, 20)) + "'");
  }

 private:
  CelNode choice() {
    if (++depth_ > kDeepest) return expected("less depth");
    CelNode out = either();
    if (wrong_.empty() && take("?")) {
      CelNode yes = choice();
      if (!take(":")) return expected("':'");
      CelNode no = choice();
      out = {.kind = CelKind::kChoice, .parts = {std::move(out), std::move(yes), std::move(no)}};
    }
    --depth_;
    return out;
  }

  CelNode either() { return chain({"||"}, &Parser::both); }
  CelNode both() { return chain({"&&"}, &Parser::relation); }
  CelNode relation() { return chain({"==", "!=", "<=", ">=", "<", ">", "in"}, &Parser::negation); }

  CelNode chain(const std::vector<std::string_view>& operators, CelNode (Parser::*next)()) {
    CelNode out = (this->*next)();
    while (wrong_.empty()) {
      const auto found = std::ranges::find_if(operators, [&](std::string_view each) { return take(each); });
      if (found == operators.end()) break;
      CelNode right = (this->*next)();
      out = {.kind = CelKind::kOperator,
             .text = std::string(*found),
             .parts = {std::move(out), std::move(right)}};
    }
    return out;
  }

  CelNode negation() {
    skip_space();
    if (text_.substr(at_, 2) == "!=" || !take("!")) return member();
    if (++depth_ > kDeepest) return expected("less depth");
    CelNode out{.kind = CelKind::kNot, .parts = {negation()}};
    --depth_;
    return out;
  }

  CelNode member() {
    CelNode out = primary();
    while (wrong_.empty()) {
      if (take(".")) {
        out = selected(std::move(out));
      } else if (take("[")) {
        out = {.kind = CelKind::kIndex, .parts = {std::move(out), choice()}};
        if (!take("]")) return expected("']'");
      } else {
        break;
      }
    }
    return out;
  }

  CelNode selected(CelNode object) {
    std::string name = word();
    if (name.empty()) return expected("a member's name");
    CelNode out{.kind = CelKind::kMember, .text = std::move(name), .parts = {std::move(object)}};
    if (take("(")) {
      out.kind = CelKind::kCall;
      arguments(out, ")");
    }
    return out;
  }

  CelNode primary() {
    skip_space();
    const char letter = at_ < text_.size() ? text_[at_] : '\0';
    if (letter == '\'' || letter == '"') return quoted();
    if (is_digit(letter) || letter == '-') return number();
    if (take("(")) {
      CelNode out = choice();
      return take(")") ? out : expected("')'");
    }
    if (take("[")) {
      CelNode out{.kind = CelKind::kList};
      arguments(out, "]");
      return out;
    }
    return begins_name(letter) ? named() : expected("a value");
  }

  CelNode named() {
    std::string name = word();
    if (name == "true" || name == "false") return {.value = name == "true"};
    if (name == "null") return {};
    CelNode out{.kind = CelKind::kName, .text = std::move(name)};
    if (take("(")) {
      out.kind = CelKind::kCall;
      arguments(out, ")");
    }
    return out;
  }

  void arguments(CelNode& out, std::string_view end) {
    if (take(end)) return;
    do {
      out.parts.push_back(choice());
    } while (wrong_.empty() && take(","));
    if (wrong_.empty() && !take(end)) expected(std::string(end));
  }

  CelNode quoted() {
    const char quote = text_[at_++];
    std::string out;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\') {
        constexpr std::string_view kEscaped = "\\\"'?";  // what stands for itself; others are not needed
        if (++at_ == text_.size() || kEscaped.find(text_[at_]) == std::string_view::npos)
          return expected("an escape of a sign");
      }
      out += text_[at_];
    }
    if (at_ == text_.size()) return expected("the end of a text");
    ++at_;
    return {.value = std::move(out)};
  }

  CelNode number() {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) return expected("a whole number");
    at_ = static_cast<std::size_t>(end - text_.data());
    const bool goes_on = at_ < text_.size() && (begins_name(text_[at_]) || text_[at_] == '.');
    return goes_on ? expected("a whole number") : CelNode{.value = value};
  }

  std::string word() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && (begins_name(text_[at_]) || (at_ > begin && is_digit(text_[at_])))) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  // Takes a sign, or a word that ends there.
  bool take(std::string_view sign) {
    skip_space();
    if (!text_.substr(at_).starts_with(sign)) return false;
    const std::size_t end = at_ + sign.size();
    if (begins_name(sign[0]) && end < text_.size() && (begins_name(text_[end]) || is_digit(text_[end])))
      return false;
    at_ = end;
    return true;
  }

  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  CelNode expected(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string wrong_;  // what was wanted where it was not understood
};

}  // namespace

Result<CelNode> parse_cel(std::string_view expression) { return Parser(expression).whole(); }

}  // namespace holdfast::test
