#include "common/base/text.h"

#include <string>
#include <utility>

#include "test/catch.h"

namespace holdfast {
namespace {

TEST_CASE("White space is taken off both ends and nowhere else", "[text]") {
  for (const auto& [text, trimmed] : {std::pair{" \ta b\r\n", "a b"}, {"", ""}, {"\v\f ", ""}, {"x", "x"}}) {
    CHECK(trim(text) == trimmed);
  }
}

TEST_CASE("A text is taken piece by piece", "[text]") {
  std::string_view rest = "a,,b";
  CHECK(take_until(rest, ',') == "a");
  CHECK(take_until(rest, ',').empty());
  CHECK(rest == "b");
  CHECK(take_until(rest, ',') == "b");
  CHECK(rest.empty());
}

TEST_CASE("What is shown moves no cursor, ends no line and is whole UTF-8", "[text]") {
  const std::pair<std::string, std::string> rows[] = {
      {"eth0 \"a\\b\"", "eth0 \"a\\b\""},
      {"a\nb\tc", "a\\x0ab\\x09c"},
      {"\x1b[2J\x7f", "\\x1b[2J\\x7f"},
      {"K\u00f6ln \u20ac \U0001f600", "K\u00f6ln \u20ac \U0001f600"},
      {"\u009b1m", "\\xc2\\x9b1m"},  // a control character that some terminals take for ESC [
      {std::string("a\xe2\x80") + "\xae.b", "a\\xe2\\x80\\xae.b"},  // turns the direction of writing
      {"\xc0\xaf", "\\xc0\\xaf"},                                   // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
      {"cut \xe2\x82", "cut \\xe2\\x82"},
  };
  for (const auto& [text, shown] : rows) CHECK(printable(text, 100) == shown);
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdefg", 6) == "abcdef...");
  CHECK(printable("ab\u20ac", 4) == "ab...");
}

TEST_CASE("words are compared without regard to case, and a boolean is one of three words", "[text]") {
  CHECK(lower_case("Zone-ID_1\xc3\x84") == "zone-id_1\xc3\x84");
  for (const char* const word : {"yes", "TRUE", "1", "Yes"}) CHECK(is_true(word));
  for (const char* const word : {"", "no", "false", "0", "enabled", "true ", "truee"})
    CHECK_FALSE(is_true(word));
}

}  // namespace
}  // namespace holdfast
