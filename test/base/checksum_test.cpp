#include "common/base/checksum.h"

#include <string>

#include "test/catch.h"

namespace holdfast {
namespace {

std::string counting(int first, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) {
    bytes += static_cast<char>(first + i * step);
  }
  return bytes;
}

// The vectors of RFC 3720, B.4, and the check value of the polynomial's catalogue entry.
TEST_CASE("CRC-32C gives the published values", "[checksum]") {
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(crc32c(counting(0, 1)) == 0x46dd794e);
  CHECK(crc32c(counting(31, -1)) == 0x113fdb5c);
  const std::string scsi_read_pdu(
      "\x01\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0\0\0\x04\0\0\0\0\x14\0\0\0\x18\x28\0\0\0\0\0\0\0\x02\0\0"
      "\0\0\0\0\0",
      48);
  CHECK(crc32c(scsi_read_pdu) == 0xd9963a56);
  CHECK(crc32c("123456789") == 0xe3069283);
  CHECK(crc32c("") == 0);
}

TEST_CASE("CRC-32C of parts is that of the whole", "[checksum]") {
  CHECK(crc32c("6789", crc32c("12345")) == crc32c("123456789"));
}

}  // namespace
}  // namespace holdfast
