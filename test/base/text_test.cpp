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

}  // namespace
}  // namespace holdfast
