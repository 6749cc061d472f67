#include "cni-flannel/plugin/subnet_env.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <utility>

#include "common/base/text.h"

namespace holdfast::flannel {
namespace {

constexpr std::uint32_t kMinMtu = 68;      // RFC 791
constexpr std::uint32_t kMinMtuV6 = 1280;  // RFC 8200; below it the kernel has no IPv6 on a link
constexpr std::uint32_t kMaxMtu = 65535;

using Values = std::map<std::string, std::string, std::less<>>;

Result<Values> read_lines(std::string_view text) {
  Values values;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = trim(take_until(text, '\n'));
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      return fail(Code::kInvalidArgument,
                  "line " + std::to_string(number) + " has no '=': '" + std::string(line) + "'");
    }
    values.insert_or_assign(std::string(line.substr(0, equals)), std::string(line.substr(equals + 1)));
  }
  return values;
}

/// A value that is there and not empty.
const std::string* find(const Values& values, std::string_view key) {
  const auto found = values.find(key);
  return found == values.end() || found->second.empty() ? nullptr : &found->second;
}

/// All keys that are missing, so that one look at the message is enough.
Status check_keys(const Values& values) {
  struct Need {
    const char* key;
    const char* other;  ///< does as well
  };
  constexpr Need kNeeds[] = {{"FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK"},
                             {"FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET"},
                             {"FLANNEL_MTU", nullptr},
                             {"FLANNEL_IPMASQ", nullptr}};
  std::string missing;
  for (const Need& need : kNeeds) {
    if (find(values, need.key) != nullptr) continue;
    if (need.other != nullptr && find(values, need.other) != nullptr) continue;
    missing.append(missing.empty() ? "" : ", ").append(need.key);
    if (need.other != nullptr) missing.append(" or ").append(need.other);
  }
  if (missing.empty()) return {};
  return fail(Code::kInvalidArgument, missing + " is missing");
}

Result<Cidr> read_cidr(std::string_view key, std::string_view text, IpFamily family) {
  const Result<Cidr> cidr = Cidr::parse(trim(text));
  if (!cidr) return fail(Code::kInvalidArgument, std::string(key) + ": " + cidr.error().message);
  if (cidr->family() != family) {
    return fail(Code::kInvalidArgument, std::string(key) + " must be " +
                                            (family == IpFamily::kV4 ? "IPv4" : "IPv6") + ", is '" +
                                            std::string(text) + "'");
  }
  return *cidr;
}

Status read_networks(const Values& values, std::string_view key, IpFamily family,
                     std::vector<Cidr>& networks) {
  const std::string* value = find(values, key);
  if (value == nullptr) return {};
  for (std::string_view rest = *value; !rest.empty();) {
    HOLDFAST_TRY(const Cidr cidr, read_cidr(key, take_until(rest, ','), family));
    const Cidr network = cidr.network();
    if (std::find(networks.begin(), networks.end(), network) == networks.end()) networks.push_back(network);
  }
  return {};
}

Result<std::optional<Cidr>> read_subnet(const Values& values, std::string_view key, IpFamily family) {
  const std::string* value = find(values, key);
  if (value == nullptr) return std::nullopt;
  HOLDFAST_TRY(const Cidr cidr, read_cidr(key, *value, family));
  if (cidr.prefix() + 2 > cidr.address().bits()) {
    return fail(Code::kInvalidArgument,
                std::string(key) + " has no room for a gateway and a pod: '" + cidr.to_string() + "'");
  }
  return cidr;
}

Result<std::uint32_t> read_mtu(const std::string& text, bool has_ipv6) {
  const std::uint32_t least = has_ipv6 ? kMinMtuV6 : kMinMtu;
  std::uint32_t mtu = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mtu);
  if (error != std::errc{} || end != text.data() + text.size() || mtu < least || mtu > kMaxMtu) {
    return fail(Code::kInvalidArgument, "FLANNEL_MTU must be " + std::to_string(least) + "..65535" +
                                            (has_ipv6 ? " for IPv6" : "") + ", is '" + text + "'");
  }
  return mtu;
}

}  // namespace

Result<SubnetEnv> parse_subnet_env(std::string_view text) {
  HOLDFAST_TRY(const Values values, read_lines(text));
  HOLDFAST_CHECK(check_keys(values));
  SubnetEnv env;
  HOLDFAST_CHECK(read_networks(values, "FLANNEL_NETWORK", IpFamily::kV4, env.networks));
  HOLDFAST_CHECK(read_networks(values, "FLANNEL_IPV6_NETWORK", IpFamily::kV6, env.networks));
  HOLDFAST_TRY(env.subnet, read_subnet(values, "FLANNEL_SUBNET", IpFamily::kV4));
  HOLDFAST_TRY(env.subnet6, read_subnet(values, "FLANNEL_IPV6_SUBNET", IpFamily::kV6));
  HOLDFAST_TRY(env.mtu, read_mtu(*find(values, "FLANNEL_MTU"), env.subnet6.has_value()));
  env.masquerade = *find(values, "FLANNEL_IPMASQ") == "true";
  return env;
}

}  // namespace holdfast::flannel
