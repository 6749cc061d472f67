#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "common/base/flags.h"
#include "common/base/program_options.h"
#include "common/base/result.h"
#include "common/firewall/back_end.h"
#include "common/http/listen_address.h"
#include "common/wireguard/engine.h"
#include "egw-gateway/source/open_source.h"

namespace holdfast::gateway {

/// What egw-core is told at its start. The defaults are those of the flags.
struct CoreOptions : ProgramOptions {
  std::string pool;     ///< must be told, but for `prepare`
  std::string gateway;  ///< the same: "a"
  SourceOptions source;
  std::filesystem::path private_key;  ///< the same
  std::filesystem::path bfd_keys;     ///< empty: none
  std::filesystem::path state_dir = "/var/lib/egw-core";
  wireguard::Engine wireguard = wireguard::Engine::kAuto;
  firewall::BackEnd firewall = firewall::BackEnd::kAuto;
  std::string link = "eth0";       ///< towards the pool
  std::uint32_t mtu = 0;           ///< of tunnels; 0: what fits the link, and 1500
  std::chrono::seconds resync{5};  ///< between looks at all that no event told of, key files among it
  http::ListenAddress healthz;     ///< port 0: not served
  bool prepare = false;  ///< make the pod ready for a gateway, and end: for a privileged init container
};

/// From the arguments behind the program's name, and for what they do not tell from the environment
/// (EGW_CORE_<NAME>). Errors: kInvalidArgument, naming flag, value and what would do.
[[nodiscard]] Result<CoreOptions> parse_core_options(std::span<const std::string> arguments,
                                                     const Flags::Lookup& environment);

[[nodiscard]] std::string core_help();

}  // namespace holdfast::gateway
