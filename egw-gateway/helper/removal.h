#pragma once

#include "common/base/files.h"
#include "common/base/result.h"
#include "common/firewall/rule_keeper.h"
#include "egw-gateway/helper/helper_store.h"
#include "egw-gateway/helper/options.h"

namespace holdfast::gateway {

/// What of a node egw-helper has to do with, when it is to have left nothing there.
struct RemovalTools {
  Files& files;
  HelperStore& store;
  firewall::RuleKeeper& firewall;
};

/// Takes away from this node all that egw-helper puts there, whichever run of it did: routes and policy rules
/// that bear kRouteProtocol, packet-filter rules of either back end, what flanneld is told not to masquerade,
/// and last the store, by which the host's boot closes the ranges. Settings of the kernel stay as they are.
/// Blocks.
///
/// May be done again, and must be when it was cut short: the store is there until all else is gone. Errors:
/// of the first thing that could not be taken away; the others were all the same, but for the store.
Status remove_all(const RemovalTools& tools, const HelperOptions& options);

}  // namespace holdfast::gateway
