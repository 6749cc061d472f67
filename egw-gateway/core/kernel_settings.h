#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::gateway {

/// What a gateway needs of the kernel, which a pod with NET_ADMIN alone cannot set: its /proc/sys is
/// read-only. A privileged init container sets it (prepare_kernel), the gateway looks (check_kernel).
struct KernelSetting {
  std::string key;    ///< below /proc/sys
  std::string value;  ///< that is set
  std::string why;

  bool operator==(const KernelSetting&) const = default;
};

/// Of the namespace in which a gateway forwards, before its tunnels are made:
///
///     net/ipv4/ip_forward               1
///     net/ipv6/conf/all/forwarding      1    where the kernel has IPv6
///     net/ipv4/conf/all/rp_filter       2    loose: the highest of this and a link's own counts, and tunnels
///                                            that are made afterwards have what the host's default is
///     net/netfilter/nf_conntrack_max    is looked at only: kLeastConnections, or 0, which is no limit
///
/// Source: Documentation/networking/ip-sysctl.rst, nf_conntrack-sysctl.rst.
[[nodiscard]] std::vector<KernelSetting> kernel_settings(bool has_ipv6);

/// Connections of edge nodes are kept track of, pods' are not.
inline constexpr std::uint64_t kLeastConnections = 4096;

using ReadSetting = std::function<Result<std::string>(std::string_view key)>;

/// Whether `links`, by which packets come, have what a gateway needs. Errors: kFailedPrecondition, naming the
/// first key, its value, why, and the command that cures it; those of reading.
[[nodiscard]] Status check_kernel(const ReadSetting& read, const std::vector<std::string>& links);
/// Of the calling thread's namespace.
[[nodiscard]] Status check_kernel(const std::vector<std::string>& links);

/// Whether packets of the family are forwarded. Errors: as check_kernel().
[[nodiscard]] Status check_forwarding(IpFamily family);

/// Sets kernel_settings() in the calling thread's namespace, IPv6's as nl::forward_ipv6() does. Errors: the
/// first; the others are set all the same.
[[nodiscard]] Status prepare_kernel();

/// prepare_kernel() where somebody has set them otherwise since. Returns what check_kernel() said before;
/// empty: it was right. Errors: what is not right now either.
[[nodiscard]] Result<std::string> put_kernel_right(const std::vector<std::string>& links);

}  // namespace holdfast::gateway
