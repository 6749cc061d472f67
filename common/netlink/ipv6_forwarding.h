#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::nl {

inline constexpr std::string_view kIpv6Forwarding = "net/ipv6/conf/all/forwarding";

/// Has the calling thread's network namespace, which `socket` is in, forward IPv6. The kernel then forgets
/// the default routes that routers advertised, and takes no further ones, but of links whose accept_ra is 2:
/// it is made 2 first where it is 1 and such a route leads by the link, or a machine that has no other would
/// be cut off. Other links, pods' among them, are left at 1: nobody there is to advertise himself as a
/// router. Nothing is done where it forwards already. Source: Documentation/networking/ip-sysctl.rst,
/// accept_ra and conf/all/forwarding. Errors: those of sysctl.h, errno of netlink(7).
Status forward_ipv6(Socket& socket);

}  // namespace holdfast::nl
