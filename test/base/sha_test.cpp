#include "common/base/sha.h"

#include "test/catch.h"

namespace holdfast {
namespace {

// Examples of FIPS 180-4.
TEST_CASE("SHA-512 gives the published digests", "[sha]") {
  CHECK(sha512_hex("abc") ==
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  CHECK(sha512_hex("") ==
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
        "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
}

TEST_CASE("SHA-1 gives the published digest", "[sha]") {
  CHECK(sha1("abc") == std::array<std::uint8_t, 20>{0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                                    0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                                    0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d});
}

TEST_CASE("SHA-256 gives the published digests", "[sha]") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// RFC 4231, test cases 2 and 6 (a key longer than a block).
TEST_CASE("HMAC with SHA-256 gives the published digests", "[sha]") {
  CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(to_hex(hmac_sha256(std::string(131, '\xaa'),
                           "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

}  // namespace
}  // namespace holdfast
