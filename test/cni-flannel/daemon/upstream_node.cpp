#include "test/cni-flannel/daemon/upstream_node.h"

#include <fstream>
#include <regex>
#include <sstream>
#include <utility>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/json.h"
#include "common/netlink/link.h"
#include "test/cni-flannel/daemon/golden_flannel.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

/// What the first group of `pattern` matches in each line that has it.
std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  std::vector<std::string> out;
  const std::regex expression(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    out.push_back((*at)[1]);
  }
  return out;
}

Cidr pod_cidr(const json& node) { return Cidr::parse(node["spec"]["podCIDR"].get<std::string>()).value(); }

std::string host(const Cidr& cidr, std::uint32_t number) { return cidr.first().plus(number)->to_string(); }

json first_link(const std::string& text) { return parse_json(text).value()[0]; }

void compare(std::string& out, const std::string& field, const std::string& is, const std::string& was) {
  if (is != was) out += field + " is:\n" + is + "\nand was:\n" + was + "\n";
}

}  // namespace

UpstreamNode::UpstreamNode(Lan& lan, const std::filesystem::path& home, std::string mode,
                           const std::string& name)
    : node(home, name), mode_(std::move(mode)), name_(name), pod_(new_netns()) {
  node.net_conf = golden(mode_ + "/net-conf.json");
  std::filesystem::create_directories(node.path("run"));
  std::ofstream(node.path("run/subnet.env")) << left("subnet.env");
  make_underlay(lan, name == "nodea" ? 1 : 2);
  make_pod();
  make_overlay();
}

std::string UpstreamNode::left(const std::string& what) const {
  return golden(mode_ + "/" + name_ + "." + what);
}

std::string UpstreamNode::left_path(const std::string& what) const {
  return golden_path(mode_ + "/" + name_ + "." + what);
}

json UpstreamNode::object() const { return parse_json(left("node.json")).value(); }

void UpstreamNode::make_underlay(Lan& lan, int number) {
  lan.plug(node.netns(), number, "u0");
  static_cast<void>(node.run("ip link set lo up && ip addr add 192.168.77." + std::to_string(number) +
                             "/24 dev u0 && ip link set u0 up && ip route add default dev u0 scope link && "
                             "sysctl -qw net.ipv4.ip_forward=1"));
}

void UpstreamNode::make_pod() {
  const Cidr range = pod_cidr(object());
  static_cast<void>(node.run("ip link add cni0 type bridge && ip addr add " + host(range, 1) +
                             "/24 brd + dev cni0 && ip link set cni0 up"));
  nl::Socket socket = nl::Socket::open_in(node.netns()).value();
  nl::VethSpec link;
  link.name = "veth0";
  link.master = nl::find_link(socket, "cni0").value()->index;
  link.peer_name = "eth0";
  link.peer_netns_fd = pod_.get();
  nl::create_veth(socket, link).value();
  static_cast<void>(nl::run_in_netns(pod_.get(), [&] {
    output_of("ip link set lo up && ip link set eth0 up && ip addr add " + pod_address() +
              "/24 dev eth0 && ip route add default via " + host(range, 1));
  }));
}

void UpstreamNode::make_overlay() {
  const json link = first_link(left("link-flannel.1.json"));
  const json& vxlan = link["linkinfo"]["info_data"];
  std::ostringstream commands;
  commands << "ip link add flannel.1 address " << link["address"] << " mtu " << link["mtu"]
           << " type vxlan id " << vxlan["id"] << " dev " << vxlan["link"] << " local " << vxlan["local"]
           << " dstport " << vxlan["port"] << " nolearning && ip link set flannel.1 up";
  for (const std::string& address : matches(left("addr-flannel.1.txt"), "inet (\\S+) ")) {
    commands << " && ip addr add " << address << " dev flannel.1";
  }
  for (const std::string& entry : matches(left("neigh.txt"), "(\\S+ dev flannel.1 \\S+ \\S+) PERMANENT")) {
    commands << " && ip neigh add " << entry << " nud permanent";
  }
  for (const std::string& entry : matches(left("fdb.txt"), "(\\S+) dst")) {
    commands << " && bridge fdb add " << entry << " dev flannel.1 dst "
             << matches(left("fdb.txt"), entry + " dst (\\S+) self permanent").at(0) << " self permanent";
  }
  for (const std::string& route : matches(left("routes.txt"), "(\\S+ via \\S+ dev flannel.1 onlink)")) {
    commands << " && ip route add " << route;
  }
  const std::string rules = mode_ == "nft" ? "nft -f " + left_path("nft-ruleset.txt")
                                           : "iptables-restore < " + left_path("iptables-save.txt");
  static_cast<void>(node.run(commands.str() + " && " + rules));
}

void UpstreamNode::start(const std::string& api, const std::vector<std::string>& more) {
  const std::filesystem::path config = node.path("kubeconfig");
  std::ofstream(config) << "clusters: [{name: c, cluster: {server: '" + api +
                               "'}}]\nusers: [{name: u, user: {}}]\n"
                               "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n";
  std::vector<std::string> flags{"--source=node", "--kube-subnet-mgr", "--ip-masq",
                                 "--kubeconfig-file=" + config.native()};
  flags.insert(flags.end(), more.begin(), more.end());
  node.start(flags);
}

std::string UpstreamNode::differences() const {
  std::string out;
  const json is = first_link(node.run("ip -j -d link show flannel.1"));
  const json was = first_link(left("link-flannel.1.json"));
  for (const char* key : {"address", "mtu", "operstate", "linkinfo", "inet6_addr_gen_mode", "flags", "qdisc"})
    compare(out, std::string("flannel.1's ") + key, is[key].dump(), was[key].dump());
  const std::string address = node.run("ip -4 addr show dev flannel.1");
  compare(out, "address", json(matches(address, "(inet .*)")).dump(),
          json(matches(left("addr-flannel.1.txt"), "(inet .*)")).dump());
  const std::string ours = "(\\S+ dev flannel.1 .*PERMANENT)";
  compare(out, "neighbours", json(matches(node.run("ip neigh"), ours)).dump(),
          json(matches(left("neigh.txt"), ours)).dump());
  compare(out, "fdb", node.run("bridge fdb show dev flannel.1"), left("fdb.txt"));
  compare(out, "routes", std::regex_replace(node.run("ip route"), std::regex("proto 102 "), ""),
          left("routes.txt"));
  compare(out, "subnet.env", node.run("cat " + node.path("run/subnet.env").native()), left("subnet.env"));
  return out;
}

std::string UpstreamNode::rules() const {
  if (mode_ == "ipt") return bare_rules(node.run("iptables-save -t filter; iptables-save -t nat"));
  return bare_rules(node.run("nft list table ip flannel-ipv4; nft list table ip6 flannel-ipv6"));
}

std::string UpstreamNode::upstream_rules() const {
  if (mode_ == "ipt") return bare_rules(left("iptables-save.txt"));
  const json object = this->object();
  const std::string own = pod_cidr(object).to_string();
  const std::string all = "10.244.0.0/16";
  std::string out = replaced(left("nft-ruleset.txt"), "meta mark 0x00004000 return",
                             "meta mark & 0x00004000 == 0x00004000 return");
  return bare_rules(replaced(out, "ip saddr != " + own + " ip daddr " + all + " return",
                             "ip saddr != " + all + " ip daddr " + own + " return"));
}

void UpstreamNode::lose_kernel_state() {
  static_cast<void>(node.run("ip link del flannel.1 && nft flush ruleset"));
  std::filesystem::remove_all(node.path("run"));
}

std::string UpstreamNode::pod_address() const { return host(pod_cidr(object()), 2); }

std::filesystem::path UpstreamNode::pod() const { return "/proc/self/fd/" + std::to_string(pod_.get()); }

}  // namespace holdfast::test
