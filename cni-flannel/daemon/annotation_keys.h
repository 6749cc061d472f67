#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::flannel {

inline constexpr std::string_view kDefaultAnnotationPrefix = "flannel.alpha.coreos.com";

/// The keys of upstream's Node annotations under one prefix (--kube-annotation-prefix).
struct AnnotationKeys {
  /// A prefix without slash gets one at its end; one with a slash that ends neither in '/' nor in '-' gets a
  /// '-'. Errors: kInvalidArgument when the outcome is not DOMAIN/ or DOMAIN/NAME- in lower-case letters,
  /// digits, '-' and '_', the domain with at least one dot.
  [[nodiscard]] static Result<AnnotationKeys> with_prefix(std::string_view prefix = kDefaultAnnotationPrefix);

  std::string kube_subnet_manager;
  std::string backend_type;
  std::string backend_data;
  std::string backend_v6_data;
  std::string public_ip;
  std::string public_ipv6;
  std::string public_ip_overwrite;
  std::string public_ipv6_overwrite;
  std::string node_public_ip;    ///< read at start by the node itself, in place of --public-ip
  std::string node_public_ipv6;  ///< the same for --public-ipv6
};

}  // namespace holdfast::flannel
