// What the rules of an access point cost a packet, by how many pools it serves: throughput through them
// beside the same without rules, in turn. ./run bench access_rules

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"
#include "egw-gateway/access/access_plan.h"
#include "egw-gateway/access/access_rules.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::gateway {
namespace {

using test::output_in;

constexpr const char* kUsage =
    "bench_access_rules [--gate]: from a pod through an access point to a host of its VPC by iperf3, with "
    "the\n"
    "rules of 1, 50 and 500 pools of two gateways and 20 ranges each, and without any, in turn, five times;\n"
    "by nftables, and by iptables. Root.\n"
    "--gate: exit status 1 when a bar is missed.\n";

constexpr int kRounds = 5;
constexpr const char* kSeconds = "2";
constexpr int kSizes[] = {1, 50, 500};
constexpr int kMany = 500;
constexpr double kLeastShare = 0.9;  // of what passes without rules

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }
Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

wireguard::PublicKey key_of(int number) {
  wireguard::KeyBytes bytes{};
  bytes.fill(1);
  bytes[0] = static_cast<std::uint8_t>(number);
  bytes[1] = static_cast<std::uint8_t>(number >> 8);
  return wireguard::PublicKey(bytes);
}

/// Of which the access point's own address, in the VPC, makes twenty ranges.
EdgeGateway pool(int number) {
  const std::string block = std::to_string(number / 250) + "." + std::to_string(number % 250);
  EdgeGateway out{.pool = "p" + std::to_string(1000 + number)};
  out.pod_cidrs = {cidr("10." + block + ".0/24")};
  out.vpc_cidrs = {cidr("172.16.0.0/12")};
  AccessPoint point{.name = "one", .address = ip("172.16.200.1"), .port = 20000};
  point.tunnel_addresses = {ip("198.18.0.1")};
  out.access_points = {point};
  for (int each = 0; each < 2; ++each) {
    Gateway gateway{.name = each == 0 ? "a" : "b"};
    gateway.tunnel = static_cast<std::uint16_t>(2 * number + each);
    gateway.public_keys = {key_of(2 * number + each).to_string()};
    gateway.tunnel_addresses = {
        ip("198.19." + std::to_string(number / 100) + "." + std::to_string(2 * (number % 100) + each))};
    out.gateways.push_back(gateway);
  }
  return out;
}

/// Of so many pools, of which the last is the one whose packets are measured.
AccessPlan plan_of(int pools) {
  std::map<std::string, EdgeGateway> objects;
  for (int number = kMany - pools + 1; number <= kMany; ++number) {
    EdgeGateway one = pool(number);
    objects[one.pool] = one;
  }
  AccessPlan plan = plan_access(objects, "one", {});
  if (plan.pools.size() != static_cast<std::size_t>(pools)) throw std::runtime_error("a pool is refused");
  return plan;
}

/// A pod behind a gateway's tunnel, which is a plain link here, the access point, and a host of the VPC.
class Scene {
 public:
  Scene() {
    const std::string tunnel = plan_of(1).pools.front().ways.front().link;
    const auto there = [](const Fd& netns) {
      return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(netns.get());
    };
    output_in(point(), "ip link add " + tunnel + " type veth peer name eth0 netns " + there(pod_) +
                           "; ip link add vpc type veth peer name eth0 netns " + there(host_) +
                           "; ip addr add 10.2.0.1/24 dev " + tunnel + "; ip addr add 172.16.0.1/24 dev vpc" +
                           "; ip link set " + tunnel +
                           " up; ip link set vpc up; sysctl -qw net.ipv4.ip_forward=1");
    output_in(pod_.get(),
              "ip addr add 10.2.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.2.0.1");
    output_in(host_.get(),
              "ip addr add 172.16.0.2/24 dev eth0; ip link set eth0 up; "
              "ip route add default via 172.16.0.1");
  }
  [[nodiscard]] int point() const { return point_.get(); }
  [[nodiscard]] double gbit_per_s() const {
    output_in(host_.get(),
              "iperf3 -s -1 -D; for i in $(seq 50); do ss -tln | grep -q :5201 && exit 0; "
              "sleep 0.1; done; exit 1");
    const std::string answer = output_in(pod_.get(), std::string("iperf3 -c 172.16.0.2 -J -t ") + kSeconds);
    return nlohmann::json::parse(answer)["end"]["sum_received"]["bits_per_second"].get<double>() / 1e9;
  }

 private:
  Fd pod_ = test::new_netns();
  Fd point_ = test::new_netns();
  Fd host_ = test::new_netns();
};

/// Throughput without rules and with those of each number of pools, of every round.
using Series = std::map<int, std::vector<double>>;

Status measure_round(const Scene& scene, firewall::Firewall& firewall, Series& series) {
  series[0].push_back(scene.gbit_per_s());
  for (const int pools : kSizes) {
    const firewall::RuleSet rules = access_rules(plan_of(pools), {}, IpFamily::kV4);
    HOLDFAST_CHECK(nl::in_netns(scene.point(), [&] { return firewall.put(rules); }));
    series[pools].push_back(scene.gbit_per_s());
    HOLDFAST_CHECK(nl::in_netns(scene.point(), [&] { return firewall.clean(rules); }));
  }
  return {};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Of each round what passed with rules beside what passed without.
double share(const Series& series, int pools) {
  std::vector<double> out;
  for (std::size_t round = 0; round < series.at(pools).size(); ++round) {
    out.push_back(series.at(pools)[round] / series.at(0)[round]);
  }
  return median(out);
}

nlohmann::json told(const char* back_end, const Series& series) {
  nlohmann::json out{{"none_gbit_per_s", median(series.at(0))}};
  for (const int pools : kSizes) {
    const nlohmann::json figures{{"gbit_per_s", median(series.at(pools))}, {"share", share(series, pools)}};
    std::cerr << back_end << ", " << pools << " pools: " << figures["gbit_per_s"] << " Gbit/s, "
              << figures["share"] << " of what passes without rules\n";
    out[std::to_string(pools)] = figures;
  }
  return out;
}

int measure(bool gate) {
  const Scene scene;
  SystemExecutor executor;
  firewall::IptablesFirewall iptables(executor);
  Series by_nftables;
  Series by_iptables;
  Result<nl::Socket> socket =
      nl::in_netns(scene.point(), [] { return nl::Socket::open(nl::Protocol::kNetfilter); });
  if (!socket) throw std::runtime_error(socket.error().message);
  firewall::NftablesFirewall nftables(*socket);
  Status done;
  for (int round = 0; round < kRounds && done; ++round) {
    done = measure_round(scene, nftables, by_nftables);
    if (done) done = measure_round(scene, iptables, by_iptables);
  }
  if (!done) throw std::runtime_error(done.error().message);
  const double value = share(by_nftables, kMany);
  const bool pass = value >= kLeastShare;
  const nlohmann::json bar{
      {"name", "share_at_500_pools"}, {"value", value}, {"least", kLeastShare}, {"pass", pass}};
  const nlohmann::json out{{"bench", "access_rules"},
                           {"nftables", told("nftables", by_nftables)},
                           {"iptables", told("iptables", by_iptables)},
                           {"bars", nlohmann::json::array({bar})}};
  std::cerr << (pass ? "pass  " : "MISS  ") << "share_at_500_pools " << value << "  at least " << kLeastShare
            << '\n';
  std::cout << out.dump() << '\n';
  return pass || !gate ? 0 : 1;
}

}  // namespace
}  // namespace holdfast::gateway

int main(int argc, char** argv) {
  const std::string option = argc > 1 ? argv[1] : "";
  if (argc > 2 || (!option.empty() && option != "--gate")) {
    std::cout << holdfast::gateway::kUsage;
    return option == "--help" ? 0 : 2;
  }
  try {
    return holdfast::gateway::measure(option == "--gate");
  } catch (const std::exception& error) {
    std::cerr << "bench_access_rules: " << error.what() << '\n';
    return 1;
  }
}
