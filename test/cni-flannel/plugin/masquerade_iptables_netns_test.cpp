#include <vector>

#include "cni-flannel/plugin/masquerade_iptables.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

const RuleOwner kOne{"cbr0", "one", "eth0"};
const RuleOwner kTwo{"cbr0", "two", "eth0"};

struct Host {
  test::FreshNetns netns;
  SystemExecutor executor;
};

std::vector<Cidr> addresses(std::initializer_list<const char*> texts) {
  std::vector<Cidr> out;
  for (const char* text : texts) out.push_back(Cidr::parse(text).value());
  return out;
}

std::string rules(const char* program) { return test::output_of(std::string(program) + " -w -t nat -S"); }

/// `rules` of the chains that are not built in, with "CHAIN" for the owner's.
std::string own_rules(const char* program, const RuleOwner& owner) {
  std::string all = rules(program);
  for (std::size_t at = all.find(masquerade_chain(owner)); at != std::string::npos;
       at = all.find(masquerade_chain(owner))) {
    all.replace(at, masquerade_chain(owner).size(), "CHAIN");
  }
  return all.substr(all.find("-N "));
}

TEST_CASE_METHOD(Host, "The iptables rules are upstream's, put once however often", "[plugin]") {
  const auto both = addresses({"10.244.3.7/24", "fd00:3::7/64"});
  for (int time = 0; time < 2; ++time) {
    REQUIRE(put_masquerade_iptables(executor, kOne, both).has_value());
    CHECK(own_rules("iptables", kOne) ==
          "-N CHAIN\n"
          "-A POSTROUTING -s 10.244.3.7/32 -m comment --comment \"name: \\\"cbr0\\\" id: \\\"one\\\"\" -j "
          "CHAIN\n"
          "-A CHAIN -d 10.244.3.0/24 -m comment --comment \"name: \\\"cbr0\\\" id: \\\"one\\\"\" -j ACCEPT\n"
          "-A CHAIN ! -d 224.0.0.0/4 -m comment --comment \"name: \\\"cbr0\\\" id: \\\"one\\\"\" -j "
          "MASQUERADE\n");
    CHECK(
        own_rules("ip6tables", kOne) ==
        "-N CHAIN\n"
        "-A POSTROUTING -s fd00:3::7/128 -m comment --comment \"name: \\\"cbr0\\\" id: \\\"one\\\"\" -j "
        "CHAIN\n"
        "-A CHAIN -d fd00:3::/64 -m comment --comment \"name: \\\"cbr0\\\" id: \\\"one\\\"\" -j ACCEPT\n"
        "-A CHAIN ! -d ff00::/8 -m comment --comment \"name: \\\"cbr0\\\" id: \\\"one\\\"\" -j MASQUERADE\n");
    CHECK(has_masquerade_iptables(executor, kOne, both).value());
  }
}

TEST_CASE_METHOD(Host, "Dropping takes one container's rules, in both families, and repeats", "[plugin]") {
  REQUIRE(put_masquerade_iptables(executor, kTwo, addresses({"10.244.3.8/24"})).has_value());
  const std::string before4 = rules("iptables");
  const std::string before6 = rules("ip6tables");
  const auto both = addresses({"10.244.3.7/24", "10.244.4.7/24", "fd00:3::7/64"});
  REQUIRE(put_masquerade_iptables(executor, kOne, both).has_value());
  CHECK(rules("iptables") != before4);
  CHECK(drop_masquerade_iptables(executor, kOne).has_value());
  CHECK(rules("iptables") == before4);
  CHECK(rules("ip6tables") == before6);
  CHECK_FALSE(has_masquerade_iptables(executor, kOne, both).value());
  CHECK(has_masquerade_iptables(executor, kTwo, addresses({"10.244.3.8/24"})).value());
  CHECK(drop_masquerade_iptables(executor, kOne).has_value());
}

TEST_CASE_METHOD(Host, "What upstream's old and new plugins made is dropped", "[plugin]") {
  const std::string chain = masquerade_chain(kOne);
  const std::string comment = " -m comment --comment 'name: \"cbr0\" id: \"one\"'";
  const std::string before = rules("iptables");
  test::output_of("iptables -t nat -N " + chain);
  test::output_of("iptables -t nat -A " + chain + " -d 10.244.3.0/24 -j ACCEPT" + comment);
  test::output_of("iptables -t nat -A " + chain + " ! -d 224.0.0.0/4 -j MASQUERADE" + comment);
  for (const char* source : {"10.244.3.7", "10.244.3.0/24"}) {
    test::output_of("iptables -t nat -A POSTROUTING -s " + std::string(source) + " -j " + chain + comment);
  }
  CHECK(drop_masquerade_iptables(executor, kOne).has_value());
  CHECK(rules("iptables") == before);
}

}  // namespace
}  // namespace holdfast::flannel
