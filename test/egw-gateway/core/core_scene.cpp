#include "test/egw-gateway/core/core_scene.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "common/netlink/netns.h"
#include "common/wireguard/key.h"
#include "test/catch.h"
#include "test/wireguard/own_wireguard_go.h"

namespace holdfast::test {
namespace {

using gateway::Tunnel;

constexpr const char* kSecret = "between nodes and us";
constexpr std::uint16_t kPort = 51827;  // of tunnel 7

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }
Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

std::string ns(const Place& place) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(place.netns());
}

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

}  // namespace

void until(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) FAIL("it did not come true in 30 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

AccessEnd::AccessEnd(int number)
    : number_(std::to_string(number)),
      engine_(executor_, clock_, own_wireguard_go(folder_.path()), folder_ / "wireguard"),
      keeper_(engine_, nl::Socket::open_in(place.netns()).value(), "acc") {}

AccessEnd::~AccessEnd() {
  static_cast<void>(nl::run_in_netns(place.netns(), [&] { static_cast<void>(keeper_.look({})); }));
}

void AccessEnd::take(const std::vector<wireguard::PublicKey>& gateways) {
  Tunnel tunnel{.link = "acc" + number_,
                .wireguard = {.private_key = key_, .listen_port = kPort, .peers = {}},
                .addresses = {ip(tunnel_address()), ip("fd00:99::" + number_)},
                .peers = {ip("198.18.0.7"), ip("fd00:99::7")},
                .mtu = 1400};
  for (const wireguard::PublicKey& key : gateways) {
    wireguard::PeerSpec peer;
    peer.key = key;
    if (key == gateways.back()) peer.allowed = {cidr("0.0.0.0/0"), cidr("::/0")};
    tunnel.wireguard.peers.push_back(peer);
  }
  gateway::TunnelKeeper::Look look;
  static_cast<void>(nl::run_in_netns(place.netns(), [&] { look = keeper_.look({tunnel}); }));
  if (!look.done) throw std::runtime_error(look.done.error().message);
  views_ = look.tunnels;
  const std::string link = " dev acc" + number_;
  static_cast<void>(place.run(
      "ip route replace 10.244.0.0/16" + link + " && ip route replace 192.168.77.0/24" + link +
      " && ip -6 route replace fd00:244::/48" + link + " && ip -6 route replace fd00:77::/64" + link));
}

void AccessEnd::speak() {
  speaker_.start(place.netns(), {BFD_SPEAKER_PROGRAM, "single", tunnel_address(), "198.18.0.7"},
                 folder_ / "bfd.log");
}

void AccessEnd::die() {
  static_cast<void>(place.run("ip link set eth0 down"));
  speaker_.stop(SIGKILL);
}

bool AccessEnd::has_heard(const wireguard::PublicKey& gateway) {
  const auto state = nl::in_netns(place.netns(), [&] { return engine_.read("acc" + number_); });
  if (!state) return false;
  for (const wireguard::PeerState& peer : state->peers) {
    if (peer.peer.key == gateway && peer.last_handshake) return true;
  }
  return false;
}

CoreScene::CoreScene() {
  static_cast<void>(edge.run("ip link add eth0 type veth peer eth0 netns " + ns(core) +
                             " && ip link add uplink type veth peer edge netns " + ns(wan_)));
  static_cast<void>(
      wan_.run("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up && "
               "ip link set edge master br0 up"));
  int number = 0;
  for (const AccessEnd* access : {&one, &two}) {
    const std::string n = std::to_string(++number);
    static_cast<void>(wan_.run("ip link add acc" + n + " type veth peer eth0 netns " + ns(access->place) +
                               " && ip link set acc" + n + " master br0 up"));
    static_cast<void>(cloud.run("ip link add acc" + n + " type veth peer cloud netns " + ns(access->place) +
                                " && ip addr add 10.88." + n + ".2/30 dev acc" + n +
                                " && ip addr add fd00:88:" + n + "::2/64 dev acc" + n +
                                " && ip link set acc" + n + " up"));
    static_cast<void>(access->place.run(
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 && "
        "ip addr add 192.0.2.1" +
        n + "/24 dev eth0 && ip link set eth0 up && ip addr add 10.88." + n +
        ".1/30 dev cloud && ip addr add fd00:88:" + n +
        "::1/64 dev cloud && ip link set cloud up && "
        "ip route add 10.244.1.7 via 192.0.2.1 && ip route add 172.16.0.0/12 via 10.88." +
        n + ".2 && ip -6 route add fd00:172::/32 via fd00:88:" + n + "::2"));
  }
  static_cast<void>(edge.run(
      "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && ip addr add 10.244.1.1/24 dev eth0 "
      "&& "
      "ip addr add fd00:244:0:1::1/64 dev eth0 && ip link set eth0 up && ip addr add 192.0.2.1/24 dev uplink "
      "&& "
      "ip link set uplink up && for x in 10.244.2.20 10.244.2.0 192.168.77.2 192.168.77.9; do ip addr add "
      "$x/32 "
      "dev lo; "
      "done && for x in fd00:244:0:2::20 fd00:77::2; do ip addr add $x/128 dev lo; done && "
      "ip route add 172.16.0.0/12 via 10.244.1.7 && ip -6 route add fd00:172::/32 via fd00:244:0:1::7"));
  static_cast<void>(core.run(
      "ip addr add 10.244.1.7/24 dev eth0 && ip addr add fd00:244:0:1::7/64 dev eth0 && ip link set eth0 up "
      "&& "
      "ip route add default via 10.244.1.1 && ip -6 route add default via fd00:244:0:1::1 && "
      "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=2"));
  static_cast<void>(cloud.run("ip addr add 172.16.0.5/32 dev lo && ip addr add fd00:172::5/128 dev lo"));
  return_by(1);
  for (const char* name : {"gateways", "keys", "run", "state"})
    std::filesystem::create_directories(folder / name);
  std::ofstream(folder / "keys" / "bfd") << "1 " << kSecret << "\n";
  std::filesystem::permissions(folder / "keys" / "bfd", std::filesystem::perms(0600));
}

/// wireguard-go outlives the program that started it, and ends when its socket goes.
CoreScene::~CoreScene() {
  program.stop(SIGKILL);
  std::error_code ignored;
  std::filesystem::remove_all(folder / "run", ignored);
}

wireguard::PublicKey CoreScene::new_key() {
  const auto key = wireguard::SecretKey::generate().value();
  std::ofstream(folder / "keys" / "next") << key.reveal() << "\n";
  std::filesystem::permissions(folder / "keys" / "next", std::filesystem::perms(0600));
  std::filesystem::rename(folder / "keys" / "next", folder / "keys" / "private-key");
  const auto out = public_key_of(key).value();
  public_keys.push_back(out.to_string());
  return out;
}

void CoreScene::publish() const {
  std::string keys;
  for (const std::string& key : public_keys) keys += (keys.empty() ? "" : ", ") + key;
  const auto access = [](const char* name, const AccessEnd& end, const char* n, const char* priority) {
    return std::string("    - {name: ") + name + ", address: 192.0.2.1" + n +
           ", port: 51820, publicKey: " + end.public_key() + ", priority: " + priority +
           ", tunnelAddresses: [" + end.tunnel_address() + ", \"fd00:99::" + n + "\"]}\n";
  };
  std::ofstream(folder / "gateways" / ".next")
      << "apiVersion: net.holdfast.dev/v1alpha1\nkind: EdgeGateway\nmetadata: {name: hangzhou}\nspec:\n"
         "  podCIDRs: [10.244.0.0/16, \"fd00:244::/48\"]\n  vpcCIDRs: [172.16.0.0/12, \"fd00:172::/32\"]\n"
         "  accessPoints:\n"
      << access("one", one, "1", "20") << access("two", two, "2", "10")
      << "  gateways:\n    - {name: a, node: box-1, podAddresses: [10.244.1.7, \"fd00:244:0:1::7\"], "
         "publicKeys: ["
      << keys
      << "], tunnel: 7, tunnelAddresses: [198.18.0.7, \"fd00:99::7\"]}\n"
         "  nodes:\n    - {name: box-2, podCIDRs: [10.244.2.0/24, \"fd00:244:0:2::/64\"], addresses: "
         "[192.168.77.2, "
         "\"fd00:77::2\"]}\n"
         "  liveness: {keySecret: hangzhou-liveness}\n";
  std::filesystem::rename(folder / "gateways" / ".next", folder / "gateways" / "hangzhou.yaml");
}

void CoreScene::unpublish() const { std::filesystem::remove(folder / "gateways" / "hangzhou.yaml"); }

void CoreScene::start(const std::vector<std::string>& more) {
  std::string flags = std::string(EGW_CORE_PROGRAM) +
                      " --pool=hangzhou --gateway=a --source=dir --wireguard=userspace --resync=1 "
                      "--healthz=127.0.0.1:8082 --config-dir=" +
                      (folder / "gateways").native() + " --state-dir=" + (folder / "state").native() +
                      " --private-key=" + (folder / "keys" / "private-key").native() +
                      " --bfd-keys=" + (folder / "keys" / "bfd").native();
  for (const std::string& flag : more) flags += " " + flag;
  program.start(core.netns(),
                {"/usr/bin/unshare", "--mount", "sh", "-c",
                 "mount --bind " + (folder / "run").native() + " /run; " + before_start + "; exec " + flags},
                folder / "core.log");
}

void CoreScene::start_all(const std::vector<std::string>& more) {
  const auto key = new_key();
  for (AccessEnd* access : {&one, &two}) {
    access->take({key});
    access->speak();
  }
  publish();
  start(more);
  node.start(edge.netns(), {BFD_SPEAKER_PROGRAM, "multi", "10.244.2.0", "10.244.1.7", kSecret},
             folder / "node.log");
  until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
  until([&] { return node_log().ends_with("up\n"); });
  until([&] { return metric("egw_core_access_point_up{access_point=\"two\"}") == 1; });
  until([&] { return reaches(); });
}

void CoreScene::return_by(int number) const {
  const std::string n = std::to_string(number);
  static_cast<void>(cloud.run(
      "for r in 10.244.0.0/16 192.168.77.0/24 198.18.0.7/32; do ip route replace $r via 10.88." + n +
      ".1; done; for r in fd00:244::/48 fd00:77::/64 fd00:99::7/128; do ip -6 route replace "
      "$r via fd00:88:" +
      n + "::1; done"));
}

std::string CoreScene::log() const { return text_of(folder / "core.log"); }

std::string CoreScene::node_log() const { return text_of(folder / "node.log"); }

std::string CoreScene::page(const std::string& path) const {
  const std::string script =
      "exec 3<>/dev/tcp/127.0.0.1/8082 && printf \"GET " + path + " HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3";
  try {
    return core.run("timeout 5 bash -c '" + script + "' 2>/dev/null");
  } catch (const std::runtime_error&) {
    return "";
  }
}

double CoreScene::metric(const std::string& name) const {
  const std::string all = page("/metrics");
  const std::size_t at = all.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(all.substr(at + name.size() + 2));
}

bool CoreScene::reaches(const std::string& how) const {
  return edge.run("ping -c 1 -W 0.3 -q " + how + " >/dev/null 2>&1 && echo yes || true") == "yes\n";
}

}  // namespace holdfast::test
