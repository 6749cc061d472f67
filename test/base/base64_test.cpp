#include "common/base/base64.h"

#include <string>

#include "test/catch.h"

namespace holdfast {
namespace {

TEST_CASE("base64 decodes to the bytes of RFC 4648's test vectors", "[base64]") {
  const std::pair<const char*, std::string> cases[] = {
      {"", ""},
      {"Zg==", "f"},
      {"Zm8=", "fo"},
      {"Zm9v", "foo"},
      {"Zm9vYg==", "foob"},
      {"Zm9vYmE=", "fooba"},
      {"Zm9vYmFy", "foobar"},
      {"Zm9v\nYm Fy\r\n", "foobar"},
      {"AP/+/w==", std::string("\0\xff\xfe\xff", 4)},
  };
  for (const auto& [text, bytes] : cases) {
    DYNAMIC_SECTION(text) { CHECK(decode_base64(text).value() == bytes); }
  }
}

TEST_CASE("what is not base64 is refused", "[base64]") {
  const std::pair<const char*, const char*> cases[] = {
      {"Zm9", "base64 text is cut short"},       {"Zg=", "base64 text is cut short"},
      {"Zm9vYg", "base64 text is cut short"},    {"Zm-v", "character 3 is not base64"},
      {"Zg==Zg==", "character 5 is not base64"}, {"Z===", "character 4 is not base64"},
      {"====", "character 3 is not base64"},     {"==", "base64 text is cut short"},
      {"Zm9vZ===", "character 8 is not base64"},
  };
  for (const auto& [text, error] : cases) {
    DYNAMIC_SECTION(text) {
      const auto decoded = decode_base64(text);
      REQUIRE_FALSE(decoded);
      CHECK(decoded.error().message == error);
    }
  }
}

TEST_CASE("what is encoded is decoded again, and is padded as RFC 4648 section 10 has it", "[base64]") {
  CHECK(encode_base64("").empty());
  CHECK(encode_base64("f") == "Zg==");
  CHECK(encode_base64("fo") == "Zm8=");
  CHECK(encode_base64("foo") == "Zm9v");
  CHECK(encode_base64("foobar") == "Zm9vYmFy");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    all += static_cast<char>(byte);
    CHECK(decode_base64(encode_base64(all)).value() == all);
  }
}

}  // namespace
}  // namespace holdfast
