#include "common/wireguard/key.h"

#include "test/catch.h"

namespace holdfast::wireguard {
namespace {

TEST_CASE("a public key is that of RFC 7748 section 6.1", "[wireguard]") {
  const auto secret = SecretKey::parse("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=");
  REQUIRE(secret.has_value());
  CHECK(public_key_of(*secret).value().to_string() == "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
}

TEST_CASE("keys that are drawn differ, are clamped, and are read back", "[wireguard]") {
  const SecretKey one = SecretKey::generate().value();
  const SecretKey other = SecretKey::generate().value();
  CHECK_FALSE(one == other);
  CHECK((one.bytes().front() & 7U) == 0);
  CHECK((one.bytes().back() & 0xc0U) == 0x40);
  CHECK(SecretKey::parse(one.reveal()).value() == one);
  const PublicKey known = public_key_of(one).value();
  CHECK(PublicKey::parse(known.to_string()).value() == known);
  CHECK_FALSE(known == public_key_of(other).value());
}

TEST_CASE("what is no key is refused, and a secret one is not repeated", "[wireguard]") {
  for (const char* text :
       {"", "abc", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo",
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTg==", "!SDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="}) {
    CHECK(PublicKey::parse(text).error().code == Code::kInvalidArgument);
    CHECK(SecretKey::parse(text).error().message == "a secret key of WireGuard must be 32 bytes in base64");
  }
}

}  // namespace
}  // namespace holdfast::wireguard
