#pragma once

/// Names by which the API server knows what several components use.
namespace holdfast::kube {

/// Our objects about storage.
inline constexpr const char* kStorageGroup = "storage.holdfast.dev";
inline constexpr const char* kStorageVersion = "v1alpha1";
inline constexpr const char* kStorageApiVersion = "storage.holdfast.dev/v1alpha1";

/// On a Node: the pool that it is in, by which pods are scheduled; also the key of a volume's topology.
/// Source: OpenYurt.
inline constexpr const char* kNodePoolLabel = "apps.openyurt.io/nodepool";
/// Of a Node whose programs of ours are the packages' units: the DaemonSets keep off it.
inline constexpr const char* kHostUnitsLabel = "net.holdfast.dev/host-units";

}  // namespace holdfast::kube
