#include "common/base/json.h"

#include <nlohmann/json.hpp>

#include "test/catch.h"

namespace holdfast {
namespace {

nlohmann::json parsed(std::string_view text) { return parse_json(text).value(); }

template <class T>
std::string refusal(const Result<T>& result) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Code::kInvalidArgument);
  return result.error().message;
}

TEST_CASE("a text that is not JSON is refused with the place of the mistake", "[json]") {
  struct Case {
    const char* name;
    std::string text;
    const char* error;
  };
  const Case cases[] = {
      {"empty", "",
       "parse error at line 1, column 1: syntax error while parsing value - unexpected end of input"},
      {"torn", "{\"a\":",
       "parse error at line 1, column 6: syntax error while parsing value - unexpected end of input"},
      {"second line", "{\n 'a': 1}", "parse error at line 2, column 2"},
      {"two documents", "{} {}", "parse error at line 1, column 4"},
      {"comment", "// x\n{}", "parse error at line 1, column 1"},
      {"not UTF-8", "\"\xff\"", "ill-formed UTF-8 byte"},
      {"huge number", "[1e999]", "number overflow parsing '1e999'"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK_THAT(refusal(parse_json(c.text)), Catch::Contains(c.error)); }
  }
}

TEST_CASE("the message about a mistake stays short, however long the text", "[json]") {
  CHECK(refusal(parse_json("\"" + std::string(100000, 'x'))).size() < 400);
}

TEST_CASE("limits of size and depth hold exactly", "[json]") {
  const JsonLimits limits{.max_bytes = 20, .max_depth = 3};
  CHECK(parse_json("[[[1]]]", limits));
  CHECK(refusal(parse_json("[[{\"a\":[]}]]", limits)) == "JSON text is nested deeper than 3 levels");
  CHECK(parse_json(R"(["[[[[\"[[[["])", limits));
  CHECK(parse_json("[[],[[]],[[]]]", limits));
  CHECK(parse_json(std::string(20, ' ').replace(0, 2, "[]"), limits));
  CHECK(refusal(parse_json(std::string(21, ' '), limits)) == "JSON text is longer than 20 bytes");
  CHECK_FALSE(parse_json(std::string(1 << 19, '[')));
}

TEST_CASE("of a key that is given twice the last value counts", "[json]") {
  const auto document = parsed(R"({"mtu": 1, "mtu": 2})");
  CHECK(JsonObject::of(document).value()["mtu"].integer(0, 9).value() == 2);
}

TEST_CASE("a key is found exactly first, then whatever its case", "[json]") {
  const auto document = parsed(R"({"IPAM": 1, "ipMasq": 2, "IPMASQ": 3, "hairpinmode": 4})");
  const JsonObject root = JsonObject::of(document).value();
  CHECK(root["ipam"].integer(0, 9).value() == 1);
  CHECK(root["ipMasq"].integer(0, 9).value() == 2);
  CHECK(root["IPMASQ"].integer(0, 9).value() == 3);
  CHECK(root["ipmasq"].integer(0, 9).value() == 2);  // the last in byte order
  CHECK(root["hairpinMode"].integer(0, 9).value() == 4);
  CHECK_FALSE(root["hairpin"].present());
  CHECK(root.keys() == std::vector<std::string>{"IPAM", "IPMASQ", "hairpinmode", "ipMasq"});
}

TEST_CASE("values come out in their types", "[json]") {
  const auto document = parsed(R"({"s":"x","b":true,"i":-7,"big":9223372036854775807,"ip":"10.0.0.1",
      "net":"10.0.0.1/24","o":{"k":"v"},"a":["x","y"],"nil":null})");
  const JsonObject root = JsonObject::of(document).value();
  CHECK(root["s"].string().value() == "x");
  CHECK(root["b"].boolean().value());
  CHECK(root["i"].integer(-7, 0).value() == -7);
  CHECK(root["big"].integer(0, INT64_MAX).value() == INT64_MAX);
  CHECK(root["ip"].address().value().to_string() == "10.0.0.1");
  CHECK(root["net"].cidr().value().to_string() == "10.0.0.1/24");
  CHECK(root["o"].object().value()["k"].string().value() == "v");
  CHECK(root["a"].strings_or_empty().value() == std::vector<std::string>{"x", "y"});
  CHECK(root["a"].array().value().size() == 2);
  CHECK_FALSE(root["nil"].present());
}

TEST_CASE("what is absent or null has its stand-in", "[json]") {
  const auto document = parsed(R"({"nil":null})");
  const JsonObject root = JsonObject::of(document).value();
  for (const char* key : {"nil", "none"}) {
    DYNAMIC_SECTION(key) {
      CHECK(root[key].string_or("d").value() == "d");
      CHECK(root[key].boolean_or(true).value());
      CHECK(root[key].integer_or(5, 0, 9).value() == 5);
      CHECK_FALSE(root[key].object_or_empty().value()["deeper"].present());
      CHECK(root[key].object_or_empty().value()["deeper"].path() == std::string(key) + ".deeper");
      CHECK(root[key].array_or_empty().value().empty());
      CHECK(root[key].strings_or_empty().value().empty());
      CHECK(refusal(root[key].string()) == std::string(key) + ": is missing");
      CHECK(root[key].raw().is_null());
    }
  }
}

TEST_CASE("an error names the field's path and the value", "[json]") {
  const auto document =
      parsed(R"({"ipam":{"ranges":[[{"subnet":"10.0.0.0/24"},{"subnet":"10.1/33"}]],"type":7,
      "gw":"x","on":"yes","mtu":70000,"neg":-1,"frac":1.5,"exp":1e3,"text":"12","list":["a",1],"obj":[],"ctl":"a\nb",
      "huge":18446744073709551615,"long":")" +
             std::string(100, 'z') + R"("}})");
  const JsonObject root = JsonObject::of(document).value();
  const JsonObject ipam = root["ipam"].object().value();
  const JsonField second = ipam["ranges"].array().value()[0].array().value()[1];
  CHECK(refusal(second.object().value()["subnet"].cidr()) ==
        "ipam.ranges[0][1].subnet: '10.1/33' is not a CIDR");
  CHECK(refusal(ipam["type"].string()) == "ipam.type: '7' is not a string");
  CHECK(refusal(ipam["gw"].address()) == "ipam.gw: 'x' is not an IP address");
  CHECK(refusal(ipam["on"].boolean_or(false)) == "ipam.on: 'yes' is not true or false");
  CHECK(refusal(ipam["mtu"].integer(0, 65535)) == "ipam.mtu: '70000' is not in 0..65535");
  CHECK(refusal(ipam["neg"].integer_or(0, 0, 65535)) == "ipam.neg: '-1' is not in 0..65535");
  CHECK(refusal(ipam["huge"].integer(0, INT64_MAX)) ==
        "ipam.huge: '18446744073709551615' is not in 0..9223372036854775807");
  CHECK_FALSE(ipam["huge"].integer(-1, 9));  // it must not come round to -1
  CHECK(refusal(ipam["frac"].integer(0, 9)) == "ipam.frac: '1.5' is not a whole number");
  CHECK(refusal(ipam["exp"].integer(0, 9999)) == "ipam.exp: '1000.0' is not a whole number");
  CHECK(refusal(ipam["text"].integer(0, 99)) == "ipam.text: '12' is not a whole number");
  CHECK(refusal(ipam["list"].strings_or_empty()) == "ipam.list[1]: '1' is not a string");
  CHECK(refusal(ipam["obj"].object_or_empty()) == "ipam.obj: '[]' is not an object");
  CHECK(refusal(ipam["type"].array_or_empty()) == "ipam.type: '7' is not an array");
  CHECK(refusal(ipam["ctl"].boolean()) == "ipam.ctl: 'a\\nb' is not true or false");
  CHECK(refusal(ipam["long"].boolean()) ==
        "ipam.long: '" + std::string(80, 'z') + "...' is not true or false");
  CHECK(refusal(ipam["missing"].cidr()) == "ipam.missing: is missing");
  CHECK(Result<int>(ipam["type"].refuse("is not supported")).error().message ==
        "ipam.type: '7' is not supported");
}

TEST_CASE("a document that is no object is refused", "[json]") {
  const auto document = parsed("[1]");
  CHECK(refusal(JsonObject::of(document)) == "'[1]' is not an object");
}

TEST_CASE("dumping never fails on bytes that are not UTF-8", "[json]") {
  CHECK(dump_json(nlohmann::json("a\xff")) == "\"a\xef\xbf\xbd\"");
  CHECK(dump_json(parsed(R"({"a":[1]})"), 1) == "{\n \"a\": [\n  1\n ]\n}");
}

}  // namespace
}  // namespace holdfast
