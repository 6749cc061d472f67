#include "test/egw-gateway/helper/gateway_scene.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "common/netlink/link.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

constexpr const char* kDocument = R"(apiVersion: net.holdfast.dev/v1alpha1
kind: EdgeGateway
metadata: {name: hangzhou}
spec:
  podCIDRs: [10.244.0.0/16, "fd00::/48"]
  vpcCIDRs: [172.16.0.0/16, "fd00:20::/48"]
  gateways:
    - {name: a, node: node1, podAddresses: [10.244.1.7, "fd00:0:0:1::7"], priority: 200}
    - {name: b, node: node2, podAddresses: [10.244.2.7, "fd00:0:0:2::7"], priority: 100}
)";
constexpr const char* kHelperPort = "8082";

std::string run_in(int netns, const std::string& command) {
  std::string out;
  std::string error;
  const Status done = nl::run_in_netns(netns, [&] {
    try {
      out = output_of(command);
    } catch (const std::runtime_error& failed) {
      error = failed.what();
    }
  });
  if (!done) throw std::runtime_error(done.error().message);
  if (!error.empty()) throw std::runtime_error(error);
  return out;
}

void link(const Machine& one, const std::string& name, int other_netns, const std::string& other_name) {
  nl::Socket socket = nl::Socket::open_in(one.netns.get()).value();
  nl::VethSpec veth;
  veth.name = name;
  veth.peer_name = other_name;
  veth.peer_netns_fd = other_netns;
  nl::create_veth(socket, veth).value();
}

}  // namespace

Machine::Machine() : netns(new_netns()) {
  run("ip link set lo up; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
}

std::string Machine::run(const std::string& command) const { return run_in(netns.get(), command); }

bool Machine::can(const std::string& command) const {
  try {
    static_cast<void>(run(command));
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

GatewayScene::GatewayScene() {
  for (int n = 1; n <= 3; ++n) nodes.push_back(std::make_unique<FlanneldNode>(lan, home, n));
  std::filesystem::create_directories(home / "gateways");
  vpc.run(
      "ip link add vpc type bridge && ip addr add 172.16.0.1/16 dev vpc && ip addr add fd00:20::1/48 dev vpc "
      "nodad && ip link set vpc up");
  int number = 1;
  for (const Machine* core : {&core_a, &core_b}) {
    const std::string n = std::to_string(number);
    plug(*core, number, 7);
    link(*core, "wg0", vpc.netns.get(), "core" + n);
    // a core's own settings: packets may come and go by different cores
    core->run("sysctl -qw net.ipv4.conf.all.rp_filter=2; ip addr add 172.16.0.1" + n +
              "/16 dev wg0; ip addr add fd00:20::1" + n + "/48 dev wg0 nodad; ip link set wg0 up");
    // and to its neighbours by the node, which is to see both directions
    core->run("ip route add 10.244." + n + ".1 dev eth0; ip route replace 10.244." + n + ".0/24 via 10.244." +
              n + ".1; ip -6 route add fd00:0:0:" + n + "::1 dev eth0; ip -6 route del fd00:0:0:" + n +
              "::/64 dev eth0; ip -6 route add fd00:0:0:" + n + "::/64 via fd00:0:0:" + n + "::1");
    vpc.run("ip link set core" + n + " master vpc up");
    ++number;
  }
  plug(pod, 3, 9);
  for (int n = 1; n <= 3; ++n) {
    FlanneldNode& one = node(n);
    one.net_conf =
        R"({"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"vxlan"}})";
    static_cast<void>(
        one.run("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1 "
                "net.ipv6.conf.all.forwarding=1 && "
                "ip addr add fd00:0:0:" +
                std::to_string(n) +
                "::1/64 dev cni0 nodad && "
                "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP && "
                "ip6tables -A FORWARD -m conntrack --ctstate INVALID -j DROP && "
                "nft add table ip watch && nft 'add chain ip watch out { type filter hook postrouting "
                "priority 300; }' && "
                "nft add rule ip watch out oifname eth0 ip daddr 172.16.0.0/16 counter"));
    one.publish();
  }
  return_by('a');
  publish();
}

void GatewayScene::plug(const Machine& machine, int number, int host) {
  const std::string n = std::to_string(number);
  const std::string h = std::to_string(host);
  link(machine, "eth0", node(number).netns(), "veth" + h);
  static_cast<void>(node(number).run("ip link set veth" + h + " master cni0 up"));
  static_cast<void>(machine.run("ip link set eth0 up; ip addr add 10.244." + n + "." + h +
                                "/24 dev eth0; ip addr add "
                                "fd00:0:0:" +
                                n + "::" + h + "/64 dev eth0 nodad; ip route add default via 10.244." + n +
                                ".1; ip -6 route add default via fd00:0:0:" + n + "::1"));
}

void GatewayScene::start_with_key(const std::string& text) {
  secret = text;
  std::ofstream(home / "keys") << "1 " << text << "\n";
  helper_flags = {"--bfd-keys=" + (home / "keys").native()};
  publish("  liveness: {keySecret: hangzhou-liveness}\n");
  start_all();
}

void GatewayScene::publish(const std::string& more) const {
  const std::filesystem::path fresh = home / "gateways/.hangzhou.new";
  std::ofstream(fresh) << kDocument << more;
  std::filesystem::rename(fresh, home / "gateways/hangzhou.yaml");
}

void GatewayScene::unpublish() const {
  std::ofstream(home / "gateways/ningbo.yaml")
      << "apiVersion: net.holdfast.dev/v1alpha1\nkind: EdgeGateway\nmetadata: {name: ningbo}\nspec: {}\n";
  std::filesystem::remove(home / "gateways/hangzhou.yaml");
}

void GatewayScene::start_helper(int number, const std::vector<std::string>& more) {
  FlanneldNode& one = node(number);
  std::vector<std::string> arguments{EGW_HELPER_PROGRAM,
                                     "--pool=hangzhou",
                                     "--node-name=node" + std::to_string(number),
                                     "--source=dir",
                                     "--config-dir=" + (home / "gateways").native(),
                                     "--state-dir=" + one.path("egw").native(),
                                     "--no-masq-dir=" + one.path("run/no-masq.d").native(),
                                     std::string("--healthz=127.0.0.1:") + kHelperPort,
                                     "--removal-delay=0"};
  arguments.insert(arguments.end(), helper_flags.begin(), helper_flags.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  helper(number).start(one.netns(), arguments, one.path("helper.log"));
}

void GatewayScene::start_core(char name) {
  const bool a = name == 'a';
  const std::string local = a ? "10.244.1.7" : "10.244.2.7";
  std::vector<std::string> arguments{BFD_PEER_PROGRAM, local, secret};
  for (int n = 1; n <= 3; ++n) {
    const bool here = n == (a ? 1 : 2);
    arguments.push_back("10.244." + std::to_string(n) + (here ? ".1" : ".0"));
  }
  core(name).start((a ? core_a : core_b).netns.get(), arguments,
                   home / (std::string("core-") + name + ".log"));
}

void GatewayScene::return_by(char name) const {
  const std::string host = name == 'a' ? "1" : "2";
  vpc.run("ip route replace 10.244.0.0/16 via 172.16.0.1" + host +
          "; ip -6 route replace fd00::/48 via fd00:20::1" + host);
}

void GatewayScene::start_all() {
  for (const auto& one : nodes) one->start({"--ip-masq"});
  for (const auto& one : nodes) until([&] { return one->ready(); });
  start_core('a');
  for (int n = 1; n <= 3; ++n) start_helper(n);
  for (int n = 1; n <= 3; ++n) {
    until([&] { return routes_to(n, 'a'); }, std::chrono::seconds(30));
    until([&] { return page(n, "/readyz").find(" 200 OK") != std::string::npos; }, std::chrono::seconds(30));
  }
  start_core('b');  // only now: the first that is up is taken, and kept for a while
  for (int n = 1; n <= 3; ++n) {
    until([&] { return metric(n, "egw_helper_gateway_up{gateway=\"b\"}") == 1; }, std::chrono::seconds(30));
  }
  until([&] { return reaches(); }, std::chrono::seconds(30));
}

std::string GatewayScene::helper_log(int number) {
  std::ostringstream text;
  text << std::ifstream(node(number).path("helper.log")).rdbuf();
  return text.str();
}

std::string GatewayScene::page(int number, const std::string& path) {
  const std::string script = std::string("exec 3<>/dev/tcp/127.0.0.1/") + kHelperPort + " && printf \"GET " +
                             path + " HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3";
  try {
    return node(number).run("timeout 5 bash -c '" + script + "' 2>/dev/null");
  } catch (const std::runtime_error&) {
    return "";
  }
}

double GatewayScene::metric(int number, const std::string& name) {
  const std::string all = page(number, "/metrics");
  const std::size_t at = all.find("\n" + name + " ");
  if (at == std::string::npos) throw std::runtime_error("no metric " + name + " in:\n" + all);
  return std::stod(all.substr(at + name.size() + 2));
}

bool GatewayScene::routes_to(int number, char gateway) {
  const std::string host = gateway == 'a' ? "1" : "2";
  const bool here = number == (gateway == 'a' ? 1 : 2);
  return node(number)
             .run("ip route show table 20158 172.16.0.0/16 metric 37 2>/dev/null || true")
             .find(here ? "via 10.244." + host + ".7 dev cni0" : "via 10.244." + host + ".0 dev flannel.1") !=
         std::string::npos;
}

int GatewayScene::leaked(int number) {
  return std::stoi(
      node(number).run("nft list chain ip watch out | grep -o 'packets [0-9]*' | cut -d' ' -f2"));
}

}  // namespace holdfast::test
