// The agent of egw-access with all its threads: the worker's for tunnels and rules, the store's, and one for
// each table of routes.

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/exec.h"
#include "egw-gateway/access/access_agent.h"
#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using test::output_of;

/// Links without encryption, as tunnels are made and read by one thread.
class PlainLinks final : public wireguard::WireGuard {
 public:
  [[nodiscard]] std::string_view link_kind() const override { return "bridge"; }
  Status ensure(const std::string& name) override {
    if (!states_.contains(name)) output_of("ip link add " + name + " type bridge");
    states_[name];
    return {};
  }
  Result<wireguard::TunnelState> read(const std::string& name) override { return states_.at(name); }
  Status change(const std::string& name, const wireguard::Change& change) override {
    wireguard::TunnelState& state = states_.at(name);
    if (change.private_key) state.private_key = *change.private_key;
    if (change.listen_port) state.listen_port = *change.listen_port;
    for (const wireguard::PeerChange& each : change.peers) {
      auto peer =
          std::ranges::find_if(state.peers, [&](const auto& one) { return one.peer.key == each.key; });
      if (peer == state.peers.end()) {
        peer = state.peers.emplace(peer);
        peer->peer.key = each.key;
      }
      if (each.allowed) peer->peer.allowed = *each.allowed;
    }
    return {};
  }
  Status remove(const std::string& name) override {
    states_.erase(name);
    output_of("ip link del " + name);
    return {};
  }

 private:
  std::map<std::string, wireguard::TunnelState> states_;
};

struct Silence final : PoolSource {
  Status start(PoolConsumer& /*consumer*/) override { return {}; }
  void look_again() override {}
};

EdgeGateway pool(int number) {
  EdgeGateway out{.pool = "hz"};
  out.generation = number;
  out.pod_cidrs = {Cidr::parse("10." + std::to_string(number) + ".0.0/16").value()};
  out.vpc_cidrs = {Cidr::parse("172.16.0.0/16").value()};
  AccessPoint point{.name = "one", .address = IpAddress::parse("192.0.2.2").value(), .port = 51820};
  wireguard::KeyBytes key{};
  key.fill(7);
  point.public_key = wireguard::PublicKey(key).to_string();
  point.tunnel_addresses = {IpAddress::parse("198.18.0.1").value()};
  out.access_points = {point};
  Gateway gateway{.name = "a", .node = "n1"};
  gateway.tunnel = std::uint16_t{1};
  gateway.tunnel_addresses = {IpAddress::parse("198.18.0.11").value()};
  gateway.pod_addresses = {IpAddress::parse("10.244.1.7").value()};
  gateway.public_keys = {point.public_key};
  out.gateways = {gateway};
  return out;
}

struct Machine {
  test::FreshNetns netns;
  test::TemporaryFolder folder;
  test::LogLines log;
  SystemClock clock;
  SystemExecutor executor;
  PosixFiles files;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  nl::Socket socket = nl::Socket::open().value();
  nl::Socket route_socket = nl::Socket::open().value();
  Metrics metrics;
  AccessMetrics shown{metrics};
  Health health{log, kNeededForReady};
  AccessStore store{files, folder.path(), "one"};
  PlainLinks links;
  TunnelKeeper tunnels{links, nl::Socket::open().value(), std::string(kAccessLinkPrefix)};
  firewall::RuleKeeper rules{firewall::BackEnd::kAuto, executor};
  KernelTable table{route_socket};
  TableRoutes routes{table, clock, 1};
  Worker worker{*loop};
  std::optional<Worker> disk{std::in_place, *loop};
  std::vector<PoolReport> reports;
  Silence source;

  Machine() { output_of("ip link set lo up"); }
  template <class Holds>
  void turn_until(Holds holds) {
    const auto end = clock.since_boot() + 60s;
    while (!holds()) {
      REQUIRE(clock.since_boot() < end);
      REQUIRE(loop->turn(20ms).has_value());
    }
  }
};

TEST_CASE("An access point follows its pools with all its threads, and ends in the midst of its work",
          "[access]") {
  Machine machine;
  AccessOptions options;
  options.access_point = "one";
  {
    AccessAgent agent(
        {*machine.loop, machine.worker, *machine.disk, machine.log, machine.health, machine.shown,
         machine.socket, machine.store, machine.tunnels, machine.rules, machine.routes, nullptr},
        options, wireguard::SecretKey::generate().value(),
        [&](const PoolReport& report) { machine.reports.push_back(report); });
    REQUIRE(agent.start(machine.source).has_value());
    for (int number = 1; number <= 20; ++number) {
      agent.told(pool(number));
      agent.only({"hz"});
      REQUIRE(machine.loop->turn(5ms).has_value());
      if (number % 5 == 0) output_of("ip route flush proto 160");  // somebody's
    }
    machine.turn_until([&] {
      return machine.health.is_well(kTunnelsInPlace) &&
             output_of("ip route show proto 160").find("10.20.0.0/16") != std::string::npos;
    });
    machine.turn_until([&] { return !machine.reports.empty() && machine.reports.back().keys.size() == 1; });
    CHECK(machine.health.is_well(kRulesInPlace));
    agent.told(pool(21));  // and it is written, put and published, or not
  }
  machine.disk.reset();  // with all that waited
  CHECK(machine.store.load()->pools.at("hz").generation >= 20);
}

}  // namespace
}  // namespace holdfast::gateway
