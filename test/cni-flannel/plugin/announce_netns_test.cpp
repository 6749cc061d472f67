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
#include <vector>

#include "cni-flannel/plugin/announce.h"
#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
using Frame = std::vector<std::uint8_t>;

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
  bool hears(const Frame& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (std::find(heard_.begin(), heard_.end(), wanted) == heard_.end()) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (std::chrono::steady_clock::now() > deadline || ::poll(&waiting, 1, 100) < 0) return false;
      if (waiting.revents == 0) continue;
      std::array<std::uint8_t, 2048> buffer{};
      const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got > 0) heard_.emplace_back(buffer.begin(), buffer.begin() + got);
    }
    return true;
  }

 private:
  Fd socket_;
  std::vector<Frame> heard_;
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
    CHECK(bridge.hears(flannel::announcement(mac, Cidr::parse(address).value().address())));
  }
}

}  // namespace
}  // namespace holdfast::test
