#include "common/firewall/udp_drops.h"

#include "test/catch.h"

namespace holdfast::firewall {
namespace {

struct Case {
  const char* name;
  const char* lines;
  std::vector<std::string> always;
  std::vector<std::string> sometimes;
  bool by_default;
};

TEST_CASE("What keeps UDP packets from a port is found in INPUT and the chains that it leads to",
          "[firewall]") {
  const Case cases[] = {
      {"nothing", ":INPUT ACCEPT\n-A INPUT -p udp -m udp --dport 53 -j DROP\n", {}, {}, false},
      {"a drop",
       ":INPUT ACCEPT\n-A INPUT -p udp -m udp --dport 8472 -j DROP\n",
       {"INPUT -p udp -m udp --dport 8472 -j DROP"},
       {},
       false},
      {"a reject with a comment that looks like more",
       ":INPUT ACCEPT\n-A INPUT -p udp -m comment --comment \"-s 1.2.3.4\" -m udp --dport 8472 -j REJECT "
       "--reject-with icmp-port-unreachable\n",
       {"INPUT -p udp -m comment --comment \"-s 1.2.3.4\" -m udp --dport 8472 -j REJECT --reject-with "
        "icmp-port-unreachable"},
       {},
       false},
      {"several ports",
       ":INPUT ACCEPT\n-A INPUT -p udp -m multiport --dports 53,8000:9000 -j DROP\n",
       {"INPUT -p udp -m multiport --dports 53,8000:9000 -j DROP"},
       {},
       false},
      {"by one interface",
       ":INPUT ACCEPT\n-A INPUT -i wan0 -p udp -m udp --dport 8472 -j DROP\n",
       {},
       {"INPUT -i wan0 -p udp -m udp --dport 8472 -j DROP"},
       false},
      {"but from one source",
       ":INPUT ACCEPT\n-A INPUT ! -s 10.0.0.0/8 -p udp -m udp --dport 8472 -j DROP\n",
       {},
       {"INPUT ! -s 10.0.0.0/8 -p udp -m udp --dport 8472 -j DROP"},
       false},
      {"in a chain of somebody, which leads to itself",
       ":INPUT ACCEPT\n:MINE - \n-A INPUT -j MINE\n-A MINE -j MINE\n-A MINE -p udp -m udp --dport 8472 -j "
       "DROP\n",
       {"MINE -p udp -m udp --dport 8472 -j DROP"},
       {},
       false},
      {"in a chain that nothing leads to",
       ":INPUT ACCEPT\n:MINE - \n-A MINE -p udp -m udp --dport 8472 -j DROP\n",
       {},
       {},
       false},
      {"TCP", ":INPUT ACCEPT\n-A INPUT -p tcp -m tcp --dport 8472 -j DROP\n", {}, {}, false},
      {"by default", ":INPUT DROP\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n", {}, {}, true},
      {"let in", ":INPUT DROP\n-A INPUT -p udp -m udp --dport 8472 -j ACCEPT\n", {}, {}, false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const SavedTables tables = parse_iptables_save(std::string("*filter\n") + c.lines + "COMMIT\n");
      const UdpDrops found = udp_drops(tables.at("filter"), 8472);
      CHECK(found.always == c.always);
      CHECK(found.sometimes == c.sometimes);
      CHECK(found.by_default == c.by_default);
    }
  }
}

}  // namespace
}  // namespace holdfast::firewall
