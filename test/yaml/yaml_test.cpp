#include "common/yaml/yaml.h"

#include <nlohmann/json.hpp>

#include "test/catch.h"

namespace holdfast {
namespace {

using nlohmann::json;

TEST_CASE("Scalars have the types of YAML 1.2", "[yaml]") {
  struct Case {
    const char* text;
    json value;
  };
  const Case cases[] = {
      {"null", nullptr},
      {"~", nullptr},
      {"true", true},
      {"False", false},
      {"no", "no"},
      {"'true'", "true"},
      {"\"7\"", "7"},
      {"7", 7},
      {"+7", 7},
      {"-7", -7},
      {"0x1F", 31},
      {"0o17", 15},
      {"18446744073709551615", 18446744073709551615ULL},
      {"1.5", 1.5},
      {"1e3", 1000.0},
      {".inf", ".inf"},
      {"1.2.3", "1.2.3"},
      {"02:42:00:00:00:01", "02:42:00:00:00:01"},
      {"11:22:33:44:55:06", "11:22:33:44:55:06"},
      {"10.244.0.0/24", "10.244.0.0/24"},
      {"-", "-"},
      {"+", "+"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) {
      const auto documents =
          parse_yaml("key: " + (std::string(c.text) == "-" ? "\"-\"" : std::string(c.text)));
      REQUIRE(documents.has_value());
      CHECK(documents->front()["key"] == c.value);
    }
  }
}

TEST_CASE("Documents come apart, empty ones fall out, JSON is read as JSON", "[yaml]") {
  CHECK(parse_yaml("").value().empty());
  CHECK(parse_yaml("# only a remark\n").value().empty());
  CHECK(parse_yaml("---\na: 1\n---\n---\n- b\n").value() ==
        std::vector<json>{json{{"a", 1}}, json::array({"b"})});
  CHECK(parse_yaml(" {\"a\": \"\\/\"}").value() == std::vector<json>{json{{"a", "/"}}});
  CHECK_FALSE(parse_yaml("{\"a\": 1} trailing").has_value());
}

TEST_CASE("A document ends where the next one begins, and nowhere else", "[yaml]") {
  struct Case {
    const char* name;
    const char* text;
    std::vector<json> documents;
  };
  const Case cases[] = {
      {"content behind the mark",
       "a: 1\n--- {b: 2}\n--- |\n  text\n--- 3",
       {{{"a", 1}}, {{"b", 2}}, "text\n", 3}},
      {"a word that begins like it", "--- a\n---b\n", {"a ---b"}},
      {"indented, in a text", "a: |\n  x\n  ---\n  y\nb: 1\n", {{{"a", "x\n---\ny\n"}, {"b", 1}}}},
      {"remarks before it", "# one\n---\na: 1\n# two\n---\n# three\nb: 2\n", {{{"a", 1}}, {{"b", 2}}}},
      {"an end of its own", "a: 1\n...\n---\nb: 2\n...\n", {{{"a", 1}}, {{"b", 2}}}},
      {"a directive", "%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n---\nb: 2\n", {{{"a", 1}}, {{"b", 2}}}},
      {"carriage returns", "---\r\na: 1\r\n---\r\nb: 2\r\n", {{{"a", 1}}, {{"b", 2}}}},
      {"names of the same anchor", "- &x 1\n- *x\n---\n- &x 2\n- *x\n", {{1, 1}, {2, 2}}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto documents = parse_yaml(c.text);
      INFO((documents ? "" : documents.error().message));
      REQUIRE(documents.has_value());
      CHECK(*documents == c.documents);
    }
  }
}

TEST_CASE("What is wrong is told with its place", "[yaml]") {
  CHECK_THAT(parse_yaml("a: 1\nb: [1,\n").error().message, Catch::StartsWith("line 3, column 1: "));
  CHECK_THAT(parse_yaml("a: 1\n? [x]\n: 2\n").error().message, Catch::Contains("a key must be a string"));
  CHECK_THAT(parse_yaml("a: 1\n---\nc: 2\n---\nb: [1,\n").error().message,
             Catch::StartsWith("line 6, column 1: "));
  CHECK_THAT(parse_yaml("---\na: 1\n---\n? [x]\n: 2\n").error().message, Catch::StartsWith("line 4, "));
}

TEST_CASE("A text that would grow without bound is refused", "[yaml]") {
  SECTION("aliases of aliases") {
    std::string bomb = "a0: &a0 [x, x]\n";
    for (int i = 1; i < 30; ++i) {
      const std::string before = "*a" + std::to_string(i - 1);
      bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before + "]\n";
    }
    CHECK_THAT(parse_yaml(bomb).error().message, Catch::Contains("aliases expanded"));
  }
  SECTION("an alias of itself") { CHECK_FALSE(parse_yaml("&a [*a]").has_value()); }
  SECTION("depth") {
    const std::string deep = "- " + std::string(40, '[') + std::string(40, ']');
    CHECK_THAT(parse_yaml(deep).error().message, Catch::Contains("within each other"));
  }
  SECTION("length") { CHECK_FALSE(parse_yaml(std::string(100, '#'), {99, 32, 10}).has_value()); }
}

TEST_CASE("What is dumped is read again as the same", "[yaml]") {
  const json value = json::parse(
      R"({"mac":"11:22:33:44:55:06","text":"a \"b\"\n\u00e9","n":-3,"f":1.5,"t":true,"z":null,"list":[1,["x"],{}],"o":{}})");
  CHECK(parse_yaml("\n" + dump_yaml(value)).value() == std::vector<json>{value});
  CHECK_THAT(dump_yaml(value), Catch::Contains("mac: \"11:22:33:44:55:06\""));
}

}  // namespace
}  // namespace holdfast
