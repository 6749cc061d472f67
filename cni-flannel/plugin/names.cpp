#include "cni-flannel/plugin/names.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/sha.h"

namespace holdfast::flannel {

namespace {
constexpr std::size_t kHashDigits = 11;     // IFNAMSIZ 16 less the final zero and "veth"
constexpr std::size_t kLongestAlias = 255;  // IFALIASZ - 1
}  // namespace

std::string host_link_name(const Attachment& attachment) {
  // '/' can stand in none of the three, so the joined text is unambiguous.
  const std::string key = attachment.network + '/' + attachment.container_id + '/' + attachment.ifname;
  return "veth" + sha512_hex(key).substr(0, kHashDigits);
}

std::string host_link_alias(const Attachment& attachment) {
  return (attachment.network + '/' + attachment.container_id + '/' + attachment.ifname)
      .substr(0, kLongestAlias);
}

MacAddress mac_for(const IpAddress& address) {
  const std::span<const std::uint8_t> tail = address.bytes().last(4);
  const std::uint8_t second = address.is_v4() ? 0x58 : 0x5a;
  return MacAddress({0x0a, second, tail[0], tail[1], tail[2], tail[3]});
}

}  // namespace holdfast::flannel
