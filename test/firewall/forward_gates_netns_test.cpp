#include "common/firewall/forward_gates.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::firewall {
namespace {

using test::output_of;

struct Gates : test::FreshNetns {
  Gates() {
    output_of("ip link add cni0 type bridge");
    output_of("ip link add flannel.1 type bridge");
  }
  static void rules(const std::string& text) { output_of("nft '" + text + "'"); }
  static std::vector<std::string> told() { return forward_gates({"cni0", "flannel.1"}).value(); }
};

TEST_CASE_METHOD(Gates, "A chain of nftables that drops what is forwarded is told, unless it knows our links",
                 "[firewall]") {
  CHECK(told().empty());
  rules(
      "table inet site { chain out { type filter hook output priority 0; policy drop; }\n"
      "chain loose { type filter hook forward priority 0; policy accept; drop; }\n"
      "chain known { iifname cni0 accept; }; }");
  CHECK(told().empty());
  rules("add chain inet site through { type filter hook forward priority 5; policy drop; }");
  REQUIRE(told().size() == 1);
  CHECK_THAT(told().front(), Catch::StartsWith("the chain inet site through of nftables drops") &&
                                 Catch::Contains("none of its table names flannel.1:"));
  rules("add rule inet site known oifname flannel.1 accept");
  CHECK(told().empty());
  rules("table ip6 tight { chain through { type filter hook forward priority 5; policy drop; }; }");
  REQUIRE(told().size() == 1);
  CHECK_THAT(told().front(), Catch::Contains("ip6 tight through") && Catch::Contains("cni0 flannel.1"));
}

TEST_CASE_METHOD(Gates, "The policy of iptables' own FORWARD is others' to tell", "[firewall]") {
  output_of("iptables-nft -P FORWARD DROP");
  CHECK(told().empty());
}

// The shape of firewalld 1.3: a reject at the end, and a chain for each of its zones.
TEST_CASE_METHOD(Gates, "Of firewalld the reject behind its zones is told, and the cure for what is in none",
                 "[firewall]") {
  rules(
      "table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; policy accept;\n"
      "ct state established,related accept; jump filter_FORWARD_ZONES; reject with icmpx "
      "admin-prohibited; }\n"
      "chain filter_FORWARD_ZONES { iifname cni0 goto filter_FWD_trusted; }\n"
      "chain filter_FWD_trusted { accept; }\n"
      "chain mangle_FORWARD { type filter hook forward priority -140; policy accept; }; }");
  REQUIRE(told().size() == 1);
  CHECK_THAT(told().front(), Catch::StartsWith("firewalld refuses") &&
                                 Catch::Contains("--zone=trusted --add-interface=flannel.1,"));
  rules("add rule inet firewalld filter_FORWARD_ZONES iifname flannel.1 goto filter_FWD_trusted");
  CHECK(told().empty());
}

}  // namespace
}  // namespace holdfast::firewall
