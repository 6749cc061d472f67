#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cni-flannel/daemon/node_network_object.h"
#include "test/kube_server/api_server.h"

namespace holdfast::test {

/// A Node with this podCIDR, as kubelet and kube-controller-manager leave it.
void put_node(ApiServer& server, const std::string& name, const std::string& pod_cidr,
              const nlohmann::json& annotations = {});
/// Annotations as upstream's flanneld writes them.
[[nodiscard]] nlohmann::json flannel_annotations(const std::string& mac, const std::string& public_ip);
/// What a node publishes that runs flanneld.
[[nodiscard]] flannel::NodeNetwork network_of(const std::string& name, const std::string& pod_cidr,
                                              const std::string& mac, const std::string& public_ip);
/// The NodeNetworkConfiguration with it.
void put_object(ApiServer& server, const flannel::NodeNetwork& network);
/// The kind, as our manifest has it; `with_columns` false: without its columns.
void define_node_networks(ApiServer& server, bool with_columns = true);
/// null: there is none.
[[nodiscard]] nlohmann::json node_object(ApiServer& server, const std::string& name);
[[nodiscard]] nlohmann::json network_object(ApiServer& server, const std::string& name);

inline constexpr const char* kNodePath = "/api/v1/nodes/";
inline constexpr const char* kNetworkPath = "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/";

}  // namespace holdfast::test
