#include "common/netlink/nftables.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl::nft {
namespace {

struct Kernel {
  test::FreshNetns netns;
  Socket socket = Socket::open(Protocol::kNetfilter).value();
};

/// What nft(8) reads of a rule set, with the expressions as the kernel has them.
std::string rule_set() { return test::output_of("nft --debug=netlink list ruleset"); }

/// What the same commands given to nft(8) leave, in a namespace of their own.
std::string made_by_nft(const std::string& commands) {
  const test::FreshNetns other;
  test::output_of("nft '" + commands + "'");
  return rule_set();
}

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
Verdict accept() { return {}; }

TEST_CASE_METHOD(Kernel, "A rule is the one that nft would have written", "[nftables]") {
  struct Case {
    const char* name;
    const char* text;
    std::vector<Statement> statements;
  };
  using enum Side;
  using enum Comparison;
  const Case cases[] = {
      {"IPv4 source address",
       "ip saddr 10.1.2.3 accept",
       {MatchAddress{kSource, kEqual, cidr("10.1.2.3/32")}, accept()}},
      {"not an IPv4 network of odd length",
       "ip daddr != 10.244.3.0/22 accept",
       {MatchAddress{kDestination, kNotEqual, cidr("10.244.0.0/22")}, accept()}},
      {"IPv6 address",
       "ip6 daddr fd00::1 accept",
       {MatchAddress{kDestination, kEqual, cidr("fd00::1/128")}, accept()}},
      {"not an IPv6 network of odd length",
       "ip6 saddr != fd00::/63 accept",
       {MatchAddress{kSource, kNotEqual, cidr("fd00::/63")}, accept()}},
      {"two addresses of one family",
       "ip saddr 10.1.2.3 ip daddr 10.1.2.4 drop",
       {MatchAddress{kSource, kEqual, cidr("10.1.2.3/32")},
        MatchAddress{kDestination, kEqual, cidr("10.1.2.4/32")}, Verdict{Verdict::Kind::kDrop, {}}}},
      {"link names",
       "iifname veth1 oifname != eth0 accept",
       {MatchLinkName{kSource, kEqual, "veth1"}, MatchLinkName{kDestination, kNotEqual, "eth0"}, accept()}},
      {"whole mark",
       "meta mark 0x4000 return",
       {MatchMark{kEqual, 0x4000, 0xffffffff}, Verdict{Verdict::Kind::kReturn, {}}}},
      {"masked mark",
       "meta mark and 0x4000 != 0x4000 return",
       {MatchMark{kNotEqual, 0x4000, 0x4000}, Verdict{Verdict::Kind::kReturn, {}}}},
      {"UDP port", "udp dport 8472 accept", {MatchUdpPort{8472}, accept()}},
      {"counter and jump", "counter jump other", {Counter{}, Verdict{Verdict::Kind::kJump, "other"}}},
      {"goto", "goto other", {Verdict{Verdict::Kind::kGoto, "other"}}},
      {"masquerade", "masquerade", {Masquerade{}}},
      {"random masquerade", "masquerade fully-random", {Masquerade{true}}},
  };
  const std::string layout =
      "add table inet t { comment \"whose it is\"; }; "
      "add chain inet t other { comment \"what it is for\"; }; "
      "add chain inet t c { type nat hook postrouting priority srcnat; policy accept; }; ";
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Transaction transaction({Family::kInet, "t", "whose it is"});
      transaction.put_table()
          .put_chain({"other", std::nullopt, "what it is for"})
          .put_chain({"c", BaseChain{"nat", Hook::kPostrouting, 100}, {}})
          .append_rule("c", {c.statements, "of pod a"});
      const Status done = commit(socket, std::move(transaction));
      INFO((done ? std::string() : done.error().message));
      REQUIRE(done.has_value());
      CHECK(rule_set() == made_by_nft(layout + "add rule inet t c " + c.text + " comment \"of pod a\""));
    }
  }
}

TEST_CASE_METHOD(Kernel, "A bridge table's rules are those that nft would have written", "[nftables]") {
  Transaction transaction({Family::kBridge, "nat", {}});
  const MacAddress mac({2, 0, 0, 0, 0, 9});
  transaction.put_table()
      .put_chain({"PREROUTING", BaseChain{"filter", Hook::kPrerouting, -300}, {}})
      .append_rule("PREROUTING", {{MatchEtherAddress{Side::kSource, Comparison::kEqual, mac}, accept()}, {}})
      .append_rule("PREROUTING",
                   {{MatchAddress{Side::kSource, Comparison::kEqual, cidr("10.1.2.3/32")}, accept()}, {}});
  REQUIRE(commit(socket, std::move(transaction)).has_value());
  CHECK(rule_set() ==
        made_by_nft("add table bridge nat; "
                    "add chain bridge nat PREROUTING { type filter hook prerouting priority -300; "
                    "policy accept; }; "
                    "add rule bridge nat PREROUTING ether saddr 02:00:00:00:00:09 accept; "
                    "add rule bridge nat PREROUTING ip saddr 10.1.2.3 accept"));
}

TEST_CASE_METHOD(Kernel, "What a router's rules do is what nft would have written", "[nftables]") {
  struct Case {
    const char* name;
    Family family;
    BaseChain base;
    const char* chain;
    const char* text;
    std::vector<Statement> statements;
  };
  using enum Side;
  using enum Comparison;
  const BaseChain raw{"filter", Hook::kPrerouting, -300};
  const BaseChain mangle{"filter", Hook::kForward, -150};
  const BaseChain nat{"nat", Hook::kPostrouting, 100};
  const char* const raw_text = "type filter hook prerouting priority -300";
  const char* const mangle_text = "type filter hook forward priority -150";
  const char* const nat_text = "type nat hook postrouting priority 100";
  const Statement base_or_gateway = MatchMaskedAddress{
      kSource, kEqual, IpAddress::parse("10.244.0.0").value(), IpAddress::parse("255.255.0.254").value()};
  const Statement not_in_v6 = MatchMaskedAddress{kDestination, kNotEqual, IpAddress::parse("fd00::").value(),
                                                 IpAddress::parse("ffff:ffff:ffff::fffe").value()};
  const Case cases[] = {
      {"untracked",
       Family::kIp,
       raw,
       raw_text,
       "iifname \"wg*\" ip saddr and 255.255.0.254 == 10.244.0.0 counter notrack",
       {MatchLinkName{kSource, kEqual, "wg", true}, base_or_gateway, Counter{}, NoTrack{}}},
      {"untracked IPv6",
       Family::kIp6,
       raw,
       raw_text,
       "ip6 daddr and ffff:ffff:ffff::fffe != fd00:: notrack",
       {not_in_v6, NoTrack{}}},
      {"clamped",
       Family::kIp,
       mangle,
       mangle_text,
       "tcp flags syn / syn,rst tcp option maxseg size set rt mtu",
       {MatchTcpSyn{}, ClampMss{}}},
      {"clamped IPv6",
       Family::kIp6,
       mangle,
       mangle_text,
       "tcp flags syn / syn,rst tcp option maxseg size set rt mtu",
       {MatchTcpSyn{}, ClampMss{}}},
      {"replies",
       Family::kIp,
       mangle,
       mangle_text,
       "ct state established,related ct direction reply accept",
       {MatchConnectionState{MatchConnectionState::kEstablished | MatchConnectionState::kRelated},
        MatchReplyDirection{}, accept()}},
      {"new ones",
       Family::kIp6,
       mangle,
       mangle_text,
       "ct state new,established drop",
       {MatchConnectionState{MatchConnectionState::kNew | MatchConnectionState::kEstablished},
        Verdict{Verdict::Kind::kDrop, {}}}},
      {"time exceeded",
       Family::kIp,
       mangle,
       mangle_text,
       "icmp type 11 accept",
       {MatchIcmpType{11}, accept()}},
      {"packet too big",
       Family::kIp6,
       mangle,
       mangle_text,
       "icmpv6 type 2 accept",
       {MatchIcmpType{2}, accept()}},
      {"refused",
       Family::kIp,
       mangle,
       mangle_text,
       "reject with icmp type admin-prohibited",
       {RejectProhibited{}}},
      {"refused IPv6",
       Family::kIp6,
       mangle,
       mangle_text,
       "reject with icmpv6 type admin-prohibited",
       {RejectProhibited{}}},
      {"translated",
       Family::kIp,
       nat,
       nat_text,
       "snat to 10.9.8.7",
       {TranslateSource{IpAddress::parse("10.9.8.7").value()}}},
      {"translated IPv6",
       Family::kIp6,
       nat,
       nat_text,
       "snat to fd00::1",
       {TranslateSource{IpAddress::parse("fd00::1").value()}}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Transaction transaction({c.family, "t", {}});
      transaction.put_table().put_chain({"c", c.base, {}}).append_rule("c", {c.statements, {}});
      const Status done = commit(socket, std::move(transaction));
      INFO((done ? std::string() : done.error().message));
      REQUIRE(done.has_value());
      const std::string table = std::string(c.family == Family::kIp ? "ip" : "ip6") + " t ";
      CHECK(rule_set() == made_by_nft("add table " + table + "; add chain " + table + "c { " + c.chain +
                                      "; policy accept; }; add rule " + table + "c " + c.text));
    }
  }
}

TEST_CASE_METHOD(Kernel, "What a rule has counted is listed, and makes it no other rule", "[nftables]") {
  test::output_of("ip link set lo up");
  Transaction transaction({Family::kIp, "t", {}});
  transaction.put_table()
      .put_chain({"c", BaseChain{"filter", Hook::kOutput, 0}, {}})
      .append_rule("c", {{MatchUdpPort{9}, accept()}, {}})
      .append_rule("c", {{MatchUdpPort{9}, Counter{}, Verdict{Verdict::Kind::kDrop, {}}}, {}})
      .append_rule("c", {{Counter{}, accept()}, {}});
  REQUIRE(commit(socket, std::move(transaction)).has_value());
  const auto before = list_rules(socket, Family::kIp, "t", "c").value();
  REQUIRE(before.size() == 3);
  CHECK(before[2].count.packets == 0);
  test::output_of("ping -c 3 -i 0.01 -q 127.0.0.1");
  const auto after = list_rules(socket, Family::kIp, "t", "c").value();
  CHECK(after == before);
  CHECK(after[0].count.packets == 0);
  CHECK(after[1].count.packets == 0);
  CHECK(after[2].count.packets >= 6);  // three requests, three answers
  CHECK(after[2].count.bytes == after[2].count.packets * 84);
}

struct FilledKernel : Kernel {
  FilledKernel() {
    Transaction transaction(table);
    transaction.put_table().put_chain({"c", std::nullopt, {}}).put_chain({"d", std::nullopt, {}});
    for (const char* comment : {"one", "two", "three"}) transaction.append_rule("c", {{accept()}, comment});
    transaction.append_rule("d", {{accept()}, "of another chain"});
    if (!commit(socket, std::move(transaction))) throw std::runtime_error("cannot fill the table");
  }
  std::vector<std::string> comments() {
    std::vector<std::string> out;
    const std::vector<ListedRule> rules = list_rules(socket, table.family, table.name, "c").value();
    for (const ListedRule& rule : rules) out.push_back(rule.comment);
    return out;
  }
  Table table{Family::kIp, "t", {}};
};

TEST_CASE_METHOD(FilledKernel, "Rules are listed in order with their comments and go by their handles",
                 "[nftables]") {
  CHECK(comments() == std::vector<std::string>{"one", "two", "three"});
  const auto rules = list_rules(socket, Family::kIp, "t", "c").value();
  Transaction transaction(table);
  transaction.delete_rule("c", rules[1].handle);
  REQUIRE(commit(socket, std::move(transaction)).has_value());
  CHECK(comments() == std::vector<std::string>{"one", "three"});
}

TEST_CASE_METHOD(FilledKernel, "What nft wrote as a comment is read", "[nftables]") {
  test::output_of("nft 'add rule ip t c counter accept comment \"by nft\"; add rule ip t c drop'");
  CHECK(comments() == std::vector<std::string>{"one", "two", "three", "by nft", ""});
}

TEST_CASE_METHOD(FilledKernel, "An absent table or chain lists as empty", "[nftables]") {
  CHECK(list_rules(socket, Family::kIp, "t", "none")->empty());
  CHECK(list_rules(socket, Family::kIp, "none", "c")->empty());
  CHECK(list_rules(socket, Family::kIp6, "t", "c")->empty());
  CHECK(has_chain(socket, Family::kIp, "t", "c").value());
  CHECK_FALSE(has_chain(socket, Family::kIp, "t", "none").value());
  CHECK_FALSE(has_chain(socket, Family::kIp, "none", "c").value());
}

TEST_CASE_METHOD(FilledKernel, "A transaction is made whole or not at all, and names what was refused",
                 "[nftables]") {
  struct Case {
    const char* name;
    std::function<void(Transaction&)> refused;
    const char* message;
    int sys_errno;
  };
  const Case cases[] = {
      {"rule in no chain",
       [](Transaction& t) {
         t.append_rule("none", {{accept()}, {}});
       },
       "append rule to chain ip t none: No such file or directory", ENOENT},
      {"unknown handle", [](Transaction& t) { t.delete_rule("c", 4711); },
       "delete rule 4711 of chain ip t c: No such file or directory", ENOENT},
      {"jump to no chain",
       [](Transaction& t) {
         t.append_rule("c", {{Verdict{Verdict::Kind::kJump, "none"}}, {}});
       },
       "append rule to chain ip t c: No such file or directory", ENOENT},
      {"absent chain", [](Transaction& t) { t.delete_chain("none"); },
       "delete chain ip t none: No such file or directory", ENOENT},
      {"chain that rules jump to",
       [](Transaction& t) {
         t.append_rule("c", {{Verdict{Verdict::Kind::kJump, "d"}}, {}}).flush_chain("d").delete_chain("d");
       },
       "delete chain ip t d: Device or resource busy", EBUSY},
      {"masquerade where there is no address translation",
       [](Transaction& t) {
         t.put_chain({"f", BaseChain{"filter", Hook::kForward, 0}, {}})
             .append_rule("f", {{Masquerade{}}, {}});
       },
       "append rule to chain ip t f: Operation not supported", EOPNOTSUPP},
      {"unknown chain type",
       [](Transaction& t) {
         t.put_chain({"f", BaseChain{"nosuch", Hook::kForward, 0}, {}});
       },
       "put chain ip t f: No such file or directory", ENOENT},
  };
  const std::string before = rule_set();
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Transaction transaction(table);
      transaction.put_chain({"new", std::nullopt, {}}).flush_chain("c");
      c.refused(transaction);
      transaction.append_rule("new", {{accept()}, {}});
      const Status done = commit(socket, std::move(transaction));
      REQUIRE_FALSE(done.has_value());
      CHECK(done.error().message == c.message);
      CHECK(done.error().sys_errno == c.sys_errno);
      CHECK(rule_set() == before);
      CHECK(comments().size() == 3);  // the socket is usable and has no stale answer
    }
  }
}

TEST_CASE_METHOD(FilledKernel, "Putting what is there changes nothing", "[nftables]") {
  const std::string before = rule_set();
  Transaction transaction(table);
  transaction.put_table().put_chain({"c", std::nullopt, {}});
  REQUIRE(commit(socket, std::move(transaction)).has_value());
  CHECK(rule_set() == before);
  CHECK(commit(socket, Transaction(table)).has_value());
}

TEST_CASE_METHOD(FilledKernel, "Chains and tables go when they are empty or asked for whole", "[nftables]") {
  Transaction chain(table);
  chain.flush_chain("d").delete_chain("d");
  REQUIRE(commit(socket, std::move(chain)).has_value());
  CHECK_FALSE(has_chain(socket, Family::kIp, "t", "d").value());
  Transaction whole(table);
  whole.delete_table();
  REQUIRE(commit(socket, std::move(whole)).has_value());
  CHECK(rule_set().empty());
}

TEST_CASE_METHOD(Kernel, "A transaction of a thousand rules is one", "[nftables]") {
  const Table table{Family::kIp, "t", {}};
  Transaction transaction(table);
  transaction.put_table().put_chain({"c", std::nullopt, {}});
  for (int i = 0; i < 1000; ++i) {
    transaction.append_rule("c",
                            {{MatchAddress{Side::kSource, Comparison::kEqual, cidr("10.0.0.0/12")}, accept()},
                             std::string(128, 'c')});
  }
  const Status done = commit(socket, std::move(transaction));
  INFO((done ? std::string() : done.error().message));
  REQUIRE(done.has_value());
  const auto rules = list_rules(socket, Family::kIp, "t", "c").value();
  CHECK(rules.size() == 1000);
  CHECK(rules.back().comment == std::string(128, 'c'));
}

TEST_CASE_METHOD(Kernel, "Ranges and chains of links are looked up as nft has them looked up", "[nftables]") {
  struct Case {
    const char* name;
    const char* elements;
    std::vector<Cidr> ranges;
  };
  const Case cases[] = {
      {"apart", "10.1.0.0/16, 10.3.0.0/24", {cidr("10.3.0.0/24"), cidr("10.1.0.0/16")}},
      {"that overlap",
       "10.1.0.0/16, 10.3.0.0/24",
       {cidr("10.1.0.0/16"), cidr("10.1.2.0/24"), cidr("10.3.0.0/24"), cidr("10.1.0.0/16")}},
      {"that join", "10.0.0.0/15", {cidr("10.1.0.0/16"), cidr("10.0.0.0/16")}},
      {"that begin at the lowest address", "0.0.0.0/8, 10.0.0.0/8", {cidr("0.0.0.0/8"), cidr("10.0.0.0/8")}},
      {"of another family", "10.0.0.0/8", {cidr("10.0.0.0/8"), cidr("fd00::/8")}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Transaction transaction({Family::kIp, "t", {}});
      transaction.put_table()
          .put_chain({"of-wg0", std::nullopt, {}})
          .put_chain({"c", BaseChain{"filter", Hook::kForward, 0}, {}})
          .make_range_set({"pods", IpFamily::kV4}, c.ranges)
          .make_link_map({"links", {{"wg0", "of-wg0"}}})
          .append_rule("c", {{JumpByLink{Side::kSource, "links"}}, {}})
          .append_rule("c", {{JumpByLink{Side::kDestination, "links"}}, {}})
          .append_rule("of-wg0",
                       {{MatchSet{Side::kSource, Comparison::kEqual, IpFamily::kV4, "pods"}, accept()}, {}});
      const Status done = commit(socket, std::move(transaction));
      INFO((done ? std::string() : done.error().message));
      REQUIRE(done.has_value());
      CHECK(rule_set() ==
            made_by_nft("add table ip t; add chain ip t of-wg0; "
                        "add chain ip t c { type filter hook forward priority 0; policy accept; }; "
                        "add set ip t pods { type ipv4_addr; flags interval; }; "
                        "add element ip t pods { " +
                        std::string(c.elements) +
                        " }; "
                        "add map ip t links { type ifname : verdict; size 1; }; "
                        "add element ip t links { wg0 : jump of-wg0 }; "
                        "add rule ip t c iifname vmap @links; add rule ip t c oifname vmap @links; "
                        "add rule ip t of-wg0 ip saddr @pods accept"));
    }
  }
}

TEST_CASE_METHOD(Kernel, "A range may go up to the highest address", "[nftables]") {
  Transaction transaction({Family::kIp, "t", {}});
  const std::vector<Cidr> ranges{cidr("10.0.0.0/8"), cidr("255.255.255.255/32")};
  transaction.put_table().make_range_set({"pods", IpFamily::kV4}, ranges);
  REQUIRE(commit(socket, std::move(transaction)).has_value());
  CHECK_THAT(rule_set(), Catch::Contains("elements = { 10.0.0.0/8, 255.255.255.255 }"));
}

TEST_CASE_METHOD(Kernel, "Sets, maps and the chains that they lead to are changed in one step",
                 "[nftables]") {
  const auto put = [&](unsigned links) {
    Transaction transaction({Family::kIp6, "t", {}});
    transaction.put_table().put_chain({"c", BaseChain{"filter", Hook::kForward, 0}, {}});
    transaction.flush_chain("c");
    const std::vector<std::string> sets = list_sets(socket, Family::kIp6, "t").value();
    for (const std::string& set : sets) transaction.delete_set(set);
    const std::vector<std::string> chains = list_chains(socket, Family::kIp6, "t").value();
    for (const std::string& chain : chains) {
      if (chain != "c") transaction.delete_chain(chain);
    }
    LinkMap map{"links", {}};
    for (unsigned i = 0; i < links; ++i) {
      const std::string link = "wg" + std::to_string(i);
      transaction.put_chain({"of-" + link, std::nullopt, {}});
      map.chains[link] = "of-" + link;
    }
    transaction.make_link_map(map).append_rule("c", {{JumpByLink{Side::kSource, "links"}}, {}});
    const Status done = commit(socket, std::move(transaction));
    INFO((done ? std::string() : done.error().message));
    REQUIRE(done.has_value());
    CHECK(list_chains(socket, Family::kIp6, "t")->size() == links + 1);
    CHECK(list_elements(socket, Family::kIp6, "t", "links")->size() == links);
    CHECK(list_all_rules(socket, Family::kIp6, "t")->size() == 1);
  };
  put(2);
  put(1200);
  put(1);
}

TEST_CASE_METHOD(Kernel, "A set holds what it was filled with, and a rule looks it up as nft's does",
                 "[nftables]") {
  const Table table{Family::kInet, "t", ""};
  const AddressSet peers{"peers", IpFamily::kV4};
  const AddressSet peers6{"peers6", IpFamily::kV6};
  const auto fill = [&](const std::vector<IpAddress>& addresses) {
    Transaction transaction(table);
    transaction.put_table().put_set(peers).put_set(peers6);
    transaction.fill_set(peers, addresses).fill_set(peers6, addresses);
    return commit(socket, std::move(transaction));
  };
  const auto listed = [&](const char* set) {
    auto addresses = list_set(socket, Family::kInet, "t", set).value();
    std::sort(addresses.begin(), addresses.end());
    return addresses;
  };
  // A set that has grown is resized by the kernel behind our back, and listed meanwhile it may lack some, or
  // have some twice.
  const auto comes_to_list = [&](const char* set, const std::vector<IpAddress>& wanted) {
    for (int looks = 0; looks < 500; ++looks) {
      if (listed(set) == wanted) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  CHECK(listed("peers").empty());
  const IpAddress one = IpAddress::v4({10, 0, 0, 1});
  const IpAddress six = IpAddress::parse("fd00::1").value();
  REQUIRE(fill({one, six}).has_value());
  CHECK(listed("peers") == std::vector<IpAddress>{one});
  CHECK(listed("peers6") == std::vector<IpAddress>{six});

  std::vector<IpAddress> many;
  for (unsigned i = 0; i < 5000; ++i) {
    many.push_back(IpAddress::v4({10, 1, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}));
  }
  const Status filled = fill(many);
  INFO((filled ? "" : filled.error().message));
  REQUIRE(filled.has_value());
  CHECK(comes_to_list("peers", many));
  CHECK(listed("peers6").empty());
  REQUIRE(fill({one}).has_value());
  CHECK(listed("peers") == std::vector<IpAddress>{one});

  Transaction rules(table);
  rules.put_chain({"c", std::nullopt, ""});
  rules.append_rule("c",
                    {{MatchSet{Side::kSource, Comparison::kNotEqual, IpFamily::kV4, "peers"}, accept()}, ""});
  rules.append_rule(
      "c", {{MatchSet{Side::kDestination, Comparison::kEqual, IpFamily::kV6, "peers6"}, accept()}, ""});
  REQUIRE(commit(socket, std::move(rules)).has_value());
  CHECK(rule_set() ==
        made_by_nft("add table inet t; add set inet t peers { type ipv4_addr; elements = { 10.0.0.1 } }; "
                    "add set inet t peers6 { type ipv6_addr; }; add chain inet t c; "
                    "add rule inet t c ip saddr != @peers accept; "
                    "add rule inet t c ip6 daddr @peers6 accept"));
}

}  // namespace
}  // namespace holdfast::nl::nft
