#include <vector>

#include "cni-flannel/plugin/masquerade.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

struct Kernel {
  test::FreshNetns netns;
  nl::Socket nft = nl::Socket::open(nl::Protocol::kNetfilter).value();
};

RuleOwner owner(const char* container, const char* ifname = "eth0", const char* network = "unit-test") {
  return {network, container, ifname};
}

std::vector<Cidr> addresses(std::initializer_list<const char*> texts) {
  std::vector<Cidr> out;
  for (const char* text : texts) out.push_back(Cidr::parse(text).value());
  return out;
}

std::string rule_set() { return test::output_of("nft list ruleset"); }

// What upstream's plugins 1.9 hand to nft for the same containers.
constexpr const char* kUpstreamLayout =
    "add table inet cni_plugins_masquerade { comment \"Masquerading for plugins from "
    "github.com/containernetworking/plugins\"; };"
    "add chain inet cni_plugins_masquerade masq_checks { comment \"Masquerade traffic from certain IPs to "
    "any "
    "(non-multicast) IP outside their subnet\"; };"
    "add chain inet cni_plugins_masquerade postrouting { type nat hook postrouting priority srcnat; };"
    "flush chain inet cni_plugins_masquerade postrouting;"
    "add rule inet cni_plugins_masquerade postrouting ip daddr == 224.0.0.0/4 return;"
    "add rule inet cni_plugins_masquerade postrouting ip6 daddr == ff00::/8 return;"
    "add rule inet cni_plugins_masquerade postrouting goto masq_checks;";

std::string upstream_rule(const std::string& match, const std::string& comment) {
  return "add rule inet cni_plugins_masquerade masq_checks " + match + " masquerade comment \"" + comment +
         "\";";
}

std::string made_by_upstream(const std::string& rules) {
  const test::FreshNetns other;
  test::output_of("nft '" + (kUpstreamLayout + rules) + "'");
  return rule_set();
}

TEST_CASE_METHOD(Kernel, "The rules of two containers are those that upstream makes", "[plugin]") {
  REQUIRE(put_masquerade(nft, owner("one"), addresses({"192.168.1.1/24", "fd00:3::7/64"})).has_value());
  REQUIRE(put_masquerade(nft, owner("two"), addresses({"192.168.1.2/24"})).has_value());
  const std::string one = "6fd94d501e58f0aa-287fc69eff0574a2, net: unit-test, if: eth0, id: one";
  const std::string two = "6fd94d501e58f0aa-d750b2c8f0f25d5f, net: unit-test, if: eth0, id: two";
  CHECK(rule_set() ==
        made_by_upstream(upstream_rule("ip saddr == 192.168.1.1 ip daddr != 192.168.1.0/24", one) +
                         upstream_rule("ip6 saddr == fd00:3::7 ip6 daddr != fd00:3::/64", one) +
                         upstream_rule("ip saddr == 192.168.1.2 ip daddr != 192.168.1.0/24", two)));
}

TEST_CASE_METHOD(Kernel, "Rules are put once however often, and count tells", "[plugin]") {
  const auto both = addresses({"192.168.1.1/24", "fd00:3::7/64"});
  CHECK(count_masquerade(nft, owner("one")).value() == 0);
  REQUIRE(put_masquerade(nft, owner("one"), both).has_value());
  const std::string once = rule_set();
  REQUIRE(put_masquerade(nft, owner("one"), both).has_value());
  CHECK(rule_set() == once);
  CHECK(count_masquerade(nft, owner("one")).value() == 2);
  CHECK(count_masquerade(nft, owner("one", "eth1")).value() == 0);
}

TEST_CASE_METHOD(Kernel, "The rules are there when every address has one and packets come by", "[plugin]") {
  const auto both = addresses({"192.168.1.1/24", "fd00:3::7/64"});
  CHECK_FALSE(has_masquerade(nft, owner("one"), both).value());
  REQUIRE(put_masquerade(nft, owner("one"), std::span(both).first(1)).has_value());
  CHECK_FALSE(has_masquerade(nft, owner("one"), both).value());
  REQUIRE(put_masquerade(nft, owner("one"), both).has_value());
  CHECK(has_masquerade(nft, owner("one"), both).value());
  CHECK_FALSE(has_masquerade(nft, owner("two"), both).value());
  SECTION("no packet comes by") {
    test::output_of("nft flush chain inet cni_plugins_masquerade postrouting");
    CHECK_FALSE(has_masquerade(nft, owner("one"), both).value());
  }
  SECTION("upstream's way to the rules is as good") {
    test::output_of(std::string("nft '") + kUpstreamLayout + "'");
    CHECK(has_masquerade(nft, owner("one"), both).value());
  }
}

TEST_CASE_METHOD(Kernel, "An address that another container took over is dropped for its old owner only",
                 "[plugin]") {
  REQUIRE(put_masquerade(nft, owner("old"), addresses({"192.168.1.1/24"})).has_value());
  REQUIRE(put_masquerade(nft, owner("new"), addresses({"192.168.1.1/24"})).has_value());
  CHECK(drop_masquerade(nft, owner("old")).has_value());
  CHECK(count_masquerade(nft, owner("old")).value() == 0);
  CHECK(count_masquerade(nft, owner("new")).value() == 1);
  CHECK(drop_masquerade(nft, owner("old")).has_value());
}

TEST_CASE_METHOD(Kernel, "Dropping a masquerade that was never put leaves nothing", "[plugin]") {
  CHECK(drop_masquerade(nft, owner("one")).has_value());
  CHECK(collect_masquerade(nft, "unit-test", {}).value() == 0);
  CHECK(rule_set().empty());
}

TEST_CASE_METHOD(Kernel, "What upstream made is dropped", "[plugin]") {
  test::output_of("nft '" +
                  (kUpstreamLayout + upstream_rule("ip saddr == 192.168.1.1 ip daddr != 192.168.1.0/24",
                                                   masquerade_comment(owner("one")))) +
                  "'");
  CHECK(count_masquerade(nft, owner("one")).value() == 1);
  CHECK(drop_masquerade(nft, owner("one")).has_value());
  CHECK(count_masquerade(nft, owner("one")).value() == 0);
}

TEST_CASE_METHOD(Kernel, "Collecting takes one network's rules that no valid attachment owns", "[plugin]") {
  for (const char* container : {"one", "two", "three"}) {
    REQUIRE(put_masquerade(nft, owner(container), addresses({"192.168.1.1/24"})).has_value());
  }
  REQUIRE(put_masquerade(nft, owner("one", "eth1"), addresses({"192.168.1.4/24"})).has_value());
  REQUIRE(put_masquerade(nft, owner("one", "eth0", "other"), addresses({"10.1.0.1/24"})).has_value());
  test::output_of("nft add rule inet cni_plugins_masquerade masq_checks ip saddr 10.9.9.9 accept");

  const RuleOwner valid[] = {owner("two", "eth0", ""), owner("never-there", "eth0", "")};
  CHECK(collect_masquerade(nft, "unit-test", valid).value() == 3);
  CHECK(count_masquerade(nft, owner("two")).value() == 1);
  CHECK(count_masquerade(nft, owner("one")).value() == 0);
  CHECK(count_masquerade(nft, owner("one", "eth1")).value() == 0);
  CHECK(count_masquerade(nft, owner("one", "eth0", "other")).value() == 1);
  CHECK(rule_set().find("10.9.9.9") != std::string::npos);
  CHECK(collect_masquerade(nft, "unit-test", valid).value() == 0);
}

}  // namespace
}  // namespace holdfast::flannel
