#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/flags.h"
#include "common/base/program_options.h"
#include "common/base/result.h"
#include "common/firewall/back_end.h"
#include "common/http/listen_address.h"
#include "egw-gateway/helper/node_routes.h"
#include "egw-gateway/source/open_source.h"

namespace holdfast::gateway {

/// What egw-helper is told at its start. The defaults are those of the flags.
struct HelperOptions : ProgramOptions {
  std::string pool;       ///< must be told, but for `once` and `remove`
  std::string node_name;  ///< the same: NODE_NAME in the environment
  SourceOptions source;
  std::filesystem::path state_dir = "/var/lib/egw";
  std::filesystem::path no_masq_dir = "/run/flannel/no-masq.d";
  std::filesystem::path bfd_keys;  ///< empty: none
  std::vector<Cidr> exempt;
  LinkNames links;
  firewall::BackEnd firewall = firewall::BackEnd::kAuto;
  std::chrono::seconds resync{5};          ///< between looks at all that no event told of
  std::chrono::seconds removal_delay{60};  ///< from the pool's object being gone to the end of its routes
  http::ListenAddress healthz;             ///< port 0: not served
  bool once = false;    ///< put by the store what keeps packets from leaving in clear, and end
  bool remove = false;  ///< take away what earlier runs have left on the node, and end
};

/// From the arguments behind the program's name, and for what they do not tell from the environment
/// (EGW_HELPER_<NAME>, NODE_NAME, and KUBERNETES_SERVICE_HOST, which is exempt). Errors: kInvalidArgument,
/// naming flag, value and what would do.
[[nodiscard]] Result<HelperOptions> parse_helper_options(std::span<const std::string> arguments,
                                                         const Flags::Lookup& environment);

[[nodiscard]] std::string helper_help();

}  // namespace holdfast::gateway
