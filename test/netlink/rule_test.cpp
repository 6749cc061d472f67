#include "common/netlink/rule.h"

#include <algorithm>

#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

using test::RouteKernel;

TEST_CASE_METHOD(RouteKernel, "A rule comes back from the kernel as it was put", "[netlink]") {
  Rule rule;
  rule.priority = 1000;
  SECTION("source and destination") {
    rule.src = Cidr::parse("10.244.0.0/16").value();
    rule.dst = Cidr::parse("10.96.0.0/12").value();
    rule.table = 77;
  }
  SECTION("mark, interfaces, protocol, table above 255") {
    rule.mark = 0x100;
    rule.mark_mask = 0xf00;
    rule.iif = "cni0";
    rule.oif = "eth0";
    rule.protocol = 77;
    rule.table = 1000;
  }
  SECTION("inverted, refusing") {
    rule.src = Cidr::parse("10.244.0.0/16").value();
    rule.inverted = true;
    rule.action = RuleAction::kUnreachable;
    rule.table = 0;
  }
  SECTION("IPv6") {
    rule.family = IpFamily::kV6;
    rule.src = Cidr::parse("fd00::/48").value();
    rule.table = 77;
  }
  const auto listed = [&] {
    const auto all = list_rules(socket, rule.family).value();
    return std::count(all.begin(), all.end(), rule);
  };
  REQUIRE(socket.run(put_rule(rule)).has_value());
  CHECK(listed() == 1);
  CHECK(socket.run(put_rule(rule)).has_value());
  CHECK(listed() == 1);
  CHECK(socket.run(drop_rule(rule)).has_value());
  CHECK(listed() == 0);
  CHECK(socket.run(drop_rule(rule)).has_value());
}

TEST_CASE_METHOD(RouteKernel, "The kernel's own rules are in the list", "[netlink]") {
  const auto rules = list_rules(socket, IpFamily::kV4).value();
  REQUIRE(rules.size() == 3);
  CHECK(rules[0].table == kLocalTable);
  CHECK(rules[1].priority == 32766);
  CHECK(rules[1].table == kMainTable);
}

TEST_CASE_METHOD(RouteKernel, "A drop leaves a rule that differs in one field", "[netlink]") {
  Rule rule;
  rule.priority = 1000;
  rule.src = Cidr::parse("10.244.0.0/16").value();
  rule.table = 77;
  REQUIRE(socket.run(put_rule(rule)).has_value());
  Rule other = rule;
  other.table = 78;
  CHECK(socket.run(drop_rule(other)).has_value());
  const auto all = list_rules(socket, IpFamily::kV4).value();
  CHECK(std::count(all.begin(), all.end(), rule) == 1);
}

}  // namespace
}  // namespace holdfast::nl
