// What a pod's neighbours hear when it comes up, through the real program.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/netlink/mac_address.h"
#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr std::size_t kIcmpChecksum = 14 + 40 + 2;

template <class Bytes>
std::string hex(const Bytes& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

/// The frame that tells of `address`, in hexadecimal. The checksum of ICMPv6 is left zero.
std::string announcement(const MacAddress& mac, const IpAddress& address) {
  const std::string who = hex(mac.bytes());
  const std::string where = hex(address.bytes());
  // RFC 5227, section 2.3: an ARP request of RFC 826 with both protocol addresses the own.
  if (address.is_v4()) {
    return "ffffffffffff" + who + "0806" + "0001080006040001" + who + where + "000000000000" + where;
  }
  // RFC 4861, section 4.4: type 136, flags R=0 S=0 O=1, target, target link-layer address; hop limit 255.
  return "333300000001" + who + "86dd" + "6000000000203aff" + where + "ff020000000000000000000000000001" +
         "8800" + "0000" + "20000000" + where + "0201" + who;
}

/// Hears every frame that reaches `link`. Source: packet(7).
class Listener {
 public:
  explicit Listener(const char* link)
      : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_protocol = htons(ETH_P_ALL);
    where.sll_ifindex = static_cast<int>(::if_nametoindex(link));
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
  }

  /// Whether `wanted` is, or within two seconds will be, among the frames.
  bool hears(const std::string& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (std::find(heard_.begin(), heard_.end(), wanted) == heard_.end()) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (std::chrono::steady_clock::now() > deadline || ::poll(&waiting, 1, 100) < 0) return false;
      if (waiting.revents == 0) continue;
      std::array<std::uint8_t, 2048> buffer{};
      const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) continue;
      const bool is_ipv6 = buffer[12] == 0x86 && buffer[13] == 0xdd;
      if (is_ipv6) buffer[kIcmpChecksum] = buffer[kIcmpChecksum + 1] = 0;
      heard_.push_back(hex(std::span(buffer.data(), static_cast<std::size_t>(got))));
    }
    return true;
  }

 private:
  Fd socket_;
  std::vector<std::string> heard_;
};

TEST_CASE_METHOD(PluginHost, "a pod that comes up tells the bridge its addresses, IPv4 and IPv6",
                 "[announce]") {
  write_lease(kLeaseDual);
  add(start_sandbox("c1", "first"));
  Listener bridge("cni0");
  const json result = add(start_sandbox("c2", "second"));
  const MacAddress mac = MacAddress::parse(pod_interface_of(result).at("mac").get<std::string>()).value();
  for (const std::string& address : addresses_of(result)) {
    INFO(address);
    CHECK(bridge.hears(announcement(mac, Cidr::parse(address).value().address())));
  }
}

}  // namespace
}  // namespace holdfast::test
