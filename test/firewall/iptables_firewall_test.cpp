// What needs an iptables that fails, or another one than the machine's.

#include "common/firewall/iptables_firewall.h"

#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "test/catch.h"

namespace holdfast::firewall {
namespace {

class FakeExecutor final : public Executor {
 public:
  std::function<Result<CommandResult>(const Command&)> answer = [](const Command&) {
    return CommandResult{};
  };
  std::vector<Command> commands;

  Result<CommandResult> run(const Command& command) override {
    commands.push_back(command);
    return answer(command);
  }
};

CommandResult failed(int status, std::string errors) {
  CommandResult out;
  out.exit_status = status;
  out.errors = std::move(errors);
  return out;
}

/// An iptables whose tables hold what one_rule() leaves, in that spelling of the rule's target.
CommandResult saved(const std::string& target) {
  CommandResult out;
  out.output = "*nat\n:OURS - [0:0]\n-A OURS -m comment --comment mark -j " + target +
               "\n-A POSTROUTING -m comment --comment mark -j OURS\nCOMMIT\n";
  return out;
}

bool is_save(const Command& command) { return command.argv[0].ends_with("-save"); }

RuleSet one_rule() {
  RuleSet set;
  set.chains = {
      {Hook::kPostrouting, true, {{{}, {}, {}, Target::kMasqueradeFullyRandom}}, "OURS", "mark", "ours", ""}};
  return set;
}

TEST_CASE("An iptables that cannot choose ports at random masquerades without", "[firewall]") {
  FakeExecutor executor;
  bool is_put = false;
  executor.answer = [&is_put](const Command& command) {
    if (is_save(command)) return is_put ? saved("MASQUERADE") : CommandResult{};
    if (command.input.find("--random-fully") != std::string::npos) {
      return failed(2, "iptables-restore v1.4.21: unknown option \"--random-fully\"\n");
    }
    is_put = true;
    return CommandResult{};
  };
  IptablesFirewall firewall(executor, IptablesPrograms(executor));
  REQUIRE(firewall.put(one_rule()).has_value());
  REQUIRE(executor.commands.size() == 4);  // look, try, try without, look
  CHECK(executor.commands[2].input ==
        "*nat\n:OURS - [0:0]\n-A OURS -m comment --comment \"mark\" -j MASQUERADE\n"
        "-A POSTROUTING -m comment --comment \"mark\" -j OURS\nCOMMIT\n");
  REQUIRE(firewall.put(one_rule()).has_value());
  CHECK(executor.commands.size() == 7);  // it is not tried again
}

TEST_CASE("A lock that is held and a refusal are told in iptables' words", "[firewall]") {
  FakeExecutor executor;
  IptablesFirewall firewall(executor, IptablesPrograms(executor));
  executor.answer = [](const Command&) {
    return failed(4, "Another app is currently holding the xtables lock.\nmore");
  };
  const Status held = firewall.put(one_rule());
  REQUIRE_FALSE(held.has_value());
  CHECK(held.error().code == Code::kUnavailable);
  CHECK(held.error().message == "iptables-save: Another app is currently holding the xtables lock.");
  executor.answer = [](const Command&) { return failed(1, ""); };
  CHECK(firewall.is_whole(one_rule()).error().message == "iptables-save: exit status 1");
}

TEST_CASE("A put whose chain is gone when looked at again is told", "[firewall]") {
  FakeExecutor executor;  // its tables stay empty
  IptablesFirewall firewall(executor, IptablesPrograms(executor));
  const Status put = firewall.put(one_rule());
  REQUIRE_FALSE(put.has_value());
  CHECK(put.error().code == changed_meanwhile().value().code);
}

TEST_CASE("Every run of iptables has a deadline and waits for the lock by itself", "[firewall]") {
  FakeExecutor executor;
  executor.answer = [](const Command& command) {
    return is_save(command) ? saved("MASQUERADE --random-fully") : CommandResult{};
  };
  IptablesFirewall firewall(executor, IptablesPrograms(executor));
  REQUIRE(firewall.put(one_rule()).has_value());
  for (const Command& command : executor.commands) CHECK(command.deadline.count() > 0);
  CHECK(executor.commands[1].argv[1] == "--noflush");
  CHECK(executor.commands[1].argv[2] == "-w");
}

TEST_CASE("An iptables that spells rules in its own way is not fought", "[firewall]") {
  FakeExecutor executor;
  executor.answer = [](const Command& command) {
    return is_save(command) ? saved("MASQUERADE --random-fully") : CommandResult{};
  };
  IptablesFirewall firewall(executor, IptablesPrograms(executor));
  CHECK_FALSE(firewall.is_whole(one_rule()).value());
  REQUIRE(firewall.put(one_rule()).has_value());
  CHECK(firewall.is_whole(one_rule()).value());
  RuleSet other = one_rule();
  other.chains[0].rules.clear();
  CHECK_FALSE(firewall.is_whole(other).value());
}

/// Which of the two kinds a run was of.
std::string kind_of(const Command& command) { return std::filesystem::canonical(command.argv[0]).filename(); }

TEST_CASE("Of two iptables that is taken which has kubelet's chains, else what the kernel takes",
          "[firewall]") {
  const std::string nft = "xtables-nft-multi";
  const std::string legacy = "xtables-legacy-multi";
  const std::string called = std::filesystem::canonical("/usr/sbin/iptables").filename();
  struct Case {
    const char* name;
    std::map<std::string, std::string> mangle;  // lines of a kind's table
    std::set<std::string> refused;              // by the kernel
    std::string taken;
  };
  const Case cases[] = {
      {"hint in nft", {{nft, ":KUBE-IPTABLES-HINT - [0:0]\n"}}, {}, nft},
      {"canary in nft", {{nft, ":KUBE-KUBELET-CANARY - [0:0]\n"}}, {}, nft},
      {"hint in legacy", {{legacy, ":KUBE-IPTABLES-HINT - [0:0]\n"}}, {}, legacy},
      {"canary in legacy, nft refused", {{legacy, ":KUBE-KUBELET-CANARY - [0:0]\n"}}, {nft}, legacy},
      {"in both",
       {{nft, ":KUBE-KUBELET-CANARY - [0:0]\n"}, {legacy, ":KUBE-IPTABLES-HINT - [0:0]\n"}},
       {},
       nft},
      {"in neither", {{nft, ":OTHER - [0:0]\n"}, {legacy, ":OTHER - [0:0]\n"}}, {}, called},
      {"another's chain that begins like it", {{legacy, ":KUBE-KUBELET-CANARY-2 - [0:0]\n"}}, {}, called},
      {"nft refused", {}, {nft}, legacy},
      {"legacy refused", {}, {legacy}, nft},
      {"both refused", {}, {nft, legacy}, called},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      FakeExecutor executor;
      executor.answer = [&c](const Command& command) {
        if (c.refused.contains(kind_of(command)))
          return failed(1, "Could not fetch rule set generation id\n");
        CommandResult out;
        const auto lines = c.mangle.find(kind_of(command));
        if (lines != c.mangle.end()) out.output = "*mangle\n" + lines->second + "COMMIT\n";
        return out;
      };
      const auto found = find_iptables(executor);
      REQUIRE(found.has_value());
      executor.answer = [](const Command&) { return CommandResult{}; };
      REQUIRE(found->save_all(IpFamily::kV6).has_value());
      CHECK(kind_of(executor.commands.back()) == c.taken);
      // its table would be made by asking for it by name
      for (const Command& command : executor.commands) {
        CHECK((kind_of(command) == nft || command.argv.size() == 1));
      }
    }
  }
}

TEST_CASE("An iptables that does not end is not taken for one without kubelet's chains", "[firewall]") {
  FakeExecutor executor;
  executor.answer = [](const Command&) -> Result<CommandResult> {
    return fail(Code::kDeadlineExceeded, "it did not end");
  };
  CHECK(find_iptables(executor).error().code == Code::kDeadlineExceeded);
  CHECK(IptablesFirewall(executor).is_whole(one_rule()).error().code == Code::kDeadlineExceeded);
}

TEST_CASE("The policy of FORWARD is told", "[firewall]") {
  FakeExecutor executor;
  for (const auto& [policy, accepts] : {std::pair{"ACCEPT", true}, std::pair{"DROP", false}}) {
    executor.answer = [policy = policy](const Command&) {
      CommandResult out;
      out.output = std::string("*filter\n:FORWARD ") + policy + " [0:0]\nCOMMIT\n";
      return out;
    };
    CHECK(forwards_by_default(iptables_filter_table(executor, IpFamily::kV4).value()) == accepts);
  }
  executor.answer = [](const Command&) { return CommandResult{}; };
  CHECK(forwards_by_default(iptables_filter_table(executor, IpFamily::kV6).value()));
}

}  // namespace
}  // namespace holdfast::firewall
