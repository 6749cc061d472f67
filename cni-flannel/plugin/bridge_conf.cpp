#include "cni-flannel/plugin/bridge_conf.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/ipam/range_set.h"
#include "common/base/json.h"
#include "common/base/link_name.h"
#include "common/base/text.h"
#include "common/netlink/link.h"

namespace holdfast::flannel {
namespace {

using cni::CniArgs;
using cni::CniCode;
using cni::CniResult;
using cni::JsonPart;

constexpr std::uint16_t kMaxVlan = 4094;  // IEEE 802.1Q: 4095 is reserved
constexpr std::int64_t kMinMtu = 68;      // RFC 791
constexpr std::int64_t kMaxMtu = 65535;

/// The member `name` of args.cni, or of runtimeConfig: what was asked for at call time.
Result<JsonField> from_args_cni(const JsonObject& top, std::string_view name) {
  HOLDFAST_TRY(const JsonObject args, top["args"].object_or_empty());
  HOLDFAST_TRY(const JsonObject cni, args["cni"].object_or_empty());
  return cni[name];
}
Result<JsonField> from_runtime_config(const JsonObject& top, std::string_view name) {
  HOLDFAST_TRY(const JsonObject runtime_config, top["runtimeConfig"].object_or_empty());
  return runtime_config[name];
}

Result<std::string> read_bridge_name(const JsonField& field, std::string absent) {
  HOLDFAST_TRY(const std::string name, field.string_or(""));
  if (name.empty()) return absent;
  if (const std::string_view fault = fault_of_link_name(name); !fault.empty()) return field.refuse(fault);
  return name;
}

Result<std::uint32_t> read_mtu(const JsonField& field) {
  HOLDFAST_TRY(const std::int64_t mtu, field.integer_or(0, 0, kMaxMtu));
  if (mtu != 0 && mtu < kMinMtu) return field.refuse("is not 0 or 68..65535");
  return static_cast<std::uint32_t>(mtu);
}

Result<MasqueradeBackend> read_backend(const JsonField& field) {
  HOLDFAST_TRY(const std::string name, field.string_or(""));
  if (name.empty()) return MasqueradeBackend::kDefault;
  if (name == "iptables") return MasqueradeBackend::kIptables;
  if (name == "nftables") return MasqueradeBackend::kNftables;
  return field.refuse("is neither 'iptables' nor 'nftables'");
}

Result<std::uint16_t> read_vlan_id(const JsonField& field) {
  HOLDFAST_TRY(const std::int64_t id, field.integer(1, kMaxVlan));
  return static_cast<std::uint16_t>(id);
}

/// One entry of vlanTrunk: {minID, maxID}, {id}, or both.
Status read_trunk_entry(const JsonField& field, std::vector<VlanRange>& trunk) {
  HOLDFAST_TRY(const JsonObject entry, field.object());
  const JsonField least = entry["minID"];
  const JsonField most = entry["maxID"];
  if (!least.present() && !most.present() && !entry["id"].present()) {
    return field.refuse("has neither id nor minID and maxID");
  }
  if (least.present() || most.present()) {
    VlanRange range;
    HOLDFAST_TRY(range.first, read_vlan_id(least));
    HOLDFAST_TRY(range.last, read_vlan_id(most));
    if (range.first > range.last) return least.refuse("is above " + most.path());
    trunk.push_back(range);
  }
  if (entry["id"].present()) {
    HOLDFAST_TRY(const std::uint16_t id, read_vlan_id(entry["id"]));
    trunk.push_back({id, id});
  }
  return {};
}

Status read_vlans(const JsonObject& own, BridgeConf& conf) {
  HOLDFAST_TRY(const std::int64_t vlan, own["vlan"].integer_or(0, 0, kMaxVlan));
  conf.vlan = static_cast<std::uint16_t>(vlan);
  HOLDFAST_TRY(const std::vector<JsonField> entries, own["vlanTrunk"].array_or_empty());
  for (const JsonField& entry : entries) HOLDFAST_CHECK(read_trunk_entry(entry, conf.vlan_trunk));
  if (conf.vlan != 0 && !conf.vlan_trunk.empty()) return own["vlan"].refuse("excludes vlanTrunk");
  HOLDFAST_TRY(conf.preserve_default_vlan, own["preserveDefaultVlan"].boolean_or(true));
  return {};
}

Status read_mac(const JsonField& field, BridgeConf& conf) {
  HOLDFAST_TRY(const std::string text, field.string_or(""));
  if (text.empty()) return {};
  const Result<MacAddress> mac = MacAddress::parse(text);
  if (!mac) return field.refuse("is not a MAC address");
  conf.mac = *mac;
  return {};
}

Status check_mac(const BridgeConf& conf) {
  if (!conf.mac || (!conf.mac->is_group() && !conf.mac->is_zero())) return {};
  return fail(Code::kInvalidArgument, "mac: '" + conf.mac->to_string() +
                                          "' is a group's or zero, an interface needs a unicast address");
}

Status read_flags(const JsonObject& own, BridgeConf& conf) {
  for (const auto& [name, flag] :
       {std::pair("isGateway", &conf.is_gateway), std::pair("isDefaultGateway", &conf.is_default_gateway),
        std::pair("forceAddress", &conf.force_address), std::pair("ipMasq", &conf.ip_masq),
        std::pair("hairpinMode", &conf.hairpin_mode), std::pair("promiscMode", &conf.promisc_mode),
        std::pair("macspoofchk", &conf.mac_spoof_check), std::pair("enabledad", &conf.enable_dad),
        std::pair("disableContainerInterface", &conf.disable_container_interface),
        std::pair("portIsolation", &conf.port_isolation)}) {
    HOLDFAST_TRY(*flag, own[name].boolean_or(false));
  }
  conf.is_gateway = conf.is_gateway || conf.is_default_gateway;
  if (conf.hairpin_mode && conf.promisc_mode) return own["promiscMode"].refuse("excludes hairpinMode");
  return {};
}

Status refuse_ipam_without_interface(const JsonObject& top, const BridgeConf& conf) {
  if (!conf.disable_container_interface) return {};
  HOLDFAST_TRY(const JsonObject ipam, top["ipam"].object_or_empty());
  HOLDFAST_TRY(const std::string type, ipam["type"].string_or(""));
  if (type.empty()) return {};
  return ipam["type"].refuse("cannot be used with delegate.disableContainerInterface");
}

/// Errors name a key as whoever wrote the configuration knows it: the delegate's own are under `delegate`.
Result<BridgeConf> read_bridge_conf(const JsonPart& delegate, const CniArgs& args) {
  const JsonObject top(delegate.get(), "");
  const JsonObject own(delegate.get(), "delegate");
  BridgeConf conf;
  HOLDFAST_TRY(conf.bridge, read_bridge_name(own["bridge"], conf.bridge));
  HOLDFAST_CHECK(read_flags(own, conf));
  HOLDFAST_CHECK(refuse_ipam_without_interface(top, conf));
  HOLDFAST_TRY(conf.ip_masq_backend, read_backend(own["ipMasqBackend"]));
  HOLDFAST_TRY(conf.mtu, read_mtu(own["mtu"]));
  HOLDFAST_CHECK(read_vlans(own, conf));
  conf.mac = args.mac;
  HOLDFAST_TRY(const JsonField args_mac, from_args_cni(top, "mac"));
  HOLDFAST_CHECK(read_mac(args_mac, conf));
  HOLDFAST_TRY(const JsonField runtime_mac, from_runtime_config(top, "mac"));
  HOLDFAST_CHECK(read_mac(runtime_mac, conf));
  HOLDFAST_CHECK(check_mac(conf));
  return conf;
}

/// The first or last address of a range, or its gateway; "" is absent.
Result<IpAddress> read_range_address(const JsonField& field, const IpAddress& absent) {
  HOLDFAST_TRY(const std::string text, field.string_or(""));
  if (text.empty()) return absent;
  return field.address();
}

Result<Cidr> read_range_subnet(const JsonField& field) {
  HOLDFAST_TRY(const Cidr subnet, field.cidr());
  if (!whole_range(subnet)) return field.refuse("is too small to allocate from");
  if (subnet != subnet.network()) {
    return field.refuse("has host bits set, the network is " + subnet.network().to_string());
  }
  return subnet;
}

Result<IpRange> read_range(const JsonObject& object) {
  IpRange range;
  HOLDFAST_TRY(range.subnet, read_range_subnet(object["subnet"]));
  const IpRange whole = whole_range(range.subnet).value_or(IpRange{});
  HOLDFAST_TRY(range.gateway, read_range_address(object["gateway"], whole.gateway));
  HOLDFAST_TRY(range.first, read_range_address(object["rangeStart"], whole.first));
  HOLDFAST_TRY(range.last, read_range_address(object["rangeEnd"], whole.last));
  for (const auto& [name, address] :
       {std::pair("rangeStart", &range.first), std::pair("rangeEnd", &range.last)}) {
    if (!range.subnet.contains(*address)) {
      return object[name].refuse("is not in the subnet " + range.subnet.to_string());
    }
  }
  if (range.gateway.family() != range.subnet.family()) {
    return object["gateway"].refuse("is not of the family of " + range.subnet.to_string());
  }
  if (range.last < range.first) return object["rangeEnd"].refuse("is before the start of the range");
  return range;
}

bool overlap(const IpRange& a, const IpRange& b) {
  return a.subnet.family() == b.subnet.family() && a.first <= b.last && b.first <= a.last;
}

bool overlap(const RangeSet& a, const RangeSet& b) {
  return std::any_of(a.begin(), a.end(), [&](const IpRange& one) {
    return std::any_of(b.begin(), b.end(), [&](const IpRange& other) { return overlap(one, other); });
  });
}

Result<RangeSet> read_range_set(const JsonField& field) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, field.array());
  if (elements.empty()) return field.refuse("is an empty range set");
  RangeSet set;
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(const JsonObject object, element.object());
    HOLDFAST_TRY(const IpRange range, read_range(object));
    if (!set.empty() && set.front().subnet.family() != range.subnet.family()) {
      return element.refuse("is of another address family than the set's first range");
    }
    if (overlap(set, {range})) return element.refuse("overlaps another range of its set");
    set.push_back(range);
  }
  return set;
}

/// A range set and where it is, for the messages about two of them.
struct PlacedSet {
  RangeSet set;
  std::string where;
};

Status append_range_sets(const JsonField& list, std::vector<PlacedSet>& sets) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, list.array_or_empty());
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(RangeSet set, read_range_set(element));
    sets.push_back({std::move(set), element.path()});
  }
  return {};
}

Status check_sets(const std::vector<PlacedSet>& sets, cni::SpecVersion version) {
  if (sets.empty()) return fail(Code::kInvalidArgument, "ipam.ranges: no IP ranges specified");
  for (auto later = sets.begin(); later != sets.end(); ++later) {
    for (auto earlier = sets.begin(); earlier != later; ++earlier) {
      if (overlap(earlier->set, later->set)) {
        return fail(Code::kInvalidArgument, later->where + ": overlaps with " + earlier->where);
      }
      if (version < cni::SpecVersion::k0_3_0 &&
          earlier->set.front().subnet.family() == later->set.front().subnet.family()) {
        return fail(Code::kInvalidArgument, later->where + ": CNI version " +
                                                std::string(cni::to_string(version)) +
                                                " does not support more than 1 address per family");
      }
    }
  }
  return {};
}

Result<cni::SpecVersion> read_version(const JsonField& field) {
  HOLDFAST_TRY(const std::string text, field.string_or(""));
  if (text.empty()) return cni::kDefaultVersion;
  const std::optional<cni::SpecVersion> version = cni::parse_version(text);
  if (!version) return field.refuse("is not supported");
  return *version;
}

Result<std::vector<RangeSet>> read_all_ranges(const JsonObject& top, const JsonObject& ipam) {
  std::vector<PlacedSet> sets;
  HOLDFAST_TRY(const JsonField runtime_ranges, from_runtime_config(top, "ipRanges"));
  HOLDFAST_CHECK(append_range_sets(runtime_ranges, sets));
  if (ipam["subnet"].present()) {
    HOLDFAST_TRY(const IpRange single, read_range(ipam));
    sets.push_back({{single}, "ipam.subnet"});
  }
  HOLDFAST_CHECK(append_range_sets(ipam["ranges"], sets));
  HOLDFAST_TRY(const cni::SpecVersion version, read_version(top["cniVersion"]));
  HOLDFAST_CHECK(check_sets(sets, version));
  std::vector<RangeSet> plain;
  plain.reserve(sets.size());
  for (PlacedSet& placed : sets) plain.push_back(std::move(placed.set));
  return plain;
}

void add_requested(const IpAddress& address, std::vector<IpAddress>& requested) {
  if (std::find(requested.begin(), requested.end(), address) == requested.end()) requested.push_back(address);
}

Status append_requested(const JsonField& list, std::vector<IpAddress>& requested) {
  HOLDFAST_TRY(const std::vector<JsonField> elements, list.array_or_empty());
  for (const JsonField& element : elements) {
    HOLDFAST_TRY(const std::string text, element.string());
    const Result<IpAddress> address = cni::parse_address_of(text);
    if (!address) return element.refuse("is not an IP address");
    add_requested(*address, requested);
  }
  return {};
}

Result<HostLocalConf> read_host_local(const JsonObject& top, const CniArgs& args, const OwnConf& own) {
  HOLDFAST_TRY(const JsonObject ipam, top["ipam"].object());
  HostLocalConf conf;
  conf.ipam.state_dir = own.state_dir;
  conf.ipam.results_dir = own.results_dir;
  conf.ipam.reserved = own.reserved;
  conf.ipam.binding_ttl = own.binding_ttl;
  HOLDFAST_TRY(conf.ipam.data_dir, read_path(ipam["dataDir"], conf.ipam.data_dir));
  HOLDFAST_TRY(conf.ipam.range_sets, read_all_ranges(top, ipam));
  HOLDFAST_TRY(const std::filesystem::path resolv_conf, read_path(ipam["resolvConf"], {}));
  if (!resolv_conf.empty()) conf.resolv_conf = resolv_conf;
  if (args.ip) add_requested(*args.ip, conf.requested);
  HOLDFAST_TRY(const JsonField args_ips, from_args_cni(top, "ips"));
  HOLDFAST_CHECK(append_requested(args_ips, conf.requested));
  HOLDFAST_TRY(const JsonField runtime_ips, from_runtime_config(top, "ips"));
  HOLDFAST_CHECK(append_requested(runtime_ips, conf.requested));
  return conf;
}

/// The words of a line, split at blanks and tabs.
std::vector<std::string> words_of(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  std::vector<std::string> words;
  while (true) {
    const std::size_t first = line.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return words;
    line.remove_prefix(first);
    const std::size_t end = std::min(line.find_first_of(kBlank), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

}  // namespace

CniResult<BridgeConf> parse_bridge_conf(const JsonPart& delegate, const CniArgs& args) {
  HOLDFAST_TRY(BridgeConf conf, cni::to_cni(read_bridge_conf(delegate, args), CniCode::kInvalidConfig));
  HOLDFAST_TRY(conf.dns, cni::parse_dns(delegate, "delegate"));
  return conf;
}

CniResult<HostLocalConf> parse_host_local_conf(const JsonPart& delegate, const CniArgs& args,
                                               const OwnConf& own) {
  HOLDFAST_TRY(HostLocalConf conf, cni::to_cni(read_host_local(JsonObject(delegate.get(), ""), args, own),
                                               CniCode::kInvalidConfig));
  HOLDFAST_TRY(conf.routes,
               cni::parse_routes(cni::member(cni::member(delegate, "ipam"), "routes"), "ipam.routes"));
  return conf;
}

cni::Dns parse_resolv_conf(std::string_view text) {
  cni::Dns dns;
  while (!text.empty()) {
    std::vector<std::string> words = words_of(take_until(text, '\n'));
    if (words.size() < 2) continue;
    const std::string key = std::move(words.front());
    words.erase(words.begin());
    if (key == "nameserver") {
      dns.nameservers.push_back(std::move(words.front()));
    } else if (key == "domain") {
      dns.domain = std::move(words.front());
    } else if (key == "search") {
      dns.search = std::move(words);
    } else if (key == "options") {
      dns.options.insert(dns.options.end(), words.begin(), words.end());
    }
  }
  return dns;
}

}  // namespace holdfast::flannel
