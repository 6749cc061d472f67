#include "cni-flannel/plugin/announce.h"

#include <string>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

/// Bytes written in hexadecimal; blanks and line ends only help the reader.
std::vector<std::uint8_t> bytes(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') digits += c;
  }
  std::vector<std::uint8_t> result;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    result.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return result;
}

TEST_CASE("IPv4 is announced by an ARP request for the own address, from and about the own MAC",
          "[announce]") {
  // RFC 5227, section 2.3: like a probe, but with sender and target protocol address both the own. RFC 826.
  const MacAddress mac({0x0a, 0x58, 0x0a, 0xf4, 0x03, 0x02});
  CHECK(announcement(mac, IpAddress::parse("10.244.3.2").value()) == bytes("ffffffffffff 0a580af40302 0806"
                                                                           "0001 0800 06 04 0001"
                                                                           "0a580af40302 0af40302"
                                                                           "000000000000 0af40302"));
}

TEST_CASE("IPv6 is announced by an unsolicited advertisement to all nodes that overrides", "[announce]") {
  // RFC 4861, section 4.4: type 136, flags R=0 S=0 O=1, target, target link-layer address; hop limit 255.
  const MacAddress mac({0x0a, 0x5a, 0x00, 0x00, 0x00, 0x02});
  CHECK(announcement(mac, IpAddress::parse("fd00:0:0:3::2").value()) ==
        bytes("333300000001 0a5a00000002 86dd"
              "60000000 0020 3a ff"
              "fd000000000000030000000000000002"
              "ff020000000000000000000000000001"
              "88 00 5238 20000000"
              "fd000000000000030000000000000002"
              "02 01 0a5a00000002"));
}

TEST_CASE("the checksum of an advertisement verifies as a receiver does, whatever the address",
          "[announce]") {
  const MacAddress mac({0x0a, 0x5a, 0xff, 0xff, 0xff, 0xff});
  for (const char* text : {"fd00::1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:8000:8000::8000"}) {
    DYNAMIC_SECTION(text) {
      const auto frame = announcement(mac, IpAddress::parse(text).value());
      // RFC 8200, section 8.1: source, destination, length and next header, then the message.
      std::uint32_t sum = 32 + 58;
      for (std::size_t i = 14 + 8; i + 1 < frame.size(); i += 2) sum += frame[i] * 256U + frame[i + 1];
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      CHECK(sum == 0xffff);
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel
