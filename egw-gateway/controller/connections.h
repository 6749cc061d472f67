#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {

/// A way into a VPC, by which pools that name it are connected.
struct Connection {
  std::string cen_id{};
  std::string ccn_id{};
  std::string ccn_region{};
  EdgeGateway gateway{};  ///< its vpc_cidrs, cloud_pod_cidrs, exempt_cidrs, access_points and liveness
};

/// What is connected to what, which annotations do not tell: the member "connections" of the ConfigMap
/// egw-controller, YAML or JSON:
///
///     - cenId: cen-1
///       ccnId: ccn-1
///       ccnRegion: cn-shanghai
///       vpcCIDRs, cloudPodCIDRs, exemptCIDRs, accessPoints, liveness      as in an EdgeGateway's spec
///
/// `services`: the member "serviceCIDRs", where Services of the cluster have their addresses, with commas
/// between. A part of a connection's ranges is exempt then: a node's own processes look for the route to a
/// Service before kube-proxy turns the packet to a pod, and an unreachable range would end it there.
///
/// Errors: kInvalidArgument, naming the entry (from 0) and the member: also for an entry without access
/// points or without VPC ranges, for one whose ranges fall into more than kMostBlocks, for two entries of the
/// same ids, and for Services that hold a whole range.
[[nodiscard]] Result<std::vector<Connection>> parse_connections(std::string_view text,
                                                                std::string_view services = {});

/// Of what the connection's pools reach in the cloud the range that holds an address that is not exempt;
/// nullopt: none does.
[[nodiscard]] std::optional<Cidr> range_that_takes(const Connection& connection, const IpAddress& address);

/// Null when there is none.
[[nodiscard]] const Connection* find_connection(const std::vector<Connection>& connections,
                                                const std::string& cen_id, const std::string& ccn_id,
                                                const std::string& ccn_region);

}  // namespace holdfast::gateway
