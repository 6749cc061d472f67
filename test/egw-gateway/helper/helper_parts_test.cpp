// What egw-helper does without a kernel, beside its routes.

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "egw-gateway/controller/pool_objects.h"
#include "egw-gateway/health/health.h"
#include "egw-gateway/helper/concerns.h"
#include "egw-gateway/helper/helper_store.h"
#include "egw-gateway/helper/no_masquerade_file.h"
#include "egw-gateway/helper/node_rules.h"
#include "egw-gateway/helper/options.h"
#include "egw-gateway/helper/server_addresses.h"
#include "test/catch.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::gateway {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

EdgeGateway pool() {
  EdgeGateway out;
  out.pool = "hangzhou";
  out.vpc_cidrs = {cidr("172.16.0.0/12")};
  out.gateways = {{"a", "box-1", {ip("10.244.1.7")}, 200}};
  return out;
}

TEST_CASE("The store gives back what was saved, and only to whom it belongs", "[gateway]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  const StateOwner owner{"hangzhou", "box-1", "m1"};
  HelperStore store(files, folder.path() / "state", owner);
  CHECK_FALSE(store.load().value().state.has_value());
  const HelperState state{pool(), {ip("203.0.113.9"), ip("fd00::9")}};
  REQUIRE(store.save(state).has_value());
  CHECK(store.load().value().state == state);
  for (const StateOwner& other : {StateOwner{"ningbo", "box-1", "m1"}, StateOwner{"hangzhou", "box-2", "m1"},
                                  StateOwner{"hangzhou", "box-1", "m2"}}) {
    HelperStore theirs(files, folder.path() / "state", other);
    const HelperStore::Loaded loaded = theirs.load().value();
    CHECK_FALSE(loaded.state.has_value());
    REQUIRE(loaded.notes.size() == 1);
    CHECK_THAT(loaded.notes[0], Catch::Contains("is not used: it is of pool 'hangzhou', node 'box-1'"));
  }
  HelperStore at_boot(files, folder.path() / "state", {"", "", "m1"});
  CHECK(at_boot.load().value().state == state);
  HelperStore of_another_machine(files, folder.path() / "state", {"", "", "m2"});
  CHECK_FALSE(of_another_machine.load().value().state.has_value());
  CHECK(of_another_machine.load().value().foreign == state);
  CHECK_FALSE(at_boot.load().value().foreign.has_value());
  std::filesystem::remove(store.path());
  const HelperStore::Loaded list = at_boot.load().value();
  CHECK_FALSE(list.state.has_value());
  CHECK(list.ranges == std::vector<Cidr>{cidr("172.16.0.0/12")});
  for (const char* text : {"", "\n\n", "0.0.0.0/0\n::/0", "no range"}) {
    std::ofstream(store.path().parent_path() / "closed-ranges") << text;
    CHECK(at_boot.load().value().ranges.empty());
  }
  std::ofstream(store.path().parent_path() / "closed-ranges") << "torn/8\n172.16.0.9/12\nfd00::/4";
  CHECK(at_boot.load().value().ranges == std::vector<Cidr>{cidr("172.16.0.0/12"), cidr("f000::/4")});
  REQUIRE(store.save(state).has_value());
  REQUIRE(store.forget().has_value());
  REQUIRE(store.forget().has_value());
  CHECK(at_boot.load().value().ranges.empty());
  CHECK_FALSE(store.load().value().state.has_value());
}

TEST_CASE("A torn state file is moved aside and told", "[gateway]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  HelperStore store(files, folder.path(), {"hangzhou", "box-1", "m1"});
  REQUIRE(store.save({pool()}).has_value());
  std::filesystem::resize_file(store.path(), std::filesystem::file_size(store.path()) - 7);
  const HelperStore::Loaded loaded = store.load().value();
  CHECK_FALSE(loaded.state.has_value());
  CHECK(loaded.notes.size() == 1);
  CHECK_FALSE(std::filesystem::exists(store.path()));
}

TEST_CASE("Ranges are written for flanneld once, and taken away", "[gateway]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  const std::filesystem::path there = folder.path() / "no-masq.d";
  CHECK(put_no_masquerade(files, there, {cidr("172.16.0.0/12"), cidr("fd00:20::/48")}).value());
  CHECK_FALSE(put_no_masquerade(files, there, {cidr("172.16.0.0/12"), cidr("fd00:20::/48")}).value());
  const std::string text = files.read(there / kNoMasqueradeFile, 4096).value().value();
  CHECK_THAT(text, Catch::EndsWith("\n172.16.0.0/12\nfd00:20::/48\n"));
  CHECK(put_no_masquerade(files, there, {}).value());
  CHECK_FALSE(put_no_masquerade(files, there, {}).value());
  CHECK_FALSE(std::filesystem::exists(there / kNoMasqueradeFile));
}

TEST_CASE("Others' pods and the VPC are not tracked where a gateway runs, nor is the gateway itself",
          "[gateway]") {
  NodeRules rules{.ranges = {cidr("172.16.0.0/13"), cidr("fd00:20::/48")},
                  .transit = {cidr("172.16.0.0/12"), cidr("fd00:20::/48")},
                  .pod_cidrs = {cidr("10.244.0.0/16"), cidr("fd00:10::/48")},
                  .own = {cidr("10.244.1.0/24"), cidr("fd00:10:0:1::/64")},
                  .node = {ip("10.244.1.1"), ip("fd00:10:0:1::1")},
                  .gateway = {ip("10.244.1.7"), ip("fd00:10:0:1::7")}};
  const firewall::RuleSet set = node_rule_set(IpFamily::kV4, rules);
  REQUIRE(set.chains.size() == 5);
  const auto& raw = set.chains[0];
  CHECK(raw.hook == firewall::Hook::kRaw);
  std::vector<std::string> shown;
  for (const firewall::Rule& rule : raw.rules) {
    shown.push_back((rule.source ? rule.source->range.to_string() : "any") + " -> " +
                    (rule.destination ? rule.destination->range.to_string() : "any") +
                    (rule.udp_port ? " UDP " + std::to_string(*rule.udp_port) : "") +
                    (rule.icmp_type ? " ICMP " + std::to_string(*rule.icmp_type) : "") +
                    (rule.target == firewall::Target::kUntrack ? ": untracked" : ": as ever"));
  }
  CHECK(shown == std::vector<std::string>{
                     "any -> 10.244.1.1/32 UDP 4784: untracked", "10.244.1.1/32 -> any: as ever",
                     "any -> 10.244.1.1/32: as ever", "10.244.1.7/32 -> 10.244.0.0/16: untracked",
                     "10.244.0.0/16 -> 10.244.1.7/32: untracked", "10.244.1.0/24 -> any: as ever",
                     "any -> 10.244.1.0/24: as ever", "10.244.0.0/16 -> 172.16.0.0/12: untracked",
                     "172.16.0.0/12 -> 10.244.0.0/16: untracked", "any -> 10.244.0.0/16 ICMP 3: untracked",
                     "any -> 10.244.0.0/16 ICMP 4: untracked", "any -> 10.244.0.0/16 ICMP 11: untracked",
                     "any -> 10.244.0.0/16 ICMP 12: untracked"});
}

TEST_CASE("Liveness by a node's own addresses is not tracked, wherever the gateways run", "[gateway]") {
  NodeRules rules{.ranges = {cidr("172.16.0.0/13")}, .node = {ip("10.244.1.1"), ip("fd00:10:0:1::1")}};
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const firewall::RuleSet set = node_rule_set(family, rules);
    const Cidr own = cidr(family == IpFamily::kV4 ? "10.244.1.1/32" : "fd00:10:0:1::1/128");
    const auto chain_of = [&](firewall::Hook hook) {
      return *std::ranges::find(set.chains, hook, &firewall::Chain::hook);
    };
    const firewall::Chain arriving = chain_of(firewall::Hook::kRaw);
    REQUIRE(arriving.rules.size() == 1);
    CHECK(arriving.rules[0].destination->range == own);
    const firewall::Chain sent = chain_of(firewall::Hook::kRawOwn);
    REQUIRE(sent.rules.size() == 1);
    CHECK(sent.rules[0].source->range == own);
    for (const firewall::Rule& rule : {arriving.rules[0], sent.rules[0]}) {
      CHECK(rule.udp_port == 4784);
      CHECK(rule.target == firewall::Target::kUntrack);
    }
  }
  rules.ranges.clear();  // it has no gateways
  const firewall::RuleSet none = node_rule_set(IpFamily::kV4, rules);
  CHECK(std::ranges::none_of(none.chains, &firewall::Chain::wanted));
}

TEST_CASE("New connections from the cloud to a node are dropped on every node", "[gateway]") {
  const NodeRules rules{.ranges = {cidr("172.16.0.0/12"), cidr("fd00:20::/48")}};
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const firewall::Chain input = node_rule_set(family, rules).chains.at(1);
    CHECK(input.hook == firewall::Hook::kInput);
    REQUIRE(input.rules.size() == 2);
    CHECK(input.rules[0].in_link == firewall::LinkMatch{"lo"});
    CHECK(input.rules[0].target == firewall::Target::kReturn);
    CHECK(input.rules[1].target == firewall::Target::kDrop);
    CHECK(input.rules[1].connection == firewall::ConnectionMatch::kNew);
    CHECK(input.rules[1].counted);
    CHECK(input.rules[1].source->range.family() == family);
  }
  CHECK_FALSE(node_rule_set(IpFamily::kV4, {}).chains[1].wanted);
}

TEST_CASE("A node hears liveness by the overlay and the bridge alone", "[gateway]") {
  const NodeRules rules{.ranges = {cidr("172.16.0.0/12")}, .ways = {"cni0", "flannel.1"}};
  const std::vector<firewall::Rule> input = node_rule_set(IpFamily::kV4, rules).chains.at(1).rules;
  REQUIRE(input.size() == 5);  // the first two are as without
  CHECK(input[2].in_link == firewall::LinkMatch{"cni0"});
  CHECK(input[3].in_link == firewall::LinkMatch{"flannel.1"});
  for (const std::size_t i : {2U, 3U, 4U}) {
    CHECK(input[i].udp_port == 4784);
    CHECK(input[i].target == (i == 4 ? firewall::Target::kDrop : firewall::Target::kReturn));
  }
  CHECK_FALSE(input[4].in_link.has_value());
}

TEST_CASE("Of what a node forwards only pods' packets, and kube-proxy's, go to the cloud", "[gateway]") {
  const NodeRules rules{.ranges = {cidr("172.16.0.0/12"), cidr("fd00:20::/48")},
                        .ways = {"cni0", "flannel.1"}};
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const firewall::Chain lan = node_rule_set(family, rules).chains.at(3);
    CHECK(lan.hook == firewall::Hook::kForward);
    CHECK(lan.first);
    CHECK(lan.wanted);
    REQUIRE(lan.rules.size() == 5);
    CHECK(lan.rules[0].in_link == firewall::LinkMatch{"cni0"});
    CHECK(lan.rules[1].in_link == firewall::LinkMatch{"flannel.1"});
    CHECK(lan.rules[2].mark == firewall::MarkMatch{0x4000, 0x4000});
    for (const std::size_t i : {0U, 1U, 2U}) CHECK(lan.rules[i].target == firewall::Target::kReturn);
    for (const std::size_t i : {3U, 4U}) {
      CHECK(lan.rules[i].target == firewall::Target::kDrop);
      CHECK(lan.rules[i].counted);
    }
    CHECK(lan.rules[3].destination->range.family() == family);
    CHECK(lan.rules[4].source == lan.rules[3].destination);
  }
  CHECK_FALSE(node_rule_set(IpFamily::kV4, {}).chains.at(3).wanted);
}

TEST_CASE("What is for the cloud leaves by the overlay and the bridge alone", "[gateway]") {
  const NodeRules rules{.ranges = {cidr("172.16.0.0/12"), cidr("fd00:20::/48")},
                        .ways = {"cni0", "flannel.1"}};
  const firewall::Chain leaving = node_rule_set(IpFamily::kV4, rules).chains.at(2);
  CHECK(leaving.hook == firewall::Hook::kLeaving);
  CHECK(leaving.wanted);
  REQUIRE(leaving.rules.size() == 4);
  CHECK(leaving.rules[0].out_link == firewall::LinkMatch{"lo"});
  for (const std::size_t i : {0U, 1U, 2U}) {
    CHECK(leaving.rules[i].target == firewall::Target::kReturn);
    CHECK(leaving.rules[i].out_link.has_value());
    CHECK_FALSE(leaving.rules[i].destination.has_value());
  }
  CHECK(leaving.rules[3].target == firewall::Target::kDrop);
  CHECK(leaving.rules[3].destination->range == cidr("172.16.0.0/12"));
  CHECK_FALSE(node_rule_set(IpFamily::kV4, {}).chains.at(2).wanted);
}

TEST_CASE("Who answers for the API server's name keeps few addresses off the gateways", "[gateway]") {
  const std::vector<IpAddress> before{ip("203.0.113.9")};
  const auto missed = fail(Code::kUnavailable, "no name server answers");
  CHECK(server_addresses({std::vector{ip("203.0.113.8"), ip("203.0.113.7"), ip("203.0.113.8")}}, before) ==
        ServerAddresses{{ip("203.0.113.7"), ip("203.0.113.8")}, ""});
  CHECK(server_addresses({missed, std::vector{ip("203.0.113.7")}}, before) ==
        ServerAddresses{{ip("203.0.113.7"), ip("203.0.113.9")},
                        "no name server answers; exempt are 203.0.113.7, 203.0.113.9"});
  CHECK(server_addresses({missed}, {}) ==
        ServerAddresses{{}, "no name server answers; tell its address as --exempt"});
  std::vector<IpAddress> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back(ip(("172.16." + std::to_string(i / 250) + "." + std::to_string(i % 250)).c_str()));
  CHECK(server_addresses({many}, before).addresses == before);
  CHECK_THAT(server_addresses({many}, before).trouble, Catch::Contains("1000 addresses by its names"));
  CHECK(server_addresses({many}, {}).addresses.size() == kMostServers);
}

Result<HelperOptions> options_of(std::vector<std::string> arguments,
                                 std::map<std::string, std::string> environment = {}) {
  return parse_helper_options(
      arguments, [environment](const std::string& name) -> std::optional<std::string> {
        const auto found = environment.find(name);
        return found == environment.end() ? std::nullopt : std::optional(found->second);
      });
}

TEST_CASE("The controller runs egw-helper by flags that it has, and it tells how it fares on its machine",
          "[gateway]") {
  const nlohmann::json pod =
      helper_object({"egw-gateway", "holdfast"}, "hangzhou")["spec"]["template"]["spec"];
  const nlohmann::json& container = pod["containers"][0];
  const HelperOptions options = options_of(container["args"].get<std::vector<std::string>>()).value();
  CHECK(options.pool == "hangzhou");
  for (const char* probe : {"livenessProbe", "readinessProbe"}) {
    const nlohmann::json& get = container[probe]["httpGet"];
    CHECK(options.healthz.port == get["port"]);
    CHECK(get["host"] == "127.0.0.1");
  }
  CHECK(options.healthz.address.to_string() == "127.0.0.1");
}

TEST_CASE("Flags and environment tell the pool, the node and what is exempt", "[gateway]") {
  const HelperOptions options =
      options_of(
          {"--pool=hangzhou", "--source=dir", "--exempt=203.0.113.0/24", "--firewall=iptables",
           "--healthz=127.0.0.1:9000", "--removal-delay=0"},
          {{"NODE_NAME", "box-1"}, {"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"EGW_HELPER_RESYNC", "9"}})
          .value();
  CHECK(options.pool == "hangzhou");
  CHECK(options.node_name == "box-1");
  CHECK(options.source.kind == SourceKind::kDir);
  CHECK(options.firewall == firewall::BackEnd::kIptables);
  CHECK(options.exempt == std::vector<Cidr>{cidr("203.0.113.0/24"), cidr("10.96.0.1/32")});
  CHECK(options.resync == std::chrono::seconds(9));
  CHECK(options.removal_delay == std::chrono::seconds(0));
  CHECK(options.healthz.port == 9000);
  CHECK(options_of({"--once"}).value().once);
  CHECK_THAT(helper_help(), Catch::Contains("--bfd-keys") && Catch::Contains("EGW_HELPER_POOL"));
}

TEST_CASE("Flags that make no sense are refused by name", "[gateway]") {
  struct Case {
    std::vector<std::string> arguments;
    const char* error;
  };
  const Case cases[] = {
      {{"--node-name=n"}, "--pool tells no pool"},
      {{"--pool=p"}, "--node-name tells no name"},
      {{"--pool=p", "--node-name=n", "--source=etcd"}, "is neither crd nor dir"},
      {{"--pool=p", "--node-name=n", "--firewall=x"}, "is none of auto, iptables, nftables"},
      {{"--pool=p", "--node-name=n", "--exempt=x"}, "is not a CIDR"},
      {{"--pool=p", "--node-name=n", "--overlay=flannel.1-is-too-long"}, "is longer"},
      {{"--pool=p", "--node-name=n", "--resync=0"}, "--resync"}};
  for (const Case& c : cases) CHECK_THAT(options_of(c.arguments).error().message, Catch::Contains(c.error));
}

}  // namespace
}  // namespace holdfast::gateway
