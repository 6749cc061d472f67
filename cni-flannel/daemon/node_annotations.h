#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/annotation_keys.h"
#include "cni-flannel/daemon/node_network.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/json.h"
#include "common/base/result.h"

/// A node's network data as upstream keeps it: annotations of the Node, and spec.podCIDRs.
namespace holdfast::flannel {

using Annotations = std::map<std::string, std::string>;

/// What the node writes about itself. The operator's keys (the overwrites) are not among it.
[[nodiscard]] Annotations encode_annotations(const NodeNetwork& network, const AnnotationKeys& keys);

/// The reverse. nullopt for a node that does not say that flannel runs there: upstream's peers ignore it.
/// Errors: kInvalidArgument, naming the node, the annotation and the value.
[[nodiscard]] Result<std::optional<NodeNetwork>> decode_annotations(const std::string& node,
                                                                    const Annotations& annotations,
                                                                    const std::vector<Cidr>& pod_cidrs,
                                                                    const AnnotationKeys& keys);

/// Those of `wanted` that `present` has not, or has otherwise: what a patch must hold. Empty: nothing to do.
[[nodiscard]] Annotations changed_annotations(const Annotations& wanted, const Annotations& present);

/// An address that may stand under `key`. Errors: kInvalidArgument, naming key and value.
[[nodiscard]] Result<std::optional<IpAddress>> address_annotation(const Annotations& annotations,
                                                                  const std::string& key);

/// The annotations of a Kubernetes object. Errors: kInvalidArgument for one that is no string.
[[nodiscard]] Result<Annotations> annotations_of(const JsonObject& object);

/// A Node as the API server gives it; nullopt as decode_annotations. spec.podCIDRs, or else spec.podCIDR.
/// Errors: kInvalidArgument.
[[nodiscard]] Result<std::optional<NodeNetworkObject>> decode_node(const JsonObject& node,
                                                                   const AnnotationKeys& keys);

}  // namespace holdfast::flannel
