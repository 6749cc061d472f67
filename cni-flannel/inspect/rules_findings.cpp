#include "cni-flannel/inspect/rules_findings.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cni-flannel/daemon/no_masquerade.h"
#include "cni-flannel/daemon/peer_guard.h"
#include "cni-flannel/daemon/rules_wanted.h"
#include "common/firewall/forward_gates.h"
#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"
#include "common/firewall/udp_drops.h"
#include "common/netlink/netns.h"

namespace holdfast::flannel {
namespace {

using firewall::ChainRules;
using firewall::RuleSet;

bool wants_anything(const RuleSet& set) {
  return std::ranges::any_of(set.chains, [](const firewall::Chain& chain) { return chain.wanted; });
}

/// The back end that net-conf.json tells, for the namespace of the calling thread.
class Backend {
 public:
  static Result<Backend> open(bool nftables, Executor& executor) {
    Backend out;
    if (!nftables) {
      out.firewall_ = std::make_unique<firewall::IptablesFirewall>(executor);
      return out;
    }
    HOLDFAST_TRY(nl::Socket socket, nl::Socket::open(nl::Protocol::kNetfilter));
    out.socket_ = std::make_unique<nl::Socket>(std::move(socket));
    out.firewall_ = std::make_unique<firewall::NftablesFirewall>(*out.socket_);
    return out;
  }
  [[nodiscard]] firewall::Firewall& get() const { return *firewall_; }

 private:
  Backend() = default;
  std::unique_ptr<nl::Socket> socket_;
  std::unique_ptr<firewall::Firewall> firewall_;
};

Result<ChainRules> rules_as_put(bool nftables, Executor& executor, const RuleSet& set) {
  HOLDFAST_TRY(const Fd empty, nl::make_netns());
  return nl::in_netns(empty.get(), [&]() -> Result<ChainRules> {
    HOLDFAST_TRY(const Backend backend, Backend::open(nftables, executor));
    HOLDFAST_CHECK(backend.get().put(set));
    return backend.get().read_chains(set);
  });
}

/// Every chain of which something is wrong: "FLANNEL-FWD has 0 rules instead of 2".
std::string differences(const ChainRules& wanted, const ChainRules& there) {
  std::string out;
  const auto add = [&out](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  for (const auto& [chain, rules] : wanted) {
    const auto found = there.find(chain);
    if (found == there.end()) {
      add("chain " + chain + " lacks ours");
    } else if (found->second.size() != rules.size()) {
      add("chain " + chain + " has " + std::to_string(found->second.size()) + " of ours instead of " +
          std::to_string(rules.size()));
    } else if (found->second != rules) {
      add("chain " + chain + " has others in the place of ours");
    }
  }
  return out;
}

class RulesLook {
 public:
  RulesLook(Files& files, Executor& executor, const OverlayReport& overlay, const RulesExpected& expected)
      : files_(files), executor_(executor), overlay_(overlay), expected_(expected) {}

  std::vector<Finding> look() {
    std::vector<Cidr> ranges = read_no_masquerade(files_, expected_.options.no_masq_dir).ranges;
    const RulesWanted wanted =
        rules_wanted(overlay_.conf, expected_.options, *overlay_.own, ranges, std::nullopt);
    for (const RuleSet& set : wanted.sets) {
      if (wants_anything(set)) look_at_set(wanted.nftables, set);
    }
    look_at_guard();
    for (const FamilyReport& family : overlay_.families) look_at_filter(family);
    look_at_gates();
    return std::move(out_);
  }

 private:
  void add(Verdict verdict, std::string what, std::string detail) {
    out_.push_back({verdict, std::move(what), std::move(detail)});
  }
  void look_at_set(bool nftables, const RuleSet& set);
  void look_at_guard();
  void look_at_filter(const FamilyReport& family);
  void look_at_gates();
  [[nodiscard]] std::string cure() const {
    return expected_.runs
               ? "; flanneld looks every few seconds: somebody takes them away again, or its log tells "
                 "why it cannot"
               : "; flanneld puts them right when it runs";
  }

  Files& files_;
  Executor& executor_;
  const OverlayReport& overlay_;
  const RulesExpected& expected_;
  std::vector<Finding> out_;
};

void RulesLook::look_at_set(bool nftables, const RuleSet& set) {
  const std::string what = std::string("rules in ") + (nftables ? "nftables" : "iptables") +
                           (set.family == IpFamily::kV4 ? ", IPv4" : ", IPv6");
  const Result<ChainRules> wanted = rules_as_put(nftables, executor_, set);
  if (!wanted) return add(Verdict::kDoubtful, what, "cannot be compared: " + wanted.error().message);
  const Result<Backend> backend = Backend::open(nftables, executor_);
  if (!backend) return add(Verdict::kDoubtful, what, backend.error().message);
  const Result<ChainRules> there = backend->get().read_chains(set);
  if (!there) return add(Verdict::kWrong, what, there.error().message);
  const std::string wrong = differences(*wanted, *there);
  if (wrong.empty()) return add(Verdict::kWell, what, "as wanted");
  add(Verdict::kWrong, what,
      wrong + ": pods are not forwarded or not masqueraded as they should be" + cure());
}

void RulesLook::look_at_guard() {
  constexpr const char* kWhat = "peers' guard";
  PeerGuard guard{overlay_.conf.vxlan.port, {}};
  for (const FamilyReport& family : overlay_.families) {
    for (const PeerReport& peer : family.peers) guard.peers.push_back(peer.peer.end.public_address);
  }
  if (expected_.options.accept_unknown_peers) return;
  std::ranges::sort(guard.peers);
  guard.peers.erase(std::unique(guard.peers.begin(), guard.peers.end()), guard.peers.end());
  Result<nl::Socket> socket = nl::Socket::open(nl::Protocol::kNetfilter);
  const Result<bool> whole =
      socket ? peer_guard_is_whole(*socket, guard) : Result<bool>(tl::unexpected(socket.error()));
  if (!whole) return add(Verdict::kDoubtful, kWhat, whole.error().message);
  if (*whole) {
    return add(Verdict::kWell, kWhat,
               "takes VXLAN packets of " + std::to_string(guard.peers.size()) + " addresses");
  }
  const bool sure = expected_.runs && expected_.state_is_current;
  add(sure ? Verdict::kWrong : Verdict::kDoubtful, kWhat,
      "the table inet flanneld-peers is not as wanted: packets of a peer may be dropped, or those of "
      "strangers let "
      "in" +
          cure());
}

/// What rules of others do.
void RulesLook::look_at_filter(const FamilyReport& family) {
  const std::string port = "UDP " + std::to_string(overlay_.conf.vxlan.port);
  // the tunnels of a family run over the same family
  const Result<firewall::SavedTable> filter = firewall::iptables_filter_table(executor_, family.family);
  if (!filter) return add(Verdict::kDoubtful, "iptables", filter.error().message);
  if (overlay_.conf.nftables && !firewall::forwards_by_default(*filter)) {
    add(Verdict::kWrong, "iptables FORWARD",
        "its policy is DROP, which our rules in nftables cannot undo: set EnableNFTables to false, or the "
        "policy to "
        "ACCEPT");
  }
  const firewall::UdpDrops drops = firewall::udp_drops(*filter, overlay_.conf.vxlan.port);
  for (const std::string& rule : drops.always) {
    add(Verdict::kWrong, port, "what peers send is dropped by a rule of somebody: " + rule);
  }
  for (const std::string& rule : drops.sometimes) {
    add(Verdict::kDoubtful, port, "what peers send may be dropped by a rule of somebody: " + rule);
  }
  if (drops.by_default) {
    add(Verdict::kDoubtful, port,
        "INPUT drops what no rule accepts, and none names the port: accept it there");
  }
}

/// Chains of others that drop what is forwarded, in the same nftables as ours or beside our iptables.
void RulesLook::look_at_gates() {
  constexpr const char* kWhat = "forwarding";
  std::vector<std::string> links{"cni0"};
  for (const FamilyReport& family : overlay_.families) links.push_back(family.device);
  const Result<std::vector<std::string>> gates = firewall::forward_gates(links);
  if (!gates) return add(Verdict::kDoubtful, kWhat, gates.error().message);
  for (const std::string& gate : *gates) add(Verdict::kDoubtful, kWhat, gate);
}

}  // namespace

std::vector<Finding> rules_findings(Files& files, Executor& executor, const OverlayReport& overlay,
                                    const RulesExpected& expected) {
  return RulesLook(files, executor, overlay, expected).look();
}

}  // namespace holdfast::flannel
