#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/json_part.h"
#include "cni-flannel/plugin/spec_version.h"
#include "common/base/cidr.h"

namespace holdfast::cni {

struct Interface {
  std::string name;
  std::string mac{};          ///< as the plugin wrote it; empty when it has none
  std::uint32_t mtu = 0;      ///< bytes; 0 when not told (from 1.1.0)
  std::string sandbox{};      ///< path of the namespace; empty for an interface of the host
  std::string socket_path{};  ///< from 1.1.0
  std::string pci_id{};       ///< from 1.1.0
  bool operator==(const Interface&) const = default;
};

struct AssignedIp {
  Cidr address;
  std::optional<IpAddress> gateway{};
  std::optional<std::uint32_t> interface {};  ///< index into AddResult::interfaces
  bool operator==(const AssignedIp&) const = default;
};

/// Beyond dst and gw from 1.1.0.
struct Route {
  Cidr dst;
  std::optional<IpAddress> gw{};
  std::uint32_t mtu = 0;       ///< bytes; 0 = not set
  std::uint32_t advmss = 0;    ///< bytes; 0 = not set
  std::uint32_t priority = 0;  ///< metric; 0 = not set
  std::optional<std::uint32_t> table{};
  std::optional<std::uint8_t> scope{};
  bool operator==(const Route&) const = default;
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;
  bool operator==(const Dns&) const = default;
};

/// The result of ADD, free of any version; also of an IPAM plugin, then without interfaces.
struct AddResult {
  std::vector<Interface> interfaces;
  std::vector<AssignedIp> ips;
  std::vector<Route> routes;
  Dns dns;
  bool operator==(const AddResult&) const = default;
};

/// The JSON of one version. What the version cannot say is left out: before 0.3.0 the interfaces and all but
/// the first address of a family (its routes beside it, in ip4 and ip6), before 1.1.0 the newer fields.
/// Members without content are left out.
[[nodiscard]] std::string to_json(const AddResult& result, SpecVersion version);

/// Reads the result of any version, told by its shape: ip4 and ip6, or the lists. `where` names it in
/// messages: "prevResult.ips[0].address: '10.1' is not a CIDR". Errors: kDecode; kIncompatibleVersion when
/// its cniVersion is none that we speak.
[[nodiscard]] CniResult<AddResult> parse_result(const JsonPart& part, std::string_view where);
[[nodiscard]] CniResult<AddResult> parse_result(std::string_view text, std::string_view where);

/// A configuration's "dns", or nullopt when it sets nothing: none, or no list and no domain. An empty list
/// sets one. `where` names the configuration. Errors: kInvalidConfig, "<where>.dns.search: ...".
[[nodiscard]] CniResult<std::optional<Dns>> parse_dns(const JsonPart& conf, std::string_view where);

/// One member of a route list, as ipam.routes and results have it.
/// Errors: kInvalidConfig, "<where>.dst: ...".
[[nodiscard]] CniResult<std::vector<Route>> parse_routes(const JsonPart& list, std::string_view where);

}  // namespace holdfast::cni
