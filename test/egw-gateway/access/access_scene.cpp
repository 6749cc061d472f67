#include "test/egw-gateway/access/access_scene.h"

#include <csignal>
#include <fstream>
#include <sstream>

#include "common/netlink/link.h"
#include "common/netlink/netns.h"
#include "test/catch.h"
#include "test/wireguard/handshake.h"
#include "test/wireguard/own_wireguard_go.h"

namespace holdfast::test {
namespace {

using gateway::Tunnel;

constexpr const char* kPort = "8085";

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

std::filesystem::path made(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  return folder;
}

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

void link(const Machine& one, const std::string& name, const Machine& other, const std::string& other_name) {
  nl::Socket socket = nl::Socket::open_in(one.netns.get()).value();
  nl::VethSpec veth;
  veth.name = name;
  veth.peer_name = other_name;
  veth.peer_netns_fd = other.netns.get();
  nl::create_veth(socket, veth).value();
}

}  // namespace

FakeGateway::FakeGateway(std::string its_name, int its_number, const TemporaryFolder& folder)
    : name(std::move(its_name)),
      number(its_number),
      run(made(folder / ("gateway-" + name))),
      engine(executor, clock, own_wireguard_go(run), run / "wireguard"),
      keeper(engine, nl::Socket::open_in(machine.netns.get()).value(), "wg-") {
  machine.run("sysctl -qw net.ipv4.conf.all.rp_filter=2; ip addr add 10.244.3.9/32 dev lo");
}

FakeGateway::~FakeGateway() { take_tunnel_away(); }

void FakeGateway::take_tunnel_away() {
  static_cast<void>(nl::run_in_netns(machine.netns.get(), [&] { static_cast<void>(keeper.look({})); }));
}

void FakeGateway::switch_off() {
  die(SIGKILL);
  take_tunnel_away();
}

bool FakeGateway::is_answered(const wireguard::PublicKey& access,
                              std::chrono::system_clock::time_point when) const {
  bool answered = false;
  const wireguard::Endpoint to{ip("192.0.2.2"), static_cast<std::uint16_t>(51820 + number)};
  static_cast<void>(
      nl::run_in_netns(machine.netns.get(), [&] { answered = begins_handshake(key, access, to, when); }));
  return answered;
}

void FakeGateway::connect(const wireguard::PublicKey& access) {
  Tunnel tunnel{.link = "wg-one", .wireguard = {key, 0, 0, {}}, .addresses = {}, .peers = {}, .mtu = 1380};
  tunnel.addresses = {ip("198.18.0.1" + std::to_string(number))};
  tunnel.peers = {ip("198.18.0.1")};
  wireguard::PeerSpec& peer = tunnel.wireguard.peers.emplace_back();
  peer.key = access;
  peer.endpoint = wireguard::Endpoint{ip("192.0.2.2"), static_cast<std::uint16_t>(51820 + number)};
  peer.allowed = {Cidr::parse("0.0.0.0/0").value()};
  Status done;
  static_cast<void>(nl::run_in_netns(machine.netns.get(), [&] { done = keeper.look({tunnel}).done; }));
  INFO((done ? std::string() : done.error().message));
  REQUIRE(done.has_value());
  machine.run("ip route replace 172.16.0.0/16 dev wg-one");
}

void FakeGateway::live() {
  liveness.start(machine.netns.get(),
                 {TUNNEL_PEER_PROGRAM, "198.18.0.1" + std::to_string(number), "198.18.0.1", "wg-one"},
                 run / "liveness.log");
}

std::string FakeGateway::seen() const { return text_of(run / "liveness.log"); }

AccessScene::AccessScene() {
  access.run("ip link add br0 type bridge && ip addr add 192.0.2.2/24 dev br0 && ip link set br0 up");
  for (const FakeGateway* each : {&a, &b}) {
    const std::string n = std::to_string(each->number);
    link(each->machine, "eth0", access, "gateway" + n);
    each->machine.run("ip addr add 192.0.2.1" + n + "/24 dev eth0 && ip link set eth0 up");
    access.run("ip link set gateway" + n + " master br0 up");
  }
  link(access, "eth1", vpc, "eth0");
  access.run(
      "ip addr add 172.16.0.2/16 dev eth1 && ip link set eth1 up && ip route add default via 172.16.0.1");
  vpc.run("ip addr add 172.16.0.1/16 dev eth0 && ip link set eth0 up && ip route add default via 172.16.0.2");
  std::filesystem::create_directories(home / "gateways");
  std::filesystem::create_directories(home / "run");
  std::ofstream(home / "key") << key.reveal() << "\n";
}

AccessScene::~AccessScene() {
  program.stop(SIGKILL);
  // wireguard-go ends with its link
  static_cast<void>(
      access.can("for l in $(ls /sys/class/net); do case $l in egw-*) ip link del $l;; esac; done"));
  static_cast<void>(access.can("ip -o link | grep -o 'egw-[a-z-]*' | xargs -r -n 1 ip link del"));
}

void AccessScene::publish(const std::string& more_keys) const {
  const std::string public_key = wireguard::public_key_of(key).value().to_string();
  write("hz.yaml", R"(apiVersion: net.holdfast.dev/v1alpha1
kind: EdgeGateway
metadata: {name: hz}
spec:
  podCIDRs: [10.244.0.0/16]
  vpcCIDRs: [172.16.0.0/16]
  accessPoints:
    - {name: one, address: 192.0.2.2, port: 51820, priority: 100, tunnelAddresses: [198.18.0.1], publicKey: ")" +
                       public_key + "\"}\n" + other_points +
                       R"(  gateways:
    - {name: a, node: n1, podAddresses: [10.244.1.7], priority: 200, tunnel: 1, tunnelAddresses: [198.18.0.11], publicKeys: [")" +
                       a.public_key() + "\"" + (more_keys.empty() ? "" : ", \"" + more_keys + "\"") +
                       R"(]}
    - {name: b, node: n2, podAddresses: [10.244.2.7], priority: 100, tunnel: 2, tunnelAddresses: [198.18.0.12], publicKeys: [")" +
                       b.public_key() + R"("]}
)");
}

void AccessScene::write(const std::string& file, const std::string& text) const {
  std::ofstream(home / "gateways" / (file + ".new")) << text;
  std::filesystem::rename(home / "gateways" / (file + ".new"), home / "gateways" / file);
}

void AccessScene::start(const std::vector<std::string>& more) {
  start(program, {kPort, home / "state", home / "access.log"}, more);
}

void AccessScene::start(Program& one, const Own& own, const std::vector<std::string>& more) const {
  std::string command = "mount --bind " + (home / "run").native() +
                        " /run && exec " EGW_ACCESS_PROGRAM
                        " --access-point=one --source=dir --wireguard=userspace --healthz=127.0.0.1:";
  command += own.port;
  command += " --private-key=" + (home / "key").native() + " --config-dir=" + (home / "gateways").native() +
             " --state-dir=" + own.state.native();
  for (const std::string& flag : more) command += " " + flag;
  one.start(access.netns.get(), {"/usr/bin/unshare", "--mount", "/bin/sh", "-c", command}, own.log);
}

std::string AccessScene::log() const { return text_of(home / "access.log"); }

std::string AccessScene::page(const std::string& path) const {
  return access.run("curl -s -m 5 http://127.0.0.1:" + std::string(kPort) + path + " || true");
}

double AccessScene::metric(const std::string& name) const {
  std::istringstream lines(page("/metrics"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  }
  return -1;
}

std::string AccessScene::way() const {
  const std::string found = access.run("ip route get 10.244.3.9 2>&1 || true");
  if (found.find("unreachable") != std::string::npos || found.find("No route to host") != std::string::npos)
    return "unreachable";
  const std::size_t at = found.find(" dev ");
  if (at == std::string::npos) return found;
  return found.substr(at + 5, found.find(' ', at + 5) - at - 5);
}

}  // namespace holdfast::test
