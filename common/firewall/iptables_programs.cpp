#include "common/firewall/iptables_programs.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

namespace holdfast::firewall {
namespace {

constexpr auto kDeadline = std::chrono::seconds(10);
constexpr const char* kLockSeconds = "5";
// kube-proxy may have tens of thousands of rules in the tables
constexpr std::size_t kMaxTableBytes = std::size_t{64} << 20;
// Exit statuses of iptables(8).
constexpr int kLockHeld = 4;

constexpr IpFamily kBothFamilies[] = {IpFamily::kV4, IpFamily::kV6};
constexpr const char* kNft = "-nft";
constexpr const char* kLegacy = "-legacy";
// Nodes that went over from one to the other since their boot have kubelet's chains in both: kube-proxy takes
// the first then.
constexpr const char* kVariants[] = {kNft, kLegacy};

std::string name_of(IpFamily family, std::string_view variant, std::string_view suffix) {
  return std::string(family == IpFamily::kV4 ? "iptables" : "ip6tables").append(variant).append(suffix);
}

/// Of a question that a program may answer with its failure: what failed otherwise is an error.
template <class T>
Result<bool> succeeds(const Result<T>& asked) {
  if (asked) return true;
  const Code code = asked.error().code;
  if (code == Code::kNotFound || code == Code::kInternal || code == Code::kUnavailable) return false;
  return tl::unexpected(asked.error());
}

Result<bool> has_kubelets_chains(Executor& executor, const std::string& variant) {
  const IptablesPrograms programs(executor, variant);
  for (const IpFamily family : kBothFamilies) {
    // legacy would make the table, and is read whole
    const Result<SavedTables> saved =
        variant == kNft ? programs.save(family, {"mangle"}) : programs.save_all(family);
    HOLDFAST_TRY(const bool read, succeeds(saved));
    if (!read) continue;
    const auto mangle = saved->find("mangle");
    if (mangle == saved->end()) continue;
    for (const char* chain : {"KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY"}) {
      if (mangle->second.policies.contains(chain)) return true;
    }
  }
  return false;
}

}  // namespace

std::string IptablesPrograms::name(IpFamily family) const { return name_of(family, variant_, ""); }

std::string IptablesPrograms::path_of(IpFamily family, std::string_view suffix) const {
  return find_system_program(name_of(family, variant_, suffix));
}

bool IptablesPrograms::are_those_of(const IptablesPrograms& other, IpFamily family) const {
  const std::string path = path_of(family, "-save");
  const std::string others = other.path_of(family, "-save");
  std::error_code none;
  return !path.empty() && !others.empty() && std::filesystem::equivalent(path, others, none);
}

Result<std::string> IptablesPrograms::run(IpFamily family, std::string_view suffix,
                                          std::vector<std::string> arguments, std::string input) const {
  const std::string name = name_of(family, variant_, suffix);
  const std::string path = path_of(family, suffix);
  if (path.empty()) {
    return fail(Code::kNotFound,
                name + " is not installed; install iptables or use nftables mode (EnableNFTables)");
  }
  Command command;
  command.argv = {path};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  command.input = std::move(input);
  command.deadline = kDeadline;
  command.max_output_bytes = kMaxTableBytes;
  HOLDFAST_TRY(CommandResult ended, executor_->run(command));
  if (!ended.succeeded()) {
    std::string words = ended.errors.substr(0, ended.errors.find('\n'));
    if (words.empty()) words = "exit status " + std::to_string(ended.exit_status);
    return fail(ended.exit_status == kLockHeld ? Code::kUnavailable : Code::kInternal, name + ": " + words);
  }
  if (ended.truncated) return fail(Code::kResourceExhausted, name + " printed more than 64 MiB");
  return std::move(ended.output);
}

Result<SavedTables> IptablesPrograms::save(IpFamily family, const std::vector<std::string_view>& tables,
                                           bool with_counts) const {
  SavedTables out;
  for (const std::string_view table : tables) {
    std::vector<std::string> arguments{"-t", std::string(table)};
    if (with_counts) arguments.emplace_back("-c");
    HOLDFAST_TRY(const std::string text, run(family, "-save", std::move(arguments), {}));
    out.merge(parse_iptables_save(text));
  }
  return out;
}

Result<SavedTables> IptablesPrograms::save_all(IpFamily family) const {
  HOLDFAST_TRY(const std::string text, run(family, "-save", {}, {}));
  return parse_iptables_save(text);
}

Result<SavedTable> IptablesPrograms::look_at(IpFamily family, std::string_view table) const {
  // legacy makes a table that it is asked for by name
  const bool legacy = are_those_of(IptablesPrograms(*executor_, kLegacy), family);
  HOLDFAST_TRY(SavedTables there, legacy ? save_all(family) : save(family, {table}));
  const auto found = there.find(table);
  return found == there.end() ? SavedTable{} : std::move(found->second);
}

Status IptablesPrograms::restore(IpFamily family, const std::string& text) const {
  HOLDFAST_TRY([[maybe_unused]] const std::string output,
               run(family, "-restore", {"--noflush", "-w", kLockSeconds}, text));
  return {};
}

Result<IptablesPrograms> find_iptables(Executor& executor) {
  const IptablesPrograms called(executor);
  std::vector<IptablesPrograms> others = other_iptables(executor, called, IpFamily::kV4);
  if (others.empty()) return called;  // nothing to choose from
  for (const char* variant : kVariants) {
    HOLDFAST_TRY(const bool kubelets, has_kubelets_chains(executor, variant));
    if (!kubelets) continue;
    const IptablesPrograms one(executor, variant);
    return one.are_those_of(called, IpFamily::kV4) ? called : one;
  }
  HOLDFAST_TRY(const bool taken, succeeds(called.save_all(IpFamily::kV4)));
  if (taken) return called;
  for (IptablesPrograms& other : others) {
    HOLDFAST_TRY(const bool other_taken, succeeds(other.save_all(IpFamily::kV4)));
    if (other_taken) return std::move(other);
  }
  return called;
}

std::vector<IptablesPrograms> other_iptables(Executor& executor, const IptablesPrograms& chosen,
                                             IpFamily family) {
  std::vector<IptablesPrograms> out;
  for (const char* variant : kVariants) {
    IptablesPrograms one(executor, variant);
    if (one.is_installed(family) && !one.are_those_of(chosen, family)) out.push_back(std::move(one));
  }
  return out;
}

}  // namespace holdfast::firewall
