// Both back ends of the firewall under one test, with flanneld's rules and beside a real flannel's.

#include <memory>

#include "cni-flannel/daemon/overlay_rules.h"
#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/golden_flannel.h"
#include "test/cni-flannel/daemon/overlay_peers.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

using firewall::Firewall;
using firewall::IptablesFirewall;
using firewall::NftablesFirewall;
using firewall::RuleSet;
using holdfast::test::bare_rules;
using holdfast::test::golden;
using holdfast::test::output_of;
using holdfast::test::replaced;
using test::cidr;

struct Host {
  holdfast::test::FreshNetns netns;
  nl::Socket socket = nl::Socket::open(nl::Protocol::kNetfilter).value();
  SystemExecutor executor;

  std::unique_ptr<Firewall> make(bool iptables) {
    if (iptables) return std::make_unique<IptablesFirewall>(executor);
    return std::make_unique<NftablesFirewall>(socket);
  }
};

OverlayRules rules_of(IpFamily family) {
  OverlayRules out;
  out.family = family;
  out.ranges = family == IpFamily::kV4 ? OverlayRules::Ranges{cidr("10.244.0.0/16"), cidr("10.244.2.0/24")}
                                       : OverlayRules::Ranges{cidr("fd00::/48"), cidr("fd00:0:0:2::/64")};
  out.masquerade = true;
  return out;
}

/// All rules of both kinds and families.
std::string everything() {
  return bare_rules(
      output_of("iptables-save; ip6tables-save; nft list table ip flannel-ipv4 2>&1; nft list table ip6 "
                "flannel-ipv6 2>&1; true"));
}

TEST_CASE_METHOD(Host, "In iptables mode the rules are a real flannel's, to the line", "[flanneld]") {
  IptablesFirewall firewall(executor);
  REQUIRE(firewall.put(overlay_rule_set(rules_of(IpFamily::kV4))).has_value());
  CHECK(bare_rules(output_of("iptables-save -t filter; iptables-save -t nat")) ==
        bare_rules(golden("ipt/nodea.iptables-save.txt")));
}

TEST_CASE_METHOD(
    Host, "In nftables mode the rules are a real flannel's, but for its two that differ from iptables mode",
    "[flanneld]") {
  NftablesFirewall firewall(socket);
  OverlayRules rules = rules_of(IpFamily::kV4);
  rules.ranges->subnet = cidr("10.244.0.0/24");
  REQUIRE(firewall.put(overlay_rule_set(rules)).has_value());
  OverlayRules unused;
  unused.family = IpFamily::kV6;
  REQUIRE(firewall.put(overlay_rule_set(unused)).has_value());
  std::string wanted = golden("nft/nodea.nft-ruleset.txt");
  wanted = replaced(wanted, "meta mark 0x00004000 return", "meta mark & 0x00004000 == 0x00004000 return");
  wanted = replaced(wanted, "ip saddr != 10.244.0.0/24 ip daddr 10.244.0.0/16 return",
                    "ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/24 return");
  CHECK(bare_rules(output_of("nft list ruleset")) == bare_rules(wanted));
}

TEST_CASE_METHOD(Host, "Both back ends keep what Firewall promises", "[flanneld]") {
  // what others have, which nobody may touch
  output_of(
      "iptables -w -P FORWARD DROP && iptables -w -A FORWARD -s 192.0.2.0/24 -j ACCEPT && "
      "iptables -w -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE && iptables -w -N FLANNEL-FWD2 && "
      "nft add table ip other && nft add chain ip other c && "
      "ip6tables -w -P FORWARD ACCEPT && ip6tables -w -t nat -P POSTROUTING ACCEPT");
  for (const bool iptables : {true, false}) {
    for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
      DYNAMIC_SECTION((iptables ? "iptables" : "nftables") << (family == IpFamily::kV4 ? " IPv4" : " IPv6")) {
        const std::unique_ptr<Firewall> firewall = make(iptables);
        const RuleSet set = overlay_rule_set(rules_of(family));
        REQUIRE(firewall->clean(set).has_value());  // makes iptables' own tables
        const std::string before = everything();
        CHECK_FALSE(firewall->is_whole(set).value());

        REQUIRE(firewall->put(set).has_value());
        CHECK(firewall->is_whole(set).value());
        const std::string there = everything();
        CHECK(there != before);
        REQUIRE(firewall->put(set).has_value());
        CHECK(firewall->is_whole(set).value());
        CHECK(everything() == there);

        // a daemon that starts again finds the same, or makes it so without a difference
        const std::unique_ptr<Firewall> restarted = make(iptables);
        CHECK(restarted->is_whole(set).value() == iptables);
        REQUIRE(restarted->put(set).has_value());
        CHECK(everything() == there);

        // other ranges take the place of these
        OverlayRules moved = rules_of(family);
        moved.ranges->subnet = family == IpFamily::kV4 ? cidr("10.244.9.0/24") : cidr("fd00:0:0:9::/64");
        moved.no_masquerade = {cidr("172.16.0.0/16"), cidr("fd77::/48")};
        CHECK_FALSE(firewall->is_whole(overlay_rule_set(moved)).value());
        REQUIRE(firewall->put(overlay_rule_set(moved)).has_value());
        CHECK(firewall->is_whole(overlay_rule_set(moved)).value());
        REQUIRE(firewall->put(set).has_value());
        CHECK(everything() == there);

        // a chain that is not wanted any more goes
        OverlayRules less = rules_of(family);
        less.masquerade = false;
        REQUIRE(firewall->put(overlay_rule_set(less)).has_value());
        CHECK(firewall->is_whole(overlay_rule_set(less)).value());
        CHECK(everything().find("asquerade fully-random") == std::string::npos);
        CHECK(everything().find("FLANNEL-POSTRTG") == std::string::npos);

        REQUIRE(firewall->put(set).has_value());
        REQUIRE(firewall->clean(set).has_value());
        CHECK(everything() == before);
        REQUIRE(firewall->clean(set).has_value());
        CHECK(everything() == before);
      }
    }
  }
}

/// Undoes what iptables-restore has done, right after it.
class Saboteur final : public Executor {
 public:
  Result<CommandResult> run(const Command& command) override {
    Result<CommandResult> done = system_.run(command);
    if (armed && command.argv[0].ends_with("-restore")) output_of("iptables -w -t nat -F FLANNEL-POSTRTG");
    return done;
  }
  bool armed = true;

 private:
  SystemExecutor system_;
};

TEST_CASE_METHOD(Host, "What somebody undoes while it is put is not taken for what was put", "[flanneld]") {
  Saboteur saboteur;
  IptablesFirewall firewall(saboteur);
  const RuleSet set = overlay_rule_set(rules_of(IpFamily::kV4));
  CHECK(firewall.put(set).error().code == Code::kAborted);
  CHECK_FALSE(firewall.is_whole(set).value());
  saboteur.armed = false;
  REQUIRE(firewall.put(set).has_value());
  CHECK(firewall.is_whole(set).value());
}

TEST_CASE_METHOD(Host, "What others do to our rules is seen and mended", "[flanneld]") {
  struct Case {
    bool iptables;
    const char* command;
  };
  const Case cases[] = {
      {true, "iptables -w -t nat -F FLANNEL-POSTRTG"},
      {true, "iptables -w -t nat -D FLANNEL-POSTRTG 3"},
      {true, "iptables -w -t nat -I FLANNEL-POSTRTG -j RETURN"},
      {true, "iptables -w -t nat -D POSTROUTING 1"},
      {true, "iptables -w -F FORWARD"},
      {true, "iptables -w -A FORWARD -m comment --comment 'flanneld forward' -j FLANNEL-FWD"},
      {true, "iptables -w -F FORWARD && iptables -w -A FORWARD -s 10.1.1.0/24 -j FLANNEL-FWD"},
      {true, "iptables -w -F && iptables -w -X && iptables -w -t nat -F && iptables -w -t nat -X"},
      {false, "nft flush chain ip flannel-ipv4 postrtg"},
      {false, "nft insert rule ip flannel-ipv4 forward drop"},
      {false, "nft delete table ip flannel-ipv4"},
      {false, "nft flush ruleset"},
      {false, "nft delete chain ip flannel-ipv4 forward"},
      {false,
       "nft replace rule ip flannel-ipv4 forward handle $(nft -a list chain ip flannel-ipv4 forward | "
       "sed -n 's/.*daddr.*handle //p') drop"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.command) {
      const std::unique_ptr<Firewall> firewall = make(c.iptables);
      const RuleSet set = overlay_rule_set(rules_of(IpFamily::kV4));
      REQUIRE(firewall->put(set).has_value());
      const std::string there = everything();
      output_of(c.command);
      CHECK_FALSE(firewall->is_whole(set).value());
      REQUIRE(firewall->put(set).has_value());
      CHECK(firewall->is_whole(set).value());
      CHECK(everything() == there);
    }
  }
}

TEST_CASE_METHOD(Host, "A chain of our name in another place does not stop us", "[flanneld]") {
  output_of(
      "nft add table ip flannel-ipv4 && nft 'add chain ip flannel-ipv4 postrtg { type nat hook prerouting "
      "priority 0; }'");
  NftablesFirewall firewall(socket);
  const RuleSet set = overlay_rule_set(rules_of(IpFamily::kV4));
  REQUIRE(firewall.put(set).has_value());
  CHECK(firewall.is_whole(set).value());
}

TEST_CASE_METHOD(Host, "Going from a real flannel's rules to the other mode leaves none of them",
                 "[flanneld]") {
  SECTION("from iptables") {
    output_of("iptables-restore < " HOLDFAST_FIXTURES "/golden-flannel/ipt/nodea.iptables-save.txt");
    REQUIRE(IptablesFirewall(executor).clean(overlay_rule_set(rules_of(IpFamily::kV4))).has_value());
    CHECK(output_of("iptables-save").find("FLANNEL") == std::string::npos);
  }
  SECTION("from nftables") {
    output_of("nft -f " HOLDFAST_FIXTURES "/golden-flannel/nft/nodea.nft-ruleset.txt");
    REQUIRE(NftablesFirewall(socket).clean(overlay_rule_set(rules_of(IpFamily::kV4))).has_value());
    REQUIRE(NftablesFirewall(socket).clean(overlay_rule_set(rules_of(IpFamily::kV6))).has_value());
    CHECK(output_of("nft list ruleset").empty());
  }
}

/// Of flannel before version 0.20, which had no chains; and one that is somebody else's.
void put_rules_of_old_flannel(const std::string& program) {
  output_of(program +
            " -w -t nat -A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment 'flanneld "
            "masq' -j RETURN && " +
            program +
            " -w -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment 'flanneld "
            "masq' -j MASQUERADE && " +
            program +
            " -w -t nat -A POSTROUTING -s 10.244.0.0/16 -d 10.9.0.0/16 -m comment --comment flanneld -j "
            "RETURN && " +
            program + " -w -A FORWARD -s 10.244.0.0/16 -m comment --comment 'flanneld forward' -j ACCEPT");
}

std::string lines_with(const std::string& word, const std::string& command) {
  return output_of(command + " | grep -- '" + word + "' || true");
}

TEST_CASE_METHOD(Host, "An old flannel's rules make way for ours, and another's of the same chain stay",
                 "[flanneld]") {
  const RuleSet set = overlay_rule_set(rules_of(IpFamily::kV4));
  IptablesFirewall firewall(executor);
  REQUIRE(firewall.put(set).has_value());
  const std::string ours = lines_with("comment .flanneld ", "iptables-save");
  put_rules_of_old_flannel("iptables");
  CHECK_FALSE(firewall.is_whole(set).value());
  REQUIRE(firewall.put(set).has_value());
  CHECK(firewall.is_whole(set).value());
  CHECK(lines_with("comment .flanneld ", "iptables-save") == ours);
  CHECK_FALSE(lines_with("comment flanneld ", "iptables-save").empty());
  put_rules_of_old_flannel("iptables");
  REQUIRE(firewall.clean(set).has_value());
  CHECK(lines_with("comment .flanneld ", "iptables-save").empty());
}

TEST_CASE_METHOD(Host,
                 "What the other iptables has of flannel goes, old or new; an accept that nothing else could "
                 "replace stays",
                 "[flanneld]") {
  const RuleSet set = overlay_rule_set(rules_of(IpFamily::kV4));
  IptablesFirewall firewall(executor);
  REQUIRE(firewall.put(set).has_value());
  const std::string ours = output_of("iptables-save");
  const std::string other = output_of("iptables --version").find("nf_tables") != std::string::npos
                                ? "iptables-legacy"
                                : "iptables-nft";
  REQUIRE(firewall.clean_other(set).has_value());
  CHECK(output_of(other + "-save").empty());  // nothing was there, and nothing is made
  for (const bool drops : {false, true}) {
    DYNAMIC_SECTION((drops ? "FORWARD drops" : "FORWARD accepts")) {
      output_of(other + "-restore < " HOLDFAST_FIXTURES "/golden-flannel/ipt/nodea.iptables-save.txt");
      put_rules_of_old_flannel(other);
      if (drops) output_of(other + " -w -P FORWARD DROP");
      REQUIRE(firewall.clean_other(set).has_value());
      const std::string left = output_of(other + "-save");
      CHECK(left.find("flanneld masq") == std::string::npos);
      CHECK(left.find("FLANNEL-POSTRTG") == std::string::npos);
      CHECK((left.find("FLANNEL-FWD") != std::string::npos) == drops);
      CHECK(left.find("comment flanneld ") != std::string::npos);
      CHECK(bare_rules(output_of("iptables-save")) == bare_rules(ours));
    }
  }
}

TEST_CASE_METHOD(Host, "A real flannel's rules of the same mode are whole, or replaced in one go",
                 "[flanneld]") {
  const RuleSet set = overlay_rule_set(rules_of(IpFamily::kV4));
  output_of("iptables-restore < " HOLDFAST_FIXTURES "/golden-flannel/ipt/nodea.iptables-save.txt");
  CHECK(IptablesFirewall(executor).is_whole(set).value());
  output_of("nft -f " HOLDFAST_FIXTURES "/golden-flannel/nft/nodea.nft-ruleset.txt");
  NftablesFirewall nftables(socket);
  REQUIRE(nftables.put(set).has_value());
  CHECK(nftables.is_whole(set).value());
}

}  // namespace
}  // namespace holdfast::flannel
