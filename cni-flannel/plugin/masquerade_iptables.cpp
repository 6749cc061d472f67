#include "cni-flannel/plugin/masquerade_iptables.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/sha.h"

namespace holdfast::flannel {
namespace {

constexpr std::string_view kChainPrefix = "CNI-";
constexpr std::size_t kChainLength = 28;  // what iptables takes
constexpr auto kDeadline = std::chrono::seconds(10);
constexpr const char* kLockSeconds = "5";
// Exit statuses of iptables(8): what was named is not there; the table cannot be had, so nothing is in it;
// the lock is held.
constexpr int kAbsent = 1;
constexpr int kNoTable = 3;
constexpr int kLockHeld = 4;

constexpr IpFamily kFamilies[] = {IpFamily::kV4, IpFamily::kV6};

using Arguments = std::vector<std::string>;

std::string comment_of(const RuleOwner& owner) {
  return "name: \"" + owner.network + "\" id: \"" + owner.container_id + "\"";
}

/// Arguments that end a rule.
Arguments rule(Arguments match, const RuleOwner& owner, std::string target) {
  match.insert(match.end(), {"-m", "comment", "--comment", comment_of(owner), "-j", std::move(target)});
  return match;
}

Arguments accept_inside(const RuleOwner& owner, const Cidr& address) {
  return rule({masquerade_chain(owner), "-d", address.network().to_string()}, owner, "ACCEPT");
}

Arguments masquerade_outside(const RuleOwner& owner, IpFamily family) {
  const char* multicast = family == IpFamily::kV4 ? "224.0.0.0/4" : "ff00::/8";
  return rule({masquerade_chain(owner), "!", "-d", multicast}, owner, "MASQUERADE");
}

Arguments jump_from(const RuleOwner& owner, std::string source) {
  return rule({"POSTROUTING", "-s", std::move(source)}, owner, masquerade_chain(owner));
}

/// One of iptables and ip6tables.
class Iptables {
 public:
  Iptables(Executor& executor, IpFamily family)
      : executor_(executor),
        name_(family == IpFamily::kV4 ? "iptables" : "ip6tables"),
        path_(find_system_program(name_)) {}

  [[nodiscard]] bool installed() const { return !path_.empty(); }

  /// The program's exit status when it is 0 or among `expected`.
  Result<int> run(std::string_view verb, const Arguments& arguments,
                  std::initializer_list<int> expected = {}) {
    HOLDFAST_TRY(const CommandResult ended, run_program(verb, arguments));
    const bool fine =
        ended.signal == 0 && (ended.exit_status == 0 || std::ranges::count(expected, ended.exit_status) > 0);
    if (!fine) return failure(verb, arguments, ended);
    return ended.exit_status;
  }
  Status change(std::string_view verb, const Arguments& arguments) {
    HOLDFAST_TRY([[maybe_unused]] const int status, run(verb, arguments));
    return {};
  }
  /// What a successful `-S CHAIN` prints.
  Result<std::string> list(const std::string& chain) {
    HOLDFAST_TRY(CommandResult ended, run_program("-S", {chain}));
    if (!ended.succeeded()) return failure("-S", {chain}, ended);
    return std::move(ended.output);
  }

 private:
  Result<CommandResult> run_program(std::string_view verb, const Arguments& arguments) {
    if (!installed()) return fail(Code::kNotFound, name_ + " is not installed; use ipMasqBackend nftables");
    Command command;
    command.argv = {path_, "-w", kLockSeconds, "-t", "nat", std::string(verb)};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    command.deadline = kDeadline;
    return executor_.run(command);
  }
  tl::unexpected<Error> failure(std::string_view verb, const Arguments& arguments,
                                const CommandResult& ended) const {
    std::string words = ended.errors.substr(0, ended.errors.find('\n'));
    if (words.empty()) words = "exit status " + std::to_string(ended.exit_status);
    return fail(ended.exit_status == kLockHeld ? Code::kUnavailable : Code::kInternal,
                name_ + " -t nat " + std::string(verb) + " " + arguments.front() + ": " + words);
  }

  Executor& executor_;
  std::string name_;
  std::string path_;
};

std::vector<Cidr> of_family(std::span<const Cidr> addresses, IpFamily family) {
  std::vector<Cidr> out;
  std::ranges::copy_if(addresses, std::back_inserter(out),
                       [family](const Cidr& a) { return a.family() == family; });
  return out;
}

Status put_chain(Iptables& iptables, const RuleOwner& owner, const std::vector<Cidr>& addresses) {
  // -N fails with the same status for a chain that is there and for one that cannot be made: -F tells them
  // apart
  HOLDFAST_TRY([[maybe_unused]] const int made, iptables.run("-N", {masquerade_chain(owner)}, {kAbsent}));
  HOLDFAST_CHECK(iptables.change("-F", {masquerade_chain(owner)}));
  for (const Cidr& address : addresses) {
    HOLDFAST_CHECK(iptables.change("-A", accept_inside(owner, address)));
  }
  HOLDFAST_CHECK(iptables.change("-A", masquerade_outside(owner, addresses.front().family())));
  for (const Cidr& address : addresses) {
    const Arguments jump = jump_from(owner, address.address().to_string());
    HOLDFAST_TRY(const int absent, iptables.run("-C", jump, {kAbsent}));
    if (absent != 0) {
      HOLDFAST_CHECK(iptables.change("-A", jump));
    }
  }
  return {};
}

/// The sources of the jumps to `chain` among the lines of `iptables -S POSTROUTING`.
Arguments sources_of_jumps(std::string_view listing, const std::string& chain) {
  constexpr std::string_view kRuleStart = "-A POSTROUTING -s ";
  Arguments out;
  while (!listing.empty()) {
    const std::string_view line = listing.substr(0, listing.find('\n'));
    listing.remove_prefix(std::min(line.size() + 1, listing.size()));
    if (!line.starts_with(kRuleStart) || !line.ends_with(" -j " + chain)) continue;
    const std::string_view rest = line.substr(kRuleStart.size());
    out.emplace_back(rest.substr(0, rest.find(' ')));
  }
  return out;
}

Status drop_chain(Iptables& iptables, const RuleOwner& owner) {
  const std::string chain = masquerade_chain(owner);
  HOLDFAST_TRY(const int absent, iptables.run("-S", {chain}, {kAbsent, kNoTable}));
  if (absent != 0) return {};
  HOLDFAST_TRY(const std::string listing, iptables.list("POSTROUTING"));
  for (const std::string& source : sources_of_jumps(listing, chain)) {
    HOLDFAST_CHECK(iptables.change("-D", jump_from(owner, source)));
  }
  HOLDFAST_CHECK(iptables.change("-F", {chain}));
  return iptables.change("-X", {chain});
}

}  // namespace

std::string masquerade_chain(const RuleOwner& owner) {
  return (std::string(kChainPrefix) + sha512_hex(owner.network + owner.container_id)).substr(0, kChainLength);
}

Status put_masquerade_iptables(Executor& executor, const RuleOwner& owner, std::span<const Cidr> addresses) {
  for (const IpFamily family : kFamilies) {
    const std::vector<Cidr> wanted = of_family(addresses, family);
    Iptables iptables(executor, family);
    if (!wanted.empty()) {
      HOLDFAST_CHECK(put_chain(iptables, owner, wanted));
    }
  }
  return {};
}

Status drop_masquerade_iptables(Executor& executor, const RuleOwner& owner) {
  Status first_failure;
  for (const IpFamily family : kFamilies) {
    Iptables iptables(executor, family);
    if (!iptables.installed()) continue;
    Status dropped = drop_chain(iptables, owner);
    if (!dropped && first_failure) first_failure = std::move(dropped);
  }
  return first_failure;
}

Result<bool> has_masquerade_iptables(Executor& executor, const RuleOwner& owner,
                                     std::span<const Cidr> addresses) {
  for (const Cidr& address : addresses) {
    Iptables iptables(executor, address.family());
    const Arguments rules[] = {jump_from(owner, address.address().to_string()), accept_inside(owner, address),
                               masquerade_outside(owner, address.family())};
    for (const Arguments& wanted : rules) {
      // 2: the chain that the rule jumps to is not there
      HOLDFAST_TRY(const int absent, iptables.run("-C", wanted, {kAbsent, 2, kNoTable}));
      if (absent != 0) return false;
    }
  }
  return true;
}

}  // namespace holdfast::flannel
