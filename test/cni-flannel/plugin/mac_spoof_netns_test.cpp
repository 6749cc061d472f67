#include "cni-flannel/plugin/mac_spoof.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

const MacAddress kMac({0x02, 0, 0, 0, 0, 0x09});
const RuleOwner kOne{"cbr0", "one", "eth0"};
const RuleOwner kTwo{"cbr0", "two", "eth0"};

struct Kernel {
  test::FreshNetns netns;
  nl::Socket nft = nl::Socket::open(nl::Protocol::kNetfilter).value();
};

std::string rule_set() { return test::output_of("nft list ruleset"); }

// What upstream's plugins 1.9 hand to nft for container "one".
constexpr const char* kUpstream =
    "add table bridge nat;"
    "add chain bridge nat PREROUTING { type filter hook prerouting priority -300; policy accept; };"
    "add chain bridge nat cni-br-iface-one-eth0;"
    "add chain bridge nat cni-br-iface-one-eth0-mac;"
    "add rule bridge nat PREROUTING iifname vethone jump cni-br-iface-one-eth0 comment "
    "\"macspoofchk-one-eth0\";"
    "add rule bridge nat cni-br-iface-one-eth0 jump cni-br-iface-one-eth0-mac comment "
    "\"macspoofchk-one-eth0\";"
    "add rule bridge nat cni-br-iface-one-eth0-mac ether saddr 02:00:00:00:00:09 return comment "
    "\"macspoofchk-one-eth0\";"
    "add rule bridge nat cni-br-iface-one-eth0-mac drop comment \"macspoofchk-one-eth0\";";

void run_upstream() { test::output_of("nft '" + std::string(kUpstream) + "'"); }

TEST_CASE_METHOD(Kernel, "The MAC check is the one that upstream makes, however often it is put",
                 "[plugin]") {
  const std::string upstream = [] {
    const test::FreshNetns other;
    run_upstream();
    return rule_set();
  }();
  for (int time = 0; time < 2; ++time) {
    REQUIRE(put_mac_spoof_check(nft, kOne, "vethone", kMac).has_value());
    CHECK(rule_set() == upstream);
    CHECK(has_mac_spoof_check(nft, kOne).value());
  }
}

TEST_CASE_METHOD(Kernel, "Dropping a MAC check takes its own chains and jump only, and repeats", "[plugin]") {
  REQUIRE(put_mac_spoof_check(nft, kTwo, "vethtwo", kMac).has_value());
  const std::string two = rule_set();
  REQUIRE(put_mac_spoof_check(nft, kOne, "vethone", kMac).has_value());
  CHECK(rule_set() != two);
  CHECK(drop_mac_spoof_check(nft, kOne).has_value());
  CHECK(rule_set() == two);
  CHECK_FALSE(has_mac_spoof_check(nft, kOne).value());
  CHECK(has_mac_spoof_check(nft, kTwo).value());
  CHECK(drop_mac_spoof_check(nft, kOne).has_value());
}

TEST_CASE_METHOD(Kernel, "A MAC check that upstream made is dropped", "[plugin]") {
  run_upstream();
  CHECK(has_mac_spoof_check(nft, kOne).value());
  CHECK(drop_mac_spoof_check(nft, kOne).has_value());
  CHECK(rule_set().find("one") == std::string::npos);
}

TEST_CASE_METHOD(Kernel, "Dropping a MAC check that was never put leaves nothing", "[plugin]") {
  CHECK(drop_mac_spoof_check(nft, kOne).has_value());
  CHECK(rule_set().empty());
}

TEST_CASE_METHOD(Kernel, "A half-made MAC check is seen as missing and can be dropped", "[plugin]") {
  run_upstream();
  const char* damage = nullptr;
  SECTION("no jump") { damage = "nft flush chain bridge nat PREROUTING"; }
  SECTION("no rules") { damage = "nft flush chain bridge nat cni-br-iface-one-eth0-mac"; }
  SECTION("no chain") {
    damage =
        "nft 'flush chain bridge nat cni-br-iface-one-eth0; delete chain bridge nat "
        "cni-br-iface-one-eth0-mac'";
  }
  test::output_of(damage);
  CHECK_FALSE(has_mac_spoof_check(nft, kOne).value());
  CHECK(drop_mac_spoof_check(nft, kOne).has_value());
  CHECK(rule_set().find("one") == std::string::npos);
}

}  // namespace
}  // namespace holdfast::flannel
