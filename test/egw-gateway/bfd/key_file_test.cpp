#include "egw-gateway/bfd/key_file.h"

#include "test/catch.h"

namespace holdfast::bfd {
namespace {

TEST_CASE("A key file gives what is sent with and what is accepted", "[bfd]") {
  const Keys keys = parse_key_file("# the new one first\n2 fresh secret\n\n1 old\n").value();
  CHECK(keys.send == Key{2, "fresh secret"});
  CHECK(keys.also_accepted == std::vector<Key>{{1, "old"}});
  struct Case {
    const char* name;
    const char* text;
    const char* error;
  };
  const Case cases[] = {
      {"nothing", "", "there is no key"},
      {"a comment", "# x\n", "there is no key"},
      {"no id", "secret\n", "line 1 does not begin with an id"},
      {"an id that is too high", "256 secret\n", "line 1 does not begin with an id"},
      {"no secret", "1\n", "line 1 has no secret"},
      {"a long secret", "1 ok\n2 123456789012345678901\n", "line 2 has no secret of 1..20 bytes"},
      {"one id twice", "1 a\n1 b\n", "1"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto refused = parse_key_file(c.text);
      REQUIRE_FALSE(refused.has_value());
      CHECK_THAT(refused.error().message, Catch::Contains(c.error));
      CHECK_THAT(refused.error().message, !Catch::Contains("secret\n") && !Catch::Contains("12345"));
    }
  }
}

}  // namespace
}  // namespace holdfast::bfd
