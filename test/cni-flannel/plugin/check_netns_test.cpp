// CHECK through the real program: it finds what is amiss and names it.
#include <filesystem>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

struct Damage {
  const char* name;
  std::string (*command)(const json& result);  ///< what a careless administrator types
  const char* message;                         ///< what CHECK says of it
};

const Damage kDamages[] = {
    {"the pod's interface is gone", [](const json&) { return std::string("ip -n c1 link delete eth0"); },
     "interface eth0 is not in /run/netns/c1"},
    {"the pod's interface is down", [](const json&) { return std::string("ip -n c1 link set eth0 down"); },
     "interface eth0 is down"},
    {"the pod's MAC is another",
     [](const json&) { return std::string("ip -n c1 link set eth0 address 02:00:00:00:00:07"); },
     "interface eth0 has MAC 02:00:00:00:00:07, not 0a:58:0a:f4:03:02"},
    {"the IPv4 address is gone",
     [](const json&) { return std::string("ip -n c1 address delete 10.244.3.2/24 dev eth0"); },
     "address 10.244.3.2/24 is not on eth0"},
    {"the IPv6 address is gone",
     [](const json&) { return std::string("ip -n c1 address delete fd00:0:0:3::2/64 dev eth0"); },
     "address fd00:0:0:3::2/64 is not on eth0"},
    {"the default route is gone", [](const json&) { return std::string("ip -n c1 route delete default"); },
     "route 0.0.0.0/0 is not in the pod"},
    {"the route to the network is gone",
     [](const json&) { return std::string("ip -n c1 -6 route delete fd00::/48"); },
     "route fd00::/48 is not in the pod"},
    {"a route goes elsewhere",
     [](const json&) { return std::string("ip -n c1 route replace 10.244.0.0/16 via 10.244.3.77"); },
     "route 10.244.0.0/16 is not in the pod"},
    {"the host's end is not at the bridge",
     [](const json& result) { return "ip link set " + host_link_of(result) + " nomaster"; },
     "is not a port of cni0"},
    {"the bridge is gone", [](const json&) { return std::string("ip link delete cni0"); },
     "bridge \"cni0\" is not there"},
    {"the bridge is down", [](const json&) { return std::string("ip link set cni0 down"); },
     "bridge \"cni0\" is down"},
    {"the bridge lacks its IPv4 address",
     [](const json&) { return std::string("ip address delete 10.244.3.1/24 dev cni0"); },
     "address 10.244.3.1/24 is not on cni0"},
    {"the bridge lacks its IPv6 address",
     [](const json&) { return std::string("ip address delete fd00:0:0:3::1/64 dev cni0"); },
     "address fd00:0:0:3::1/64 is not on cni0"},
    {"the address file is gone",
     [](const json&) {
       return std::string(
           "rm /var/lib/cni/networks/cbr0/10.244.3.2 "
           "/var/lib/cni/networks/cbr0/fd00:0:0:3::2");
     },
     "no address is allocated to c1 eth0"},
    {"the masquerade rules are gone",
     [](const json&) { return std::string("nft flush chain inet cni_plugins_masquerade masq_checks"); },
     "the ipMasq rules of c1 are not there"},
    {"one of the masquerade rules is gone",
     [](const json&) {
       return std::string(
           "nft delete rule inet cni_plugins_masquerade masq_checks handle "
           "$(nft -a list chain inet cni_plugins_masquerade masq_checks | sed -n 's/.*ip6 saddr.*handle "
           "//p')");
     },
     "the ipMasq rules of c1 are not there"},
    {"nothing leads to the masquerade rules",
     [](const json&) { return std::string("nft flush chain inet cni_plugins_masquerade postrouting"); },
     "the ipMasq rules of c1 are not there"},
    {"the MAC check is gone",
     [](const json&) { return std::string("nft flush chain bridge nat PREROUTING"); },
     "the macspoofchk rules of c1 are not there"},
};

TEST_CASE_METHOD(PluginHost, "CHECK finds what is amiss with a pod and names it", "[check]") {
  write_lease(kLeaseDual);
  conf["delegate"]["ipMasq"] = true;
  conf["delegate"]["macspoofchk"] = true;
  for (const Damage& damage : kDamages) {
    DYNAMIC_SECTION(damage.name) {
      const Sandbox pod = start_sandbox("c1");
      const json result = add(pod);
      succeed(check_call(pod, result));
      output_of(damage.command(result));
      const json error = refused(check_call(pod, result));
      CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains(damage.message));
      CHECK(error.at("code") == 105);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "CHECK finds that a masquerade rule of iptables is gone", "[check]") {
  struct Gone {
    const char* name;
    const char* program;
    const char* rule;  ///< what iptables-save shows of it alone
  };
  const Gone all[] = {
      {"the jump", "iptables", "-A POSTROUTING"},
      {"the way inside", "iptables", "-j ACCEPT"},
      {"the way outside", "iptables", "-j MASQUERADE"},
      {"the jump of IPv6", "ip6tables", "-A POSTROUTING"},
      {"the way outside of IPv6", "ip6tables", "-j MASQUERADE"},
  };
  write_lease(kLeaseDual);
  conf["delegate"]["ipMasq"] = true;
  conf["delegate"]["ipMasqBackend"] = "iptables";
  for (const Gone& gone : all) {
    DYNAMIC_SECTION(gone.name) {
      const Sandbox pod = start_sandbox("c1");
      const json result = add(pod);
      succeed(check_call(pod, result));
      const std::string program = gone.program;
      output_of(program + "-save -t nat | grep -v -e '" + gone.rule + "' | " + program + "-restore");
      const json error = refused(check_call(pod, result));
      CHECK(error.at("msg") == "the ipMasq rules of c1 are not there");
      CHECK(error.at("code") == 105);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "CHECK needs iptables for the rules of iptables only", "[check]") {
  conf["delegate"]["ipMasq"] = true;
  const bool by_iptables = GENERATE(true, false);
  if (by_iptables) conf["delegate"]["ipMasqBackend"] = "iptables";
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  output_of("mount --bind /dev/null /usr/sbin/iptables");  // it may not be executed then
  if (by_iptables) {
    CHECK(refused(check_call(pod, result)).at("msg") ==
          "iptables is not installed; use ipMasqBackend nftables");
  } else {
    succeed(check_call(pod, result));
    output_of("nft flush chain inet cni_plugins_masquerade masq_checks");
    CHECK(refused(check_call(pod, result)).at("msg") == "the ipMasq rules of c1 are not there");
  }
}

TEST_CASE_METHOD(PluginHost, "CHECK changes nothing", "[check]") {
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  output_of("ip -n c1 address delete 10.244.3.2/24 dev eth0");
  const Holdings held = holdings();
  refused(check_call(pod, result));
  CHECK(holdings() == held);
  CHECK(addresses_in(pod).empty());
}

TEST_CASE_METHOD(PluginHost, "CHECK of a container that was never added, or has been deleted, is code 3",
                 "[check]") {
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  const Sandbox other = start_sandbox("c2", "other");
  CHECK(refused(check_call(other, result)).at("code") == 3);
  succeed(call("DEL", pod));
  CHECK(refused(check_call(pod, result)).at("code") == 3);
}

TEST_CASE_METHOD(PluginHost, "CHECK without prevResult is refused: it has nothing to compare with",
                 "[check]") {
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  const json error = refused(call("CHECK", pod));
  CHECK(error.at("code") == 7);
  CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains("prevResult is missing"));
}

}  // namespace
}  // namespace holdfast::test
