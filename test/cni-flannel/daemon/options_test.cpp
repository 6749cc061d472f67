#include "cni-flannel/daemon/options.h"

#include <map>

#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using test::cidr;
using test::ip;

using Environment = std::map<std::string, std::string>;

Result<Options> parse(const std::vector<std::string>& arguments, const Environment& environment = {}) {
  return parse_options(arguments, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST_CASE("The join parameter nodeIface wins over flannelIface, and both over the flags of upstream",
          "[flanneld]") {
  struct Case {
    std::vector<std::string> arguments;
    std::string interface;
    std::string flag;
  };
  const Case cases[] = {
      {{"--iface=eth0", "--node-iface=", "--flannel-iface="}, "eth0", "--iface"},
      {{"--flannel-iface=eth1", "--iface=eth0"}, "eth1", "--flannel-iface"},
      {{"--node-iface=eth2", "--flannel-iface=eth1", "--iface=eth0", "--iface-regex=wwan",
        "--iface-can-reach=10.0.0.1"},
       "eth2",
       "--node-iface"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.flag) {
      const UnderlayChoice choice = parse(c.arguments).value().underlay;
      CHECK(choice.interfaces == std::vector{c.interface});
      CHECK(choice.interfaces_flag == c.flag);
      CHECK(choice.patterns.empty());
      CHECK_FALSE(choice.can_reach.has_value());
    }
  }
  CHECK(parse({}, {{"FLANNELD_NODE_IFACE", "eth3"}}).value().underlay.interfaces.front() == "eth3");
}

TEST_CASE("Service ranges are told one by one or together", "[flanneld]") {
  const auto options = parse({"--service-cidr=10.96.0.1/12,fd00::/108", "--service-cidr", "10.112.0.0/16"});
  CHECK(options.value().service_cidrs ==
        std::vector{cidr("10.96.0.0/12"), cidr("fd00::/108"), cidr("10.112.0.0/16")});
  CHECK_FALSE(parse({"--service-cidr=10.96.0.0/12,"}).has_value());
}

TEST_CASE("The arguments of upstream's manifest mean what they mean there", "[flanneld]") {
  const auto options = parse({"--ip-masq", "--kube-subnet-mgr", "--healthz-port=8081", "-iface", "eth0",
                              "--iface=eth1", "--iface-regex=192\\.168\\..*", "-v=4"},
                             {{"NODE_NAME", "edge-1"}});
  REQUIRE(options.has_value());
  CHECK(options->ip_masq);
  CHECK(options->kube_subnet_mgr);
  CHECK(options->healthz_port == 8081);
  CHECK(options->healthz_ip == ip("0.0.0.0"));
  CHECK(options->underlay.interfaces == std::vector<std::string>{"eth0", "eth1"});
  CHECK(options->underlay.patterns == std::vector<std::string>{"192\\.168\\..*"});
  CHECK(options->node_name == "edge-1");
  CHECK(options->iptables_forward_rules);
  CHECK(options->iptables_resync == std::chrono::seconds(5));
  CHECK(options->subnet_file == "/run/flannel/subnet.env");
  CHECK(options->source == SourceKind::kAuto);
}

TEST_CASE("What the command line does not say may stand in the environment", "[flanneld]") {
  const auto options =
      parse({"--source=dir", "--no-masq-cidr=172.16.5.0/16"}, {{"FLANNELD_SOURCE", "crd"},
                                                               {"FLANNELD_IP_MASQ", "true"},
                                                               {"FLANNELD_PUBLIC_IP", "203.0.113.5"},
                                                               {"FLANNELD_ETCD_ENDPOINTS", "http://x"},
                                                               {"FLANNELD_NODE_NAME", "a"},
                                                               {"NODE_NAME", "b"}});
  REQUIRE(options.has_value());
  CHECK(options->source == SourceKind::kDir);
  CHECK(options->ip_masq);
  CHECK(options->underlay.public_ip == ip("203.0.113.5"));
  CHECK(options->node_name == "a");
  CHECK(options->no_masq_cidrs == std::vector<Cidr>{cidr("172.16.0.0/16")});
}

TEST_CASE("What cannot be served is told with the flag, the value and the cure", "[flanneld]") {
  struct Case {
    std::vector<std::string> arguments;
    const char* message;
  };
  const Case cases[] = {
      {{"--source=etcd"}, "--source 'etcd': is none of auto, crd, node, dir"},
      {{"--public-ip=fe80::1"}, "--public-ip 'fe80::1': is not an IPv4 address"},
      {{"--healthz-ip=localhost"}, "--healthz-ip 'localhost': is not an IP address"},
      {{"--subnet-file=subnet.env"}, "--subnet-file 'subnet.env': is not a path that begins with '/'"},
      {{"--iptables-resync=0"}, "--iptables-resync '0': is not a whole number from 1 to 86400"},
      {{"--no-masq-cidr=10.0.0.1"}, "--no-masq-cidr '10.0.0.1': is not a CIDR"},
      {{"--log-level=all"}, "--log-level 'all': is none of debug, info, warning, error"},
      {{"--etcd-endpoints=http://10.0.0.1:2379"},
       "--etcd-endpoints: leases in etcd are not served; use --kube-subnet-mgr, or --source=dir"},
      {{"--ip-masq=on"}, "--ip-masq 'on': is neither true nor false"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.message) {
      const auto options = parse(c.arguments);
      REQUIRE_FALSE(options.has_value());
      CHECK(options.error().message == c.message);
    }
  }
  CHECK_THAT(parse({"--iface-regex=("}).error().message,
             Catch::StartsWith("--iface-regex '(': is no regular expression"));
}

TEST_CASE("Help and version are answered whatever the environment holds", "[flanneld]") {
  CHECK(parse({"--help"}, {{"FLANNELD_SOURCE", "nonsense"}})->help);
  CHECK(parse({"-version"}, {{"FLANNELD_SOURCE", "nonsense"}})->version);
  for (const char* flag : {"--iface ", "--source ", "--healthz-port ", "--etcd-prefix ", "--version "}) {
    CHECK_THAT(options_help(), Catch::Contains(flag));
  }
}

}  // namespace
}  // namespace holdfast::flannel
