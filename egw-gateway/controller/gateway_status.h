#pragma once

#include <map>
#include <string>
#include <vector>

#include "egw-gateway/controller/pool_request.h"
#include "egw-gateway/controller/seen_objects.h"

namespace holdfast::gateway {

/// The pool's gateways: those that have a pod, as it is, a ready one before others; those without as they
/// were last, unless another is there now.
[[nodiscard]] std::vector<Gateway> gateways_of(const std::string& pool,
                                               const std::map<std::string, CorePod>& pods,
                                               const std::vector<Gateway>& last);

/// Names of those with a ready pod, that of higher priority first.
[[nodiscard]] std::vector<std::string> ready_gateways(const std::string& pool,
                                                      const std::map<std::string, CorePod>& pods);

/// A condition for each type, in one order; of several findings of a type the messages are joined. What is as
/// it was keeps its time. The active gateway is the first that is ready; how access points see it may differ
/// for some seconds.
[[nodiscard]] EdgeGatewayStatus status_of(const EdgeGatewayStatus& last, std::int64_t generation,
                                          const std::vector<Gateway>& gateways,
                                          const std::vector<std::string>& ready,
                                          const std::vector<PoolFinding>& findings, const std::string& now);

/// Those that the conditions of `last` do not tell.
[[nodiscard]] std::vector<PoolFinding> news_in(const EdgeGatewayStatus& now, const EdgeGatewayStatus& last);

}  // namespace holdfast::gateway
