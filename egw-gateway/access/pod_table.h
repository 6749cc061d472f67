#pragma once

#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"
#include "egw-gateway/access/own_ranges.h"

namespace holdfast::gateway {

/// Keeps what lets this machine look for pods in a table of their own before main (routes/kernel_table.h has
/// its routes):
///
///     rule 10159: lookup 20159
///     throw OWN table 20159 proto 160        what of `own` lies within a range goes by main, as before
///
/// and finds what others have made for these ranges: routes of main, which are passed over while a gateway is
/// alive, and policy rules that come before ours, which are not. For people, one text each. Errors: the
/// first; what can be put is.
[[nodiscard]] Result<std::vector<std::string>> keep_pod_table(nl::Socket& socket,
                                                              const std::vector<Cidr>& ranges,
                                                              const std::vector<OwnRange>& own);

}  // namespace holdfast::gateway
