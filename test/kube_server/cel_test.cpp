#include "test/kube_server/cel.h"

#include <string>

#include "test/catch.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

const json kNames = json::parse(R"({
  "a": {"name": "x", "count": 3, "none": null, "list": ["p", "q"], "extra": {"with/sign": ["y"]}},
  "empty": {}, "nothing": null, "yes": true, "no": false, "numbers": [1, 2, 3]
})");

struct Case {
  const char* expression;
  const char* value;  // as JSON
};

TEST_CASE("An expression of CEL has the value that the language gives it", "[kube]") {
  // The same was found by another implementation of the language, @marcbachmann/cel-js 8.0.0 of npm.
  const Case cases[] = {
      {"a.name == 'x'", "true"},
      {"a.name != \"x\"", "false"},
      {R"('it\'s')", "\"it's\""},
      {"['a', 'b']", R"(["a", "b"])"},
      {"-3 < 2", "true"},
      {"a.count >= 3 && a.count <= 3", "true"},
      {"a.count > 3 || 'b' < 'a'", "false"},
      {"a['name']", "\"x\""},
      {"a.list[1]", "\"q\""},
      {"a.extra['with/sign'][0]", "\"y\""},
      {"'p' in a.list", "true"},
      {"'r' in a.list", "false"},
      {"'with/sign' in a.extra", "true"},
      {"'name' in empty", "false"},
      {"has(a.name)", "true"},
      {"has(a.other)", "false"},
      {"has(a.other) && a.other == 1", "false"},
      {"!has(a.other) || a.other == 1", "true"},
      {"!yes", "false"},
      {"!!yes", "true"},
      {"yes ? 1 : a.other", "1"},
      {"no ? a.other : 2", "2"},
      {"no ? 1 : yes ? 2 : 3", "2"},
      {"no && yes || yes", "true"},
      {"yes || yes && no", "true"},
      {"!no && yes", "true"},
      {"(yes || yes) && no", "false"},
      {"nothing == null", "true"},
      {"a == empty", "false"},
      {"size('gr\xC3\xBC\xC3\x9F')", "4"},
      {"size(a.list) == 2", "true"},
      {"a.list.size()", "2"},
      {"a.name.startsWith('x')", "true"},
      {"'abc'.endsWith('ab')", "false"},
      {"'abc'.contains('b')", "true"},
      {"numbers.all(n, n > 0)", "true"},
      {"numbers.exists(n, n > 3)", "false"},
      {"a.list.exists(each, each == a.name || each == 'q')", "true"},
      // && and || by the side that decides, whatever the other is
      {"a.other == 1 || yes", "true"},
      {"no && a.other == 1", "false"},
      {"a.other == 1 && no", "false"},
  };
  for (const Case& each : cases) {
    INFO(each.expression);
    const auto value = evaluate_cel(each.expression, kNames);
    REQUIRE(value);
    CHECK(value->dump() == json::parse(each.value).dump());
  }
}

TEST_CASE("An expression of CEL that has no value says why", "[kube]") {
  const Case cases[] = {
      {"a.other", "no such key: \"other\""},
      {"nothing.name", "no such key: \"name\""},
      {"a.list[2]", "index out of range: 2"},
      {"a.list[-1]", "index out of range: -1"},
      {"a.other == 1 && yes", "no such key: \"other\""},
      {"a.other == 1 || no", "no such key: \"other\""},
      {"a.name && yes", "neither true nor false: \"x\""},
      {"a.name < 3", "no such overload: \"x\" < 3"},
      {"empty < empty", "no such overload: {} < {}"},
      {"has(nothing.name)", "has() of what has no members"},
      {"has(a)", "has() takes a member"},
      {"'x' in a.name", "'in' needs a list, or a map and a text"},
      {"other", "undeclared reference to 'other'"},
      {"lower(a.name)", "no such function: lower"},
      {"numbers.all(n, n.x == 1)", "no such key: \"x\""},
      {"", "wanted a value"},
      {"a.", "wanted a member's name"},
      {"a == ", "wanted a value"},
      {"(a", "wanted ')'"},
      {"a b", "wanted the end"},
      {"a = b", "wanted the end"},
      {"'open", "wanted the end of a text"},
      {"'\\n'", "wanted an escape of a sign"},
      {"yes ? 1", "wanted ':'"},
      {"1.5", "wanted a whole number"},
      {"1u", "wanted a whole number"},
      {"99999999999999999999", "wanted a whole number"},
      {"a[1", "wanted ']'"},
      {"[1,", "wanted a value"},
  };
  for (const Case& each : cases) {
    INFO(each.expression);
    const auto value = evaluate_cel(each.expression, kNames);
    REQUIRE_FALSE(value);
    CHECK_THAT(value.error().message, Catch::Contains(each.value));
  }
  CHECK_FALSE(evaluate_cel(std::string(100000, '('), kNames));
  CHECK_FALSE(evaluate_cel(std::string(100000, '!') + "yes", kNames));
}

}  // namespace
}  // namespace holdfast::test
