#include "cni-flannel/plugin/masquerade_iptables.h"

#include <utility>
#include <vector>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

const RuleOwner kOne{"cbr0", "one", "eth0"};

/// Answers every command with one exit status and remembers the commands.
class FakeExecutor final : public Executor {
 public:
  explicit FakeExecutor(int exit_status, std::string errors = {}) {
    answer_.exit_status = exit_status;
    answer_.errors = std::move(errors);
  }
  Result<CommandResult> run(const Command& command) override {
    commands.push_back(command);
    return answer_;
  }
  std::vector<Command> commands;

 private:
  CommandResult answer_;
};

std::vector<Cidr> addresses(std::initializer_list<const char*> texts) {
  std::vector<Cidr> out;
  for (const char* text : texts) out.push_back(Cidr::parse(text).value());
  return out;
}

TEST_CASE("The chain's name is upstream's", "[plugin]") {
  // CNI- and the first 24 digits of `printf cbr0one | sha512sum`
  CHECK(masquerade_chain(kOne).size() == 28);
  CHECK(masquerade_chain(kOne) == "CNI-bf6160f434cb726281bdc68b");
}

TEST_CASE("A failing iptables is told in its own words", "[plugin]") {
  FakeExecutor executor(4, "Another app is currently holding the xtables lock.\nmore");
  const Status done = put_masquerade_iptables(executor, kOne, addresses({"10.244.3.7/24"}));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().code == Code::kUnavailable);
  CHECK(done.error().message == "iptables -t nat -N " + masquerade_chain(kOne) +
                                    ": Another app is currently holding the xtables lock.");
  CHECK(drop_masquerade_iptables(executor, kOne).error().code == Code::kUnavailable);
  for (const Command& command : executor.commands) {
    REQUIRE(command.argv.size() > 5);
    CHECK(command.argv[1] == "-w");
    CHECK(command.argv[2] == "5");
    CHECK(command.deadline > std::chrono::seconds(5));
  }
}

TEST_CASE("A table that cannot be had holds no rules", "[plugin]") {
  FakeExecutor executor(3, "can't initialize ip6tables table `nat'");
  CHECK(drop_masquerade_iptables(executor, kOne).has_value());
  CHECK_FALSE(has_masquerade_iptables(executor, kOne, addresses({"10.244.3.7/24"})).value());
  CHECK_FALSE(put_masquerade_iptables(executor, kOne, addresses({"10.244.3.7/24"})).has_value());
}

}  // namespace
}  // namespace holdfast::flannel
