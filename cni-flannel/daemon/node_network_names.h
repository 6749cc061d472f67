#pragma once

#include <string_view>

/// The names by which the API server knows the objects that hold a node's network data.
namespace holdfast::flannel {

inline constexpr std::string_view kNodeNetworkGroup = "net.holdfast.dev";
inline constexpr std::string_view kNodeNetworkVersion = "v1alpha1";
inline constexpr std::string_view kNodeNetworkApiVersion = "net.holdfast.dev/v1alpha1";
inline constexpr std::string_view kNodeNetworkKind = "NodeNetworkConfiguration";
inline constexpr std::string_view kNodeNetworkListKind = "NodeNetworkConfigurationList";
/// Lower-case plural, as in URLs and in the name of the CustomResourceDefinition.
inline constexpr std::string_view kNodeNetworkPlural = "nodenetworkconfigurations";
/// On a node's object: the uid of the Node whose pod CIDRs it has.
inline constexpr std::string_view kNodeUidAnnotation = "net.holdfast.dev/node-uid";

}  // namespace holdfast::flannel
