#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/program_run.h"
#include "common/base/result.h"
#include "common/inspect/condition_page.h"
#include "common/netlink/socket.h"
#include "egw-gateway/helper/helper_store.h"
#include "egw-gateway/helper/node_routes.h"
#include "egw-gateway/helper/options.h"

namespace holdfast::gateway {

/// The egw-helper of this network namespace.
struct HelperRun {
  int pid = 0;
  std::optional<HelperOptions> options = std::nullopt;  ///< unset: another user's, or not to be read
  bool same_files = false;                              ///< its paths mean the same to us
  ConditionPage page = {};                              ///< what it says of itself
};

/// nullopt when none runs. It is not asked: `page` is empty.
[[nodiscard]] std::optional<HelperRun> find_helper_run(const std::filesystem::path& proc = "/proc");

/// An access point as a gateway sees it.
struct AccessPointReport {
  bool up = false;                                 ///< answers through its tunnel
  std::optional<double> handshake = std::nullopt;  ///< seconds since the last one; unset: there was none

  bool operator==(const AccessPointReport&) const = default;
};

/// What an egw-core says of itself.
struct CoreReport {
  ConditionPage page = {};
  std::map<std::string, AccessPointReport> access_points = {};  ///< by name
};

/// A pool's gateways as this node has them: by what egw-helper has stored, held against the kernel.
struct GatewayReport {
  std::filesystem::path store;                      ///< the file
  std::optional<HelperRun> helper = std::nullopt;   ///< unset: it does not run
  std::optional<HelperState> state = std::nullopt;  ///< unset: nothing is stored
  std::vector<std::string> notes = {};              ///< what of the store could not be used
  LinkNames links = {};
  NodeFacts facts = {};
  std::map<int, std::string> link_names = {};  ///< of all links
  std::vector<Exemption> exempt = {};
  RoutedRanges routed = {};
  std::string active = {};                       ///< the gateway that routes lead to; empty: none
  RoutesWanted wanted = {};                      ///< with `active`
  RouteChanges changes = {};                     ///< what egw-helper would do
  std::map<std::string, bool> up = {};           ///< gateways, as egw-helper hears them; those it told of
  std::map<std::string, CoreReport> cores = {};  ///< of gateways to which there is a way

  /// Whether anything of a gateway is on this node.
  [[nodiscard]] bool in_use() const { return helper || state || !notes.empty(); }
};

/// Whose it is, and what flags tell.
struct GatewayPlaces {
  std::filesystem::path state_dir;  ///< empty: the running helper's, or the usual one
  std::string machine_id;
};

/// Changes nothing; asks egw-helper here and the gateways' pods for their pages, each for a second at most.
/// Errors: the kernel's, and of a read that failed.
[[nodiscard]] Result<GatewayReport> inspect_gateway(Files& files, Clock& clock, nl::Socket& socket,
                                                    const GatewayPlaces& places);

/// The same without asking anybody. Of `helper` the options count.
[[nodiscard]] Result<GatewayReport> look_at_gateway(Files& files, nl::Socket& socket,
                                                    const GatewayPlaces& places,
                                                    std::optional<HelperRun> helper);

/// All of a report that follows from its state and its facts. Pure.
void complete(GatewayReport& report);

}  // namespace holdfast::gateway
