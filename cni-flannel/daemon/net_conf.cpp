#include "cni-flannel/daemon/net_conf.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "cni-flannel/daemon/node_network.h"
#include "common/base/json.h"

namespace holdfast::flannel {
namespace {

constexpr std::int64_t kMaxVni = 0xffffff;
constexpr std::int64_t kMaxPort = 65535;
constexpr std::int64_t kMaxMtu = 65535;
constexpr std::uint32_t kMinMtu4 = 68;    // RFC 791
constexpr std::uint32_t kMinMtu6 = 1280;  // RFC 8200, section 5

/// What differs between the families.
struct FamilyRules {
  const char* enable;
  bool enabled_by_default;
  const char* network;
  const char* subnet_len;
  const char* subnet_min;
  const char* subnet_max;
  const char* name;
  unsigned usual_len;
  unsigned longest_len;
  unsigned longest_network;
};
constexpr FamilyRules kRules4{"EnableIPv4", true,   "Network", "SubnetLen", "SubnetMin",
                              "SubnetMax",  "IPv4", 24,        30,          28};
constexpr FamilyRules kRules6{
    "EnableIPv6", false, "IPv6Network", "IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax", "IPv6", 64,
    126,          124};

const FamilyRules& rules_of(IpFamily family) { return family == IpFamily::kV4 ? kRules4 : kRules6; }

Result<std::optional<IpAddress>> read_bound(const JsonField& field, IpFamily family) {
  if (!field.present()) return std::nullopt;
  HOLDFAST_TRY(const IpAddress address, field.address());
  if (address.family() != family) {
    return field.refuse(std::string("is not an ") + rules_of(family).name + " address");
  }
  return address;
}

Result<std::optional<AddressPool>> read_pool(const JsonObject& conf, IpFamily family) {
  const FamilyRules& rules = rules_of(family);
  HOLDFAST_TRY(const bool enabled, conf[rules.enable].boolean_or(rules.enabled_by_default));
  if (!enabled) return std::nullopt;
  AddressPool pool;
  const JsonField network = conf[rules.network];
  HOLDFAST_TRY(pool.network, network.cidr());
  if (pool.network.family() != family) {
    return network.refuse(std::string("is not an ") + rules.name + " network");
  }
  pool.network = pool.network.network();
  if (!is_host_address(pool.network.address())) {
    return network.refuse("is of loopback, multicast or other special addresses, which no pod can have");
  }
  HOLDFAST_TRY(const std::int64_t length,
               conf[rules.subnet_len].integer_or(0, 0, family == IpFamily::kV4 ? 32 : 128));
  if (length != 0) pool.subnet_len = static_cast<unsigned>(length);
  HOLDFAST_TRY(pool.subnet_min, read_bound(conf[rules.subnet_min], family));
  HOLDFAST_TRY(pool.subnet_max, read_bound(conf[rules.subnet_max], family));
  return pool;
}

Status check_backend_type(const JsonField& backend) {
  if (!backend.present()) {
    return fail(Code::kUnimplemented,
                "Backend: is missing, which stands for 'udp', and only vxlan is served; write "
                R"("Backend": {"Type": "vxlan"})");
  }
  HOLDFAST_TRY(const JsonObject object, backend.object());
  HOLDFAST_TRY(const std::string type, object["Type"].string_or(""));
  if (type == "vxlan") return {};
  return fail(Code::kUnimplemented, "Backend.Type: '" + type + "' is not served; use 'vxlan'");
}

Result<VxlanConf> read_vxlan(const JsonField& backend) {
  HOLDFAST_CHECK(check_backend_type(backend));
  HOLDFAST_TRY(const JsonObject object, backend.object());
  VxlanConf vxlan;
  HOLDFAST_TRY(const std::int64_t vni, object["VNI"].integer_or(vxlan.vni, 1, kMaxVni));
  vxlan.vni = static_cast<std::uint32_t>(vni);
  HOLDFAST_TRY(const std::int64_t port, object["Port"].integer_or(0, 0, kMaxPort));
  if (port != 0) vxlan.port = static_cast<std::uint16_t>(port);
  HOLDFAST_TRY(const std::int64_t mtu, object["MTU"].integer_or(0, 0, kMaxMtu));
  vxlan.mtu = static_cast<std::uint32_t>(mtu);
  HOLDFAST_TRY(vxlan.gbp, object["GBP"].boolean_or(vxlan.gbp));
  HOLDFAST_TRY(vxlan.learning, object["Learning"].boolean_or(vxlan.learning));
  HOLDFAST_TRY(vxlan.direct_routing, object["DirectRouting"].boolean_or(vxlan.direct_routing));
  return vxlan;
}

/// The base address of the second subnet of `len` in `network`: the lowest bit of the prefix set.
IpAddress second_subnet(const Cidr& network, unsigned len) {
  std::array<std::uint8_t, 16> bytes{};
  const IpAddress base = network.address();
  std::copy(base.bytes().begin(), base.bytes().end(), bytes.begin());
  const unsigned bit = len - 1;
  bytes.at(bit / 8) = static_cast<std::uint8_t>(bytes.at(bit / 8) | 0x80U >> bit % 8);
  if (!network.is_v4()) return IpAddress::v6(bytes);
  return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

/// A bound that was given must be the base address of one of the subnets.
Status check_bound(const char* key, const IpAddress& bound, const Cidr& network, unsigned len) {
  if (!network.contains(bound)) {
    return fail(Code::kInvalidArgument,
                std::string(key) + ": '" + bound.to_string() + "' is not in " + network.to_string());
  }
  HOLDFAST_TRY(const Cidr subnet, Cidr::make(bound, len));
  if (subnet.network().address() != bound) {
    return fail(Code::kInvalidArgument, std::string(key) + ": '" + bound.to_string() +
                                            "' is not the first address of a /" + std::to_string(len));
  }
  return {};
}

}  // namespace

Result<NetConf> parse_net_conf(std::string_view text) {
  HOLDFAST_TRY(const nlohmann::json document, parse_json(text));
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  NetConf conf;
  HOLDFAST_TRY(conf.nftables, object["EnableNFTables"].boolean_or(false));
  HOLDFAST_TRY(conf.ipv4, read_pool(object, IpFamily::kV4));
  HOLDFAST_TRY(conf.ipv6, read_pool(object, IpFamily::kV6));
  if (!conf.ipv4 && !conf.ipv6) {
    return fail(Code::kInvalidArgument, "EnableIPv4 and EnableIPv6 are both false: at least one is needed");
  }
  HOLDFAST_TRY(conf.vxlan, read_vxlan(object["Backend"]));
  return conf;
}

Result<SubnetPlan> subnet_plan(const AddressPool& pool) {
  const FamilyRules& rules = rules_of(pool.network.family());
  const unsigned prefix = pool.network.prefix();
  if (prefix > rules.longest_network) {
    return fail(Code::kInvalidArgument, std::string(rules.network) + ": '" + pool.network.to_string() +
                                            "' is too small, the longest prefix is /" +
                                            std::to_string(rules.longest_network));
  }
  SubnetPlan plan;
  plan.subnet_len = pool.subnet_len.value_or(std::max(rules.usual_len, prefix + 2));
  if (plan.subnet_len < prefix + 2 || plan.subnet_len > rules.longest_len) {
    return fail(Code::kInvalidArgument,
                std::string(rules.subnet_len) + ": '" + std::to_string(plan.subnet_len) + "' is not in " +
                    std::to_string(prefix + 2) + ".." + std::to_string(rules.longest_len));
  }
  HOLDFAST_TRY(const Cidr last, Cidr::make(pool.network.last(), plan.subnet_len));
  plan.first = pool.subnet_min.value_or(second_subnet(pool.network, plan.subnet_len));
  plan.last = pool.subnet_max.value_or(last.network().address());
  HOLDFAST_CHECK(check_bound(rules.subnet_min, plan.first, pool.network, plan.subnet_len));
  HOLDFAST_CHECK(check_bound(rules.subnet_max, plan.last, pool.network, plan.subnet_len));
  if (plan.last < plan.first) {
    return fail(Code::kInvalidArgument, std::string(rules.subnet_max) + ": '" + plan.last.to_string() +
                                            "' is before " + rules.subnet_min + " '" +
                                            plan.first.to_string() + "'");
  }
  return plan;
}

Result<std::uint32_t> overlay_mtu(const NetConf& conf, std::uint32_t interface_mtu) {
  const bool set = conf.vxlan.mtu != 0 && conf.vxlan.mtu < interface_mtu;
  const std::uint32_t outer = set ? conf.vxlan.mtu : interface_mtu;
  const std::uint32_t least = (conf.ipv6 ? kMinMtu6 : kMinMtu4) + kVxlanOverhead;
  if (outer < least) {
    const std::string whose = set ? "Backend.MTU in net-conf.json" : "the external interface's MTU";
    return fail(Code::kInvalidArgument, whose + ", " + std::to_string(outer) + "," +
                                            " is too small: " + std::to_string(least) + " is needed for " +
                                            (conf.ipv6 ? "IPv6" : "IPv4") + " through VXLAN");
  }
  return outer - kVxlanOverhead;
}

}  // namespace holdfast::flannel
