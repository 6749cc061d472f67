#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/firewall/firewall.h"
#include "common/netlink/nftables.h"
#include "common/netlink/socket.h"

namespace holdfast::firewall {

/// By netlink, without the program nft(8), in a table of our own:
///
///     table ip|ip6 <nft_table>
///       <nft_name>     type filter hook prerouting priority raw (kRaw), hook output priority raw
///                      (kRawOwn), hook forward priority mangle
///                      (kMangle), hook input or forward priority filter (kInput, kForward), or type nat hook
///                      postrouting priority srcnat. Begins with a look into the maps of links, if it is a trunk
///       <nft_name>     of a link's chain: without a hook
///       map in-<nft_name>, out-<nft_name>    of a trunk: links -> their chains
///       set ranges-N   where a match has several ranges; matches of the same ranges share one
///
/// A put is one transaction of the kernel. What stands there is compared with what the kernel showed after
/// it: so is_whole is false before the first put of this object.
class NftablesFirewall final : public Firewall {
 public:
  /// `socket` is one of Protocol::kNetfilter and outlives it.
  explicit NftablesFirewall(nl::Socket& socket) : socket_(socket) {}

  Status put(const RuleSet& set) override;
  Result<bool> is_whole(const RuleSet& set) override;
  Result<ChainRules> read_chains(const RuleSet& set) override;
  Result<std::vector<std::vector<RuleCount>>> read_counts(const RuleSet& set) override;
  Status clean(const RuleSet& set) override;
  /// The set's table, empty where it was not there. Errors: kUnimplemented when the kernel lacks nf_tables,
  /// or the family in it.
  Status make_table(const RuleSet& set);

 private:
  /// All that is in the set's table.
  struct Picture {
    std::map<std::string, std::vector<nl::nft::ListedRule>> chains;
    std::map<std::string, std::vector<std::string>> sets;  // and maps

    bool operator==(const Picture&) const = default;
  };

  Status write(const RuleSet& set, const Picture* there);
  Result<Picture> read(const RuleSet& set);

  nl::Socket& socket_;
  std::map<IpFamily, std::pair<RuleSet, Picture>> left_;  // by the last put
};

}  // namespace holdfast::firewall
