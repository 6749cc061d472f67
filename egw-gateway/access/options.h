#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/flags.h"
#include "common/base/program_options.h"
#include "common/base/result.h"
#include "common/cloud/options.h"
#include "common/firewall/back_end.h"
#include "common/http/listen_address.h"
#include "common/wireguard/engine.h"
#include "egw-gateway/access/routes/alibaba_table.h"
#include "egw-gateway/source/open_source.h"

namespace holdfast::gateway {

/// How the VPC learns of the pods. This machine's own table leads to them in any case.
enum class RoutesTo : std::uint8_t { kNone, kKernel, kAlibaba };

/// What egw-access is told at its start. The defaults are those of the flags.
struct AccessOptions : ProgramOptions {
  std::string access_point;           ///< must be told
  std::filesystem::path private_key;  ///< must be told
  SourceOptions source;
  std::filesystem::path state_dir = "/var/lib/egw";
  RoutesTo routes = RoutesTo::kKernel;
  VpcPlace vpc;  ///< for kAlibaba
  /// For kAlibaba with a HaVip, which is the next hop of several machines: who has it writes the table.
  std::optional<IpAddress> ha_vip = std::nullopt;
  cloud::CloudOptions cloud;       ///< the same
  std::string cen_endpoint;        ///< the same; empty: that of all regions
  std::vector<IpAddress> routers;  ///< that are told by BFD whether packets for pods may be sent here
  wireguard::Engine engine = wireguard::Engine::kAuto;
  firewall::BackEnd firewall = firewall::BackEnd::kAuto;
  std::uint32_t mtu = 1420;                ///< of tunnels whose pool has none of its own, bytes
  std::chrono::seconds resync{5};          ///< between looks at all that no event told of
  std::chrono::seconds removal_delay{60};  ///< from a pool's object being gone to the end of its tunnels
  http::ListenAddress healthz;             ///< port 0: not served
};

/// From the arguments behind the program's name, and for what they do not tell from the environment
/// (EGW_ACCESS_<NAME>). Errors: kInvalidArgument, naming flag, value and what would do.
[[nodiscard]] Result<AccessOptions> parse_access_options(std::span<const std::string> arguments,
                                                         const Flags::Lookup& environment);

[[nodiscard]] std::string access_help();

}  // namespace holdfast::gateway
