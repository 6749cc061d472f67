// Both back ends of the firewall under one test: what a router's rules need. What else they promise is tested
// with the rules of their first user, in cni-flannel/daemon.

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/firewall/back_end.h"
#include "common/firewall/firewall.h"
#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"
#include "common/firewall/rule_keeper.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::firewall {
namespace {

using test::output_in;
using test::output_of;

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
IpAddress address(const char* text) { return IpAddress::parse(text).value(); }
AddressMatch in(const char* text) { return {cidr(text), false}; }

/// One rule of each kind, in every hook.
RuleSet every_kind(IpFamily family) {
  const bool v4 = family == IpFamily::kV4;
  const AddressMatch own{cidr(v4 ? "10.244.0.0/16" : "fd00::/48"), false,
                         address(v4 ? "255.255.0.254" : "ffff:ffff:ffff::ffff:ffff:ffff:fffe")};
  const AddressMatch pods = in(v4 ? "10.244.0.0/16" : "fd00::/48");
  const LinkMatch tunnels{"wg", true};
  const LinkMatch edge{"eth0"};
  RuleSet set;
  set.family = family;
  set.nft_table = "try";
  Chain raw{Hook::kRaw, true, {}, "TRY-RAW", "try raw", "raw", ""};
  raw.rules = {{.source = own, .target = Target::kReturn, .in_link = edge, .counted = true},
               {.destination = pods, .target = Target::kUntrack, .in_link = tunnels, .counted = true}};
  Chain mangle{Hook::kMangle, true, {}, "TRY-MSS", "try mss", "mss", ""};
  mangle.rules = {{.target = Target::kClampMss, .out_link = tunnels}, {.target = Target::kClampMss}};
  Chain input{Hook::kInput, true, {}, "TRY-IN", "try input", "input", ""};
  input.rules = {{.source = in(v4 ? "192.0.2.0/24" : "2001:db8::/32"),
                  .target = Target::kDrop,
                  .connection = ConnectionMatch::kNew,
                  .counted = true},
                 {.target = Target::kReturn, .in_link = LinkMatch{"lo"}, .counted = true},
                 {.source = pods,
                  .target = Target::kAccept,
                  .in_link = tunnels,
                  .udp_port = 3784,
                  .connection = ConnectionMatch::kNew,
                  .counted = true}};
  Chain forward{Hook::kForward, true, {}, "TRY-FWD", "try forward", "forward", ""};
  forward.rules = {{.target = Target::kAccept,
                    .in_link = tunnels,
                    .out_link = edge,
                    .connection = ConnectionMatch::kReply,
                    .counted = true},
                   {.destination = own, .target = Target::kRefuse, .in_link = tunnels, .counted = true},
                   {.destination = pods,
                    .target = Target::kAccept,
                    .in_link = tunnels,
                    .out_link = edge,
                    .icmp_type = icmp_error_types(family)[0],
                    .counted = true},
                   {.target = Target::kAccept, .icmp_type = icmp_error_types(family)[2]},
                   {.target = Target::kDrop, .counted = true}};
  Chain nat{Hook::kPostrouting, true, {}, "TRY-NAT", "try nat", "nat", ""};
  nat.rules = {{.source = own,
                .target = Target::kTranslateSource,
                .out_link = tunnels,
                .translation = address(v4 ? "10.9.8.7" : "fd99::7")}};
  Chain leaving{Hook::kLeaving, true, {}, "TRY-LEAVING", "try leaving", "leaving", ""};
  leaving.rules = {{.target = Target::kReturn, .out_link = edge, .counted = true},
                   {.destination = pods, .target = Target::kDrop, .counted = true}};
  Chain sent{Hook::kRawOwn, true, {}, "TRY-OWN", "try own", "own", ""};
  sent.rules = {{.destination = pods, .target = Target::kUntrack, .out_link = edge, .udp_port = 3784}};
  set.chains = {raw, mangle, input, forward, nat, leaving, sent};
  return set;
}

struct Case {
  bool iptables;
  IpFamily family;
  [[nodiscard]] std::string name() const {
    return std::string(iptables ? "iptables " : "nftables ") + (family == IpFamily::kV4 ? "IPv4" : "IPv6");
  }
};
const Case kCases[] = {
    {true, IpFamily::kV4}, {true, IpFamily::kV6}, {false, IpFamily::kV4}, {false, IpFamily::kV6}};

struct Host {
  holdfast::test::FreshNetns netns;
  nl::Socket socket = nl::Socket::open(nl::Protocol::kNetfilter).value();
  SystemExecutor executor;

  std::unique_ptr<Firewall> make(bool iptables) {
    if (iptables) return std::make_unique<IptablesFirewall>(executor);
    return std::make_unique<NftablesFirewall>(socket);
  }
};

TEST_CASE_METHOD(Host, "Every kind of rule is put, read back, changed and removed", "[firewall]") {
  for (const Case& c : kCases) {
    DYNAMIC_SECTION(c.name()) {
      const std::unique_ptr<Firewall> firewall = make(c.iptables);
      const RuleSet set = every_kind(c.family);
      const Status put = firewall->put(set);
      INFO((put ? std::string() : put.error().message));
      REQUIRE(put.has_value());
      CHECK(firewall->is_whole(set).value());
      // iptables spells every rule as we do, so that a program that starts again changes nothing
      CHECK(make(c.iptables)->is_whole(set).value() == c.iptables);
      const auto counts = firewall->read_counts(set).value();
      REQUIRE(counts.size() == set.chains.size());
      for (std::size_t i = 0; i < counts.size(); ++i) CHECK(counts[i].size() == set.chains[i].rules.size());

      RuleSet less = set;
      less.chains[3].rules.erase(less.chains[3].rules.begin());
      less.chains[1].wanted = false;
      CHECK_FALSE(firewall->is_whole(less).value());
      REQUIRE(firewall->put(less).has_value());
      CHECK(firewall->is_whole(less).value());
      CHECK(firewall->read_counts(less).value()[3].size() == 4);
      CHECK(firewall->read_counts(set).error().code == Code::kAborted);

      REQUIRE(firewall->clean(set).has_value());
      CHECK(firewall->read_chains(set).value().empty());
      CHECK(firewall->read_counts(set).error().code == Code::kAborted);
    }
  }
}

TEST_CASE_METHOD(Host, "What rules have met is counted, and counting makes them no others", "[firewall]") {
  output_of("ip link set lo up");
  for (const Case& c : kCases) {
    DYNAMIC_SECTION(c.name()) {
      const std::unique_ptr<Firewall> firewall = make(c.iptables);
      const RuleSet set = every_kind(c.family);
      REQUIRE(firewall->put(set).has_value());
      output_of(std::string("ping -c 3 -i 0.01 -q ") + (c.family == IpFamily::kV4 ? "127.0.0.1" : "::1"));
      CHECK(firewall->is_whole(set).value());
      const auto counts = firewall->read_counts(set).value();
      CHECK(counts[2][0] == RuleCount{});
      CHECK(counts[2][1].packets >= 6);  // requests and answers
      CHECK(counts[2][1].bytes >= counts[2][1].packets * 84);
      CHECK(counts[1][1] == RuleCount{});  // not asked for
      REQUIRE(firewall->put(set).has_value());
      CHECK(firewall->read_counts(set).value()[2][1] == RuleCount{});
    }
  }
}

TEST_CASE_METHOD(Host, "What is dropped on its way in is dropped whatever others accept", "[firewall]") {
  output_of("ip link set lo up");
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      RuleSet set;
      set.nft_table = "try";
      Chain input{Hook::kInput, true, {}, "TRY-IN", "try input", "input", ""};
      input.rules = {{.source = in("127.0.0.0/8"), .target = Target::kDrop, .counted = true}};
      set.chains = {input};
      const std::unique_ptr<Firewall> firewall = make(iptables);
      output_of("iptables -w -A INPUT -j ACCEPT");
      REQUIRE(firewall->put(set).has_value());
      CHECK_THROWS(output_of("ping -c 1 -W 1 -q 127.0.0.1"));
      output_of("iptables -w -I INPUT -j ACCEPT");
      // nftables' chains are met one after the other, and a drop of any counts
      CHECK(firewall->is_whole(set).value() == !iptables);
      REQUIRE(firewall->put(set).has_value());
      CHECK(firewall->is_whole(set).value());
      CHECK_THROWS(output_of("ping -c 1 -W 1 -q 127.0.0.1"));
      CHECK(firewall->read_counts(set).value()[0][0].packets > 0);
    }
  }
}

TEST_CASE_METHOD(Host,
                 "A chain of what is forwarded comes before the accepts of others, if it is to be first",
                 "[firewall]") {
  const bool first = GENERATE(true, false);
  RuleSet set;
  set.nft_table = "try";
  Chain forward{Hook::kForward, true, {{.target = Target::kDrop}}, "TRY-FWD", "try forward", "forward", ""};
  forward.first = first;
  set.chains = {forward};
  const auto leads = [] { return output_of("iptables -w -S FORWARD | sed -n 2p").find("TRY-FWD"); };
  IptablesFirewall firewall(executor);
  output_of("iptables -w -A FORWARD -j ACCEPT");
  REQUIRE(firewall.put(set).has_value());
  CHECK((leads() != std::string::npos) == first);
  output_of("iptables -w -I FORWARD -j ACCEPT");
  CHECK(firewall.is_whole(set).value() == !first);
  REQUIRE(firewall.put(set).has_value());
  CHECK(firewall.is_whole(set).value());
  CHECK((leads() != std::string::npos) == first);
  CHECK(output_of("iptables -w -S FORWARD | grep -c TRY-FWD") == "1\n");
}

TEST_CASE_METHOD(Host, "A set that a table refuses lets nothing through", "[firewall]") {
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      const std::unique_ptr<Firewall> firewall = make(iptables);
      RuleSet set = every_kind(IpFamily::kV4);
      set.chains[4].rules[0].translation = address("fd99::7");  // of the other family
      CHECK_FALSE(firewall->put(set).has_value());
      const auto there = firewall->read_chains(set).value();
      CHECK_FALSE(there.contains("TRY-FWD"));
      CHECK_FALSE(there.contains("forward"));
    }
  }
}

/// Asks a question before each program that it runs.
struct AskingExecutor final : Executor {
  std::function<void(const Command&)> before;
  SystemExecutor system;
  Result<CommandResult> run(const Command& command) override {
    if (before) before(command);
    return system.run(command);
  }
};

TEST_CASE_METHOD(Host, "Rules of the other back end go when ours stand, and not before", "[firewall]") {
  const std::vector<RuleSet> sets{every_kind(IpFamily::kV4)};
  IptablesFirewall iptables(executor);
  REQUIRE(iptables.put(sets.front()).has_value());
  const auto has_nftables = [&] {
    const auto chains = NftablesFirewall(socket).read_chains(sets.front());
    return chains && chains->contains("forward");
  };
  AskingExecutor asking;
  bool without = false;
  asking.before = [&](const Command&) {
    without = without || (!has_nftables() && !iptables.is_whole(sets.front()).value_or(false));
  };
  RuleKeeper keeper(BackEnd::kNftables, asking);
  std::vector<RuleSet> refused = sets;
  refused.front().chains[4].rules[0].translation = address("fd99::7");  // of the other family
  SECTION("what is refused leaves them") {
    CHECK_FALSE(keeper.look(refused).done.has_value());
    CHECK(iptables.is_whole(sets.front()).value());
  }
  REQUIRE(keeper.look(sets).done.has_value());
  CHECK_FALSE(without);
  CHECK(has_nftables());
  CHECK(output_of("iptables-save").find("TRY-") == std::string::npos);
}

TEST_CASE_METHOD(Host, "What somebody does to a rule of any hook is seen", "[firewall]") {
  struct Harm {
    bool iptables;
    const char* command;
  };
  const Harm harms[] = {
      {true, "iptables -w -t raw -F TRY-RAW"},
      {true, "iptables -w -t raw -F PREROUTING"},
      {true, "iptables -w -t raw -I OUTPUT -j ACCEPT"},
      {true, "iptables -w -t mangle -D TRY-MSS 1"},
      {true, "iptables -w -I TRY-FWD -j ACCEPT"},
      {true, "iptables -w -t nat -F TRY-NAT"},
      {true, "iptables -w -D INPUT 1"},
      {false, "nft flush chain ip try raw"},
      {false, "nft delete chain ip try mss"},
      {false, "nft insert rule ip try forward accept"},
      {false, "nft delete table ip try"},
  };
  for (const Harm& harm : harms) {
    DYNAMIC_SECTION(harm.command) {
      const std::unique_ptr<Firewall> firewall = make(harm.iptables);
      const RuleSet set = every_kind(IpFamily::kV4);
      REQUIRE(firewall->put(set).has_value());
      output_of(harm.command);
      CHECK_FALSE(firewall->is_whole(set).value());
      REQUIRE(firewall->put(set).has_value());
      CHECK(firewall->is_whole(set).value());
    }
  }
}

/// A trunk with the chains of that many links, which come and leave, and matches of several ranges.
RuleSet with_links(IpFamily family, unsigned links) {
  const bool v4 = family == IpFamily::kV4;
  AddressMatch pods = in(v4 ? "10.244.0.0/24" : "fd00::/64");
  pods.others = {cidr(v4 ? "10.245.0.0/24" : "fd01::/64"), cidr(v4 ? "10.246.0.0/24" : "fd02::/64")};
  AddressMatch cloud = in(v4 ? "172.16.0.0/24" : "fd10::/64");
  cloud.others = {cidr(v4 ? "172.17.0.0/24" : "fd11::/64")};
  RuleSet set;
  set.family = family;
  set.nft_table = "try";
  set.iptables_links = "TRY-LINK-";
  set.chains.push_back({Hook::kRaw, true, {}, "TRY-RAW", "try raw", "raw", ""});
  set.chains.back().rules = {{.source = pods, .target = Target::kUntrack}};
  set.chains.push_back({Hook::kForward, true, {}, "TRY-FWD", "try forward", "forward", ""});
  set.chains.back().first = true;
  set.chains.back().rules = {{.target = Target::kDrop, .counted = true}};
  for (unsigned i = 0; i < links; ++i) {
    const std::string link = "tun" + std::to_string(i);
    for (const ChainLink::Side side : {ChainLink::Side::kIn, ChainLink::Side::kOut}) {
      const bool is_in = side == ChainLink::Side::kIn;
      Chain chain{Hook::kForward,
                  true,
                  {},
                  (is_in ? "TRY-LINK-IN-" : "TRY-LINK-OUT-") + link,
                  "try forward",
                  (is_in ? "in-" : "out-") + link,
                  ""};
      chain.link = ChainLink{side, link};
      chain.rules = {{.source = is_in ? pods : cloud,
                      .destination = is_in ? cloud : pods,
                      .target = Target::kAccept,
                      .counted = true}};
      set.chains.push_back(chain);
    }
  }
  return set;
}

TEST_CASE_METHOD(Host, "Chains of links come and go with their trunk", "[firewall]") {
  for (const Case& c : kCases) {
    DYNAMIC_SECTION(c.name()) {
      const std::unique_ptr<Firewall> firewall = make(c.iptables);
      for (const unsigned links : {2U, 3U, 1U, 0U, 2U}) {
        const RuleSet set = with_links(c.family, links);
        const Status put = firewall->put(set);
        INFO(links << " links" << (put ? std::string() : ": " + put.error().message));
        REQUIRE(put.has_value());
        CHECK(firewall->is_whole(set).value());
        CHECK(make(c.iptables)->is_whole(set).value() == c.iptables);
        const ChainRules chains = firewall->read_chains(set).value();
        CHECK(std::ranges::count_if(chains, [](const auto& each) {
                return each.first.find("tun") != std::string::npos;
              }) == 2 * links);
        const auto counts = firewall->read_counts(set).value();
        REQUIRE(counts.size() == set.chains.size());
        for (const auto& each : counts) CHECK(each.size() == 1);
      }
      REQUIRE(make(c.iptables)->clean(with_links(c.family, 0)).has_value());
      const std::string left = output_of(!c.iptables                 ? "nft list ruleset"
                                         : c.family == IpFamily::kV4 ? "iptables-save"
                                                                     : "ip6tables-save");
      CHECK(left.find("tun") == std::string::npos);
      CHECK(left.find("TRY-") == std::string::npos);
    }
  }
}

TEST_CASE_METHOD(Host, "What somebody does to links' chains, and to what leads there, is seen",
                 "[firewall]") {
  struct Harm {
    bool iptables;
    const char* command;
  };
  const Harm harms[] = {
      {true, "iptables -w -F TRY-LINK-IN-tun0"},
      {true, "iptables -w -D TRY-FWD 1"},
      {true, "iptables -w -N TRY-LINK-IN-tun9"},
      {false, "nft flush chain ip try in-tun0"},
      {false, "nft delete element ip try in-forward { tun1 }"},
      {false, "nft add element ip try ranges-1 { 192.0.2.0/24 }"},
      {false, "nft add chain ip try another"},
  };
  for (const Harm& harm : harms) {
    DYNAMIC_SECTION(harm.command) {
      const std::unique_ptr<Firewall> firewall = make(harm.iptables);
      const RuleSet set = with_links(IpFamily::kV4, 2);
      REQUIRE(firewall->put(set).has_value());
      output_of(harm.command);
      CHECK_FALSE(firewall->is_whole(set).value());
      REQUIRE(firewall->put(set).has_value());
      CHECK(firewall->is_whole(set).value());
    }
  }
}

/// Routes between three machines, each behind a link of its own: 10.240.0.2 behind tun0, and so on.
struct Router : Host {
  std::vector<Fd> machines;

  Router() {
    output_of("sysctl -qw net.ipv4.ip_forward=1");
    for (unsigned i = 0; i < 3; ++i) add_machine(std::to_string(i));
  }
  void add_machine(const std::string& i) {
    machines.push_back(holdfast::test::new_netns());
    const int there = machines.back().get();
    output_of("ip link add tun" + i + " type veth peer name eth0 netns /proc/" + std::to_string(::getpid()) +
              "/fd/" + std::to_string(there));
    output_of("ip link set tun" + i + " up; ip addr add 10.24" + i + ".0.1/24 dev tun" + i);
    output_in(there, "ip link set eth0 up; ip addr add 10.24" + i +
                         ".0.2/24 dev eth0; ip route add default via 10.24" + i + ".0.1");
  }
  [[nodiscard]] bool reaches(unsigned from, unsigned to) const {
    const std::string command = "ping -c 1 -W 1 -q 10.24" + std::to_string(to) + ".0.2 || true";
    return output_in(machines[from].get(), command).find(" 0% packet loss") != std::string::npos;
  }
};

TEST_CASE_METHOD(Router, "A packet meets the chains of its own links, and then the trunk", "[firewall]") {
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      RuleSet set;
      set.nft_table = "try";
      set.iptables_links = "TRY-LINK-";
      set.chains.push_back({Hook::kForward, true, {}, "TRY-FWD", "try forward", "forward", ""});
      set.chains.back().rules = {{.target = Target::kDrop, .counted = true}};
      const AddressMatch first{cidr("10.240.0.0/24"), false, std::nullopt, {cidr("192.0.2.0/24")}};
      const AddressMatch second{cidr("10.241.0.0/24"), false, std::nullopt, {cidr("198.51.100.0/24")}};
      for (const ChainLink::Side side : {ChainLink::Side::kIn, ChainLink::Side::kOut}) {
        const bool is_in = side == ChainLink::Side::kIn;
        set.chains.push_back({Hook::kForward,
                              true,
                              {},
                              is_in ? "TRY-LINK-IN-tun0" : "TRY-LINK-OUT-tun0",
                              "try forward",
                              is_in ? "in-tun0" : "out-tun0",
                              ""});
        set.chains.back().link = ChainLink{side, "tun0"};
        set.chains.back().rules = {{.source = is_in ? first : second,
                                    .destination = is_in ? second : first,
                                    .target = Target::kAccept,
                                    .counted = true}};
      }
      const std::unique_ptr<Firewall> firewall = make(iptables);
      CHECK(reaches(0, 2));
      REQUIRE(firewall->put(set).has_value());
      CHECK(reaches(0, 1));
      CHECK(reaches(1, 0));
      CHECK_FALSE(reaches(0, 2));
      CHECK_FALSE(reaches(1, 2));
      const auto counts = firewall->read_counts(set).value();
      CHECK(counts[0][0].packets == 2);
      CHECK(counts[1][0].packets == 2);
      CHECK(counts[2][0].packets == 2);
    }
  }
}

/// As kubelet makes them at its start.
void start_kubelet(const std::string& variant) {
  for (const char* family : {"iptables", "ip6tables"}) {
    for (const char* chain : {"KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY"}) {
      output_of(family + variant + " -w -t mangle -N " + chain);
    }
  }
}

RuleSet one_chain(IpFamily family) {
  RuleSet set;
  set.family = family;
  set.nft_table = "try";
  set.chains = {
      {Hook::kForward, true, {{.target = Target::kAccept}}, "TRY-FWD", "try forward", "forward", ""}};
  return set;
}

bool has_ours(const std::string& program) { return output_of(program).find("TRY-FWD") != std::string::npos; }

TEST_CASE_METHOD(Host, "Rules of iptables land where kubelet's chains are, and go from where they are not",
                 "[firewall]") {
  for (const auto& [kubelets, other] : {std::pair<std::string, std::string>{"-nft", "-legacy"},
                                        std::pair<std::string, std::string>{"-legacy", "-nft"}}) {
    DYNAMIC_SECTION("kubelet has iptables" << kubelets) {
      const std::vector<RuleSet> sets{one_chain(IpFamily::kV4), one_chain(IpFamily::kV6)};
      // an earlier start's, when kubelet had not run
      IptablesFirewall before(executor, IptablesPrograms(executor, other));
      for (const RuleSet& set : sets) REQUIRE(before.put(set).has_value());
      start_kubelet(kubelets);
      const ChosenFirewall chosen = choose_firewall(BackEnd::kIptables, executor, sets).value();
      for (const RuleSet& set : sets) REQUIRE(chosen.firewall->put(set).has_value());
      REQUIRE(clean_others(chosen, sets).has_value());
      for (const RuleSet& set : sets) {
        const std::string family = set.family == IpFamily::kV4 ? "iptables" : "ip6tables";
        CHECK(chosen.firewall->is_whole(set).value());
        CHECK(has_ours(family + kubelets + "-save"));
        CHECK_FALSE(has_ours(family + other + "-save"));
        REQUIRE(chosen.firewall->clean(set).has_value());
        CHECK_FALSE(has_ours(family + kubelets + "-save"));
        CHECK(output_of(family + kubelets + "-save").find("KUBE-KUBELET-CANARY") != std::string::npos);
      }
    }
  }
}

struct Dropper {
  const char* program;
  IpFamily family;
};
const Dropper kDroppers[] = {{"iptables", IpFamily::kV4}, {"ip6tables", IpFamily::kV6}};

TEST_CASE_METHOD(Host,
                 "Accepts are where the FORWARD policy lets them count, also when that is set afterwards",
                 "[firewall]") {
  for (const Dropper& dropper : kDroppers) {
    const std::string policy = std::string(dropper.program) + " -w -P FORWARD ";
    const std::vector<RuleSet> sets{one_chain(IpFamily::kV4), one_chain(IpFamily::kV6)};
    const auto by_iptables = [&] { return has_ours(std::string(dropper.program) + "-save"); };
    const auto by_nftables = [&] { return output_of("nft list tables").find(" try") != std::string::npos; };
    DYNAMIC_SECTION(dropper.program << ", before") {
      output_of(policy + "DROP");
      RuleKeeper keeper(BackEnd::kAuto, executor);
      REQUIRE(keeper.look(sets).done.has_value());
      CHECK(by_iptables());
      CHECK_FALSE(by_nftables());
    }
    DYNAMIC_SECTION(dropper.program << ", afterwards, and it stays so") {
      RuleKeeper keeper(BackEnd::kAuto, executor);
      REQUIRE(keeper.look(sets).done.has_value());
      CHECK(by_nftables());
      for (const char* value : {"DROP", "ACCEPT"}) {
        output_of(policy + value);
        const RuleKeeper::Look look = keeper.look(sets);
        INFO((look.done ? std::string() : look.done.error().message));
        CHECK(look.done.has_value());
        CHECK(look.mended == 0);
        CHECK(by_iptables());
        CHECK_FALSE(by_nftables());
      }
    }
    DYNAMIC_SECTION(dropper.program << ", who asks for nftables is told") {
      RuleKeeper keeper(BackEnd::kNftables, executor);
      output_of(policy + "DROP");
      const Status told = keeper.look(sets).done;
      CHECK(by_nftables());
      REQUIRE_FALSE(told.has_value());
      CHECK(told.error().message.find(std::string("run ") + dropper.program + " -P FORWARD ACCEPT") !=
            std::string::npos);
      output_of(policy + "ACCEPT");
      CHECK(keeper.look(sets).done.has_value());
    }
    DYNAMIC_SECTION(dropper.program << ", who accepts nothing does not mind") {
      std::vector<RuleSet> drops = sets;
      for (RuleSet& set : drops) set.chains[0].rules[0].target = Target::kDrop;
      output_of(policy + "DROP");
      RuleKeeper keeper(BackEnd::kAuto, executor);
      CHECK(keeper.look(drops).done.has_value());
      CHECK(by_nftables());
    }
  }
}

TEST_CASE_METHOD(Host, "The policy of the other iptables, which ours cannot undo, is told", "[firewall]") {
  const std::vector<RuleSet> sets{one_chain(IpFamily::kV4)};
  output_of("iptables-legacy -w -P FORWARD DROP");
  RuleKeeper keeper(BackEnd::kAuto, executor);
  const Status told = keeper.look(sets).done;
  REQUIRE_FALSE(told.has_value());
  CHECK(told.error().message.find("run iptables-legacy -P FORWARD ACCEPT") != std::string::npos);
  CHECK(NftablesFirewall(socket).read_chains(sets[0]).value().contains("forward"));
  output_of("iptables-legacy -w -P FORWARD ACCEPT");
  const RuleKeeper::Look look = keeper.look(sets);
  CHECK(look.done.has_value());
  CHECK(look.mended == 0);
}

TEST_CASE_METHOD(Host, "Looking for a policy makes no table", "[firewall]") {
  RuleKeeper keeper(BackEnd::kAuto, executor);
  CHECK(keeper.look({one_chain(IpFamily::kV4), one_chain(IpFamily::kV6)}).done.has_value());
  CHECK(output_of("nft list tables").find("filter") == std::string::npos);
  CHECK(output_of("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true").empty());
}

TEST_CASE_METHOD(Host, "Looking for kubelet's chains makes nothing", "[firewall]") {
  REQUIRE(find_iptables(executor).has_value());
  CHECK(output_of("nft list ruleset").empty());
  CHECK(output_of("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true").empty());
}

}  // namespace
}  // namespace holdfast::firewall
