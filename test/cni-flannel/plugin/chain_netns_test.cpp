// Debian's plugins behind ours in one network, as flannel's manifest and runtimes put them there.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>

#include "common/base/fd.h"
#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/cni-flannel/plugin/plugin_list.h"
#include "test/netlink/fresh_netns.h"
#include "test/tools/private_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr char kHostAddress[] = "198.51.100.1";
constexpr std::uint16_t kHostPort = 8080;
constexpr std::uint16_t kPodPort = 80;

sockaddr_in place_of(const std::string& address, std::uint16_t port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &place.sin_addr);
  return place;
}

const sockaddr* generic(const sockaddr_in& place) {
  return reinterpret_cast<const sockaddr*>(
      &place);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast): bind(2)
}

Result<Fd> tcp_socket() {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno(errno, "open a socket");
  return socket;
}

/// A server in the pod: the kernel takes its connections until the descriptor is closed.
Fd listen_in(const Sandbox& pod, std::uint16_t port) {
  Fd server;
  const Status done = in_netns(pod.netns, [&]() -> Status {
    HOLDFAST_TRY(server, tcp_socket());
    const sockaddr_in place = place_of("0.0.0.0", port);
    if (::bind(server.get(), generic(place), sizeof place) != 0 || ::listen(server.get(), 16) != 0) {
      return fail_errno(errno, "listen");
    }
    return {};
  });
  REQUIRE(done.has_value());
  return server;
}

Status connect_to(const std::string& address, std::uint16_t port) {
  HOLDFAST_TRY(const Fd client, tcp_socket());
  const timeval patience{.tv_sec = 3, .tv_usec = 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const sockaddr_in place = place_of(address, port);
  if (::connect(client.get(), generic(place), sizeof place) != 0) return fail_errno(errno, "connect");
  return {};
}

bool connects_from(const Sandbox& from, const std::string& address, std::uint16_t port) {
  return in_netns(from.netns, [&] { return connect_to(address, port); }).has_value();
}

Fd udp_in(const Sandbox& pod, std::uint16_t port) {
  Fd socket;
  const Status done = in_netns(pod.netns, [&]() -> Status {
    socket = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const sockaddr_in place = place_of("0.0.0.0", port);
    if (::bind(socket.get(), generic(place), sizeof place) != 0) return fail_errno(errno, "bind");
    return {};
  });
  REQUIRE(done.has_value());
  return socket;
}

void ask_by_udp(const Fd& client) {
  const sockaddr_in node = place_of(kHostAddress, kHostPort);
  CHECK(::sendto(client.get(), "?", 1, 0, generic(node), sizeof node) == 1);
}

/// Whether a datagram to the node's port comes to the server, and its answer from there.
bool is_answered_by_udp(const Fd& client, const Fd& server) {
  ask_by_udp(client);
  char word = 0;
  sockaddr_in from{};
  socklen_t size = sizeof from;
  auto* asker =
      reinterpret_cast<sockaddr*>(&from);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast): recvfrom(2)
  return ::recvfrom(server.get(), &word, 1, 0, asker, &size) == 1 &&
         ::sendto(server.get(), "!", 1, 0, asker, size) == 1 && ::recv(client.get(), &word, 1, 0) == 1 &&
         word == '!';
}

json network(const std::string& version, json behind) {
  json plugins = json::array();
  plugins.push_back({{"type", "flannel"}, {"delegate", {{"hairpinMode", true}, {"isDefaultGateway", true}}}});
  for (json& plugin : behind) plugins.push_back(std::move(plugin));
  return {{"name", "cbr0"}, {"cniVersion", version}, {"plugins", std::move(plugins)}};
}

const json kPortmap = {{"type", "portmap"}, {"snat", true}, {"capabilities", {{"portMappings", true}}}};

/// A node on a network with somebody else on it.
class NodeOnNetwork : public PluginHost {
 public:
  NodeOnNetwork() : outside(start_sandbox("outside")) {
    output_of("ip link add uplink0 up type veth peer name uplink1 netns outside");
    output_of(std::string("ip address add ") + kHostAddress + "/24 dev uplink0");
    output_of("ip -n outside address add 198.51.100.2/24 dev uplink1 && ip -n outside link set uplink1 up");
  }
  Sandbox outside;
};

TEST_CASE_METHOD(NodeOnNetwork, "a pod's port is reached by the node's, with portmap behind ours",
                 "[chain]") {
  for (const char* version : {"0.3.1", "0.4.0", "1.0.0"}) {
    DYNAMIC_SECTION(version) {
      PluginList list(network(version, json::array({kPortmap})));
      list.capability_args["portMappings"] =
          json::array({{{"hostPort", kHostPort}, {"containerPort", kPodPort}, {"protocol", "tcp"}}});
      const Sandbox pod = start_sandbox("c1");
      const std::string before = output_of("iptables-save -t nat");
      const json result = list.add(pod);
      CHECK(result.at("cniVersion") == version);
      CHECK(addresses_of(result) == addresses_in(pod));
      const Fd server = listen_in(pod, kPodPort);
      CHECK(connects_from(outside, kHostAddress, kHostPort));
      CHECK(connect_to(kHostAddress, kHostPort).has_value());
      CHECK(connects_from(pod, kHostAddress, kHostPort));  // to itself, round by the node
      CHECK_FALSE(connects_from(outside, kHostAddress, kHostPort + 1));
      if (std::string(version) != "0.3.1") list.check(pod);
      CHECK_THAT(output_of("iptables-save -t nat"), Catch::Contains("id: \\\"c1\\\""));

      list.del(pod);
      CHECK_THAT(output_of("iptables-save -t nat"), !Catch::Contains("c1\\\""));
      CHECK_FALSE(connects_from(outside, kHostAddress, kHostPort));
      CHECK(holdings().addresses.empty());
      CHECK(holdings().confs.empty());
      list.del(pod);
    }
  }
}

TEST_CASE_METHOD(NodeOnNetwork, "a pod that starts anew keeps its address and its port", "[chain]") {
  PluginList list(network("1.0.0", json::array({kPortmap})));
  list.capability_args["portMappings"] =
      json::array({{{"hostPort", kHostPort}, {"containerPort", kPodPort}, {"protocol", "tcp"}}});
  const Sandbox before = start_sandbox("before");
  const auto address = addresses_of(list.add(before));
  list.del(before);
  const Sandbox after = start_sandbox("after");
  CHECK(addresses_of(list.add(after)) == address);
  const Fd server = listen_in(after, kPodPort);
  CHECK(connects_from(outside, kHostAddress, kHostPort));
}

// What came while no pod was there is in the table of connections, as a flow to the node itself.
TEST_CASE_METHOD(NodeOnNetwork, "a flow of UDP to a node's port goes on when its pod starts anew",
                 "[chain]") {
  PluginList list(network("1.0.0", json::array({kPortmap})));
  list.capability_args["portMappings"] =
      json::array({{{"hostPort", kHostPort}, {"containerPort", kPodPort}, {"protocol", "udp"}}});
  const Fd client = udp_in(outside, kHostPort);
  const Sandbox before = start_sandbox("before");
  const auto address = addresses_of(list.add(before));
  CHECK(is_answered_by_udp(client, udp_in(before, kPodPort)));
  list.del(before);
  ask_by_udp(client);
  const Sandbox after = start_sandbox("after");
  CHECK(addresses_of(list.add(after)) == address);
  CHECK(is_answered_by_udp(client, udp_in(after, kPodPort)));
}

TEST_CASE_METHOD(PluginHost, "loopback behind ours, or as the network of its own that runtimes make of it",
                 "[chain]") {
  const Sandbox pod = start_sandbox("c1");
  output_of("ip -n c1 link set lo down");
  const auto lo_is_up = [&] {
    return addresses_in(pod, "lo") == std::vector<std::string>{"127.0.0.1/8", "::1/128"};
  };
  for (const char* version : {"0.3.1", "0.4.0", "1.0.0"}) {
    DYNAMIC_SECTION("behind ours, " << version) {
      PluginList list(network(version, json::array({{{"type", "loopback"}}})));
      const json result = list.add(pod);
      CHECK(lo_is_up());
      CHECK(addresses_of(result) == addresses_in(pod));
      if (std::string(version) != "0.3.1") list.check(pod);
      list.del(pod);
      CHECK(holdings().empty());
    }
  }
  SECTION("before ours") {
    PluginList loopback(
        json{{"name", "cni-loopback"}, {"cniVersion", "0.3.1"}, {"plugins", {{{"type", "loopback"}}}}});
    PluginList list(network("1.0.0", json::array()));
    loopback.add(pod);
    list.add(pod);
    CHECK(lo_is_up());
    list.check(pod);
    list.del(pod);
    loopback.del(pod);
    CHECK(holdings().empty());
  }
}

TEST_CASE_METHOD(PluginHost, "tuning behind ours changes the pod, and CHECK goes by what it changed",
                 "[chain]") {
  constexpr char kMac[] = "02:11:22:33:44:55";
  const json tuning = {{"type", "tuning"}, {"mac", kMac}, {"sysctl", {{"net.core.somaxconn", "517"}}}};
  for (const char* version : {"0.4.0", "1.0.0"}) {
    DYNAMIC_SECTION(version) {
      PluginList list(network(version, json::array({tuning, kPortmap})));
      const Sandbox pod = start_sandbox("c1");
      const json result = list.add(pod);
      CHECK(pod_interface_of(result).at("mac") == kMac);
      CHECK(mac_in(pod) == kMac);
      CHECK(output_of("ip netns exec c1 sysctl -n net.core.somaxconn") == "517\n");
      list.check(pod);
      list.del(pod);
      CHECK(holdings().empty());
    }
  }
}

}  // namespace
}  // namespace holdfast::test
