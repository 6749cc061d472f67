#include "cni-flannel/daemon/vxlan_device.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "common/netlink/address.h"
#include "common/netlink/sysctl.h"

namespace holdfast::flannel {
namespace {

std::string name_of(const VxlanDeviceSpec& spec) {
  return vxlan_device_name(spec.subnet.family(), spec.conf.vni);
}

nl::VxlanInfo info_of(const VxlanDeviceSpec& spec) {
  nl::VxlanInfo info;
  info.vni = spec.conf.vni;
  info.local = spec.local;
  info.device = spec.underlay;
  info.port = spec.conf.port;
  info.learning = spec.conf.learning;
  info.gbp = spec.conf.gbp;
  return info;
}

/// The device's MTU: that told, but no more than the kernel takes for what is below it (an IPv6 header is 20
/// bytes longer than the 50 that are taken off for both families).
Result<std::uint32_t> possible_mtu(nl::Socket& socket, const VxlanDeviceSpec& spec) {
  constexpr std::uint32_t kIpv6Extra = 20;
  HOLDFAST_TRY(const std::optional<nl::Link> below, nl::find_link(socket, spec.underlay));
  if (!below) {
    return fail(Code::kNotFound, "set up " + name_of(spec) + ": its external interface (index " +
                                     std::to_string(spec.underlay) + ") is not there");
  }
  const std::uint32_t overhead = kVxlanOverhead + (spec.local.is_v4() ? 0 : kIpv6Extra);
  return below->mtu > overhead ? std::min(spec.mtu, below->mtu - overhead) : spec.mtu;
}

/// The outcome of finding or making the link, before it is set up.
struct Found {
  nl::Link link;
  bool created = false;
  std::string replaced;
};

/// Says which link is in the way of ours.
Error with_holder(nl::Socket& socket, const VxlanDeviceSpec& spec, Error error) {
  if (error.code != Code::kAlreadyExists) return error;
  const Result<std::vector<nl::Link>> links = nl::list_links(socket, {.kind = "vxlan"});
  if (!links) return error;
  for (const nl::Link& link : *links) {
    if (!link.vxlan || link.vxlan->vni != spec.conf.vni) continue;
    error.message += "; " + link.name + " has VNI " + std::to_string(spec.conf.vni) +
                     ": delete it (ip link del " + link.name +
                     "), or take another VNI for all nodes (Backend.VNI in net-conf.json)";
  }
  return error;
}

Result<Found> find_or_create(nl::Socket& socket, const VxlanDeviceSpec& spec) {
  Found out;
  const std::string name = name_of(spec);
  HOLDFAST_TRY(std::optional<nl::Link> there, nl::find_link(socket, name));
  if (there) {
    out.replaced = vxlan_mismatch(*there, spec);
    if (out.replaced.empty()) {
      out.link = *std::move(there);
      return out;
    }
    HOLDFAST_CHECK(socket.run(nl::delete_link(there->index)));
  }
  nl::VxlanSpec link;
  link.name = name;
  link.mac = spec.mac;
  link.mtu = spec.mtu;
  link.info = info_of(spec);
  Result<nl::Link> made = nl::create_vxlan(socket, link);
  if (!made) return tl::unexpected(with_holder(socket, spec, std::move(made).error()));
  out.link = *std::move(made);
  out.created = true;
  return out;
}

/// What differs though the link can serve. Returns whether the MAC was changed.
Result<bool> adjust(nl::Socket& socket, const nl::Link& link, const VxlanDeviceSpec& spec) {
  if (link.vxlan && link.vxlan->learning != spec.conf.learning) {
    HOLDFAST_CHECK(socket.run(nl::set_vxlan_learning(link.index, spec.conf.learning)));
  }
  nl::LinkChange change;
  if (link.mtu != spec.mtu) change.mtu = spec.mtu;
  if (link.mac != spec.mac) change.mac = spec.mac;
  if (link.master != 0) change.master = 0;  // a port of a bridge takes packets from nobody else
  if (change.mtu || change.mac || change.master) {
    HOLDFAST_CHECK(socket.run(nl::change_link(link.index, change)));
  }
  return change.mac.has_value();
}

Status refuse_router_advertisements(const std::string& device) {
  Status set = nl::set_sysctl("net/ipv6/conf/" + device + "/accept_ra", "0");
  // A kernel without IPv6 has nothing to turn off. In a container that is not privileged, as upstream's
  // manifest makes it, settings are only to be read, and an overlay that nobody can turn this off for is
  // better than none: no advertisement arrives by the device, as it sends to no group, and a node that
  // forwards takes none.
  if (!set && (set.error().code == Code::kNotFound || set.error().sys_errno == EROFS)) return {};
  return set;
}

bool is_link_local(const IpAddress& address) {
  return !address.is_v4() && Cidr::parse("fe80::/10")->contains(address);
}

/// Whether an address of the device has no business there.
bool is_stale(const nl::Address& address, const Cidr& wanted, const Cidr& network) {
  if (address.cidr == wanted || is_link_local(address.cidr.address())) return false;
  return !wanted.is_v4() || network.contains(address.cidr.address());
}

Status put_addresses(nl::Socket& socket, int ifindex, const VxlanDeviceSpec& spec) {
  HOLDFAST_TRY(const Cidr wanted, Cidr::make(spec.subnet.first(), spec.subnet.address().bits()));
  HOLDFAST_TRY(const std::vector<nl::Address> there,
               nl::list_addresses(socket, ifindex, spec.subnet.family()));
  bool is_there = false;
  for (const nl::Address& address : there) {
    is_there = is_there || address.cidr == wanted;
    if (is_stale(address, wanted, spec.network)) {
      HOLDFAST_CHECK(socket.run(nl::drop_address(ifindex, address.cidr)));
    }
  }
  // each put is told to everybody who listens, to ourselves too
  if (is_there) return {};
  nl::AddressOptions options;
  options.no_dad = true;  // nobody else can have it, and it must serve at once
  return socket.run(nl::put_address(ifindex, wanted, options));
}

/// The link as it is in the end. Errors: kAborted for another MAC than wanted.
Result<nl::Link> check_outcome(nl::Socket& socket, int ifindex, const VxlanDeviceSpec& spec) {
  HOLDFAST_TRY(std::optional<nl::Link> link, nl::find_link(socket, ifindex));
  if (!link) return fail(Code::kAborted, name_of(spec) + " was deleted while it was set up");
  if (link->mac != spec.mac) {
    return fail(Code::kAborted, name_of(spec) + " has MAC " +
                                    (link->mac ? link->mac->to_string() : std::string("none")) + ", not " +
                                    spec.mac.to_string() + " that was set: something else sets it too " +
                                    "(systemd's MACAddressPolicy? give the device a .link file)");
  }
  return *std::move(link);
}

}  // namespace

std::string vxlan_device_name(IpFamily family, std::uint32_t vni) {
  return (family == IpFamily::kV4 ? "flannel." : "flannel-v6.") + std::to_string(vni);
}

std::vector<std::string> overlay_links(std::uint32_t vni) {
  return {vxlan_device_name(IpFamily::kV4, vni), vxlan_device_name(IpFamily::kV6, vni), "cni0"};
}

std::string vxlan_mismatch(const nl::Link& link, const VxlanDeviceSpec& spec) {
  if (!link.vxlan) return "it is of type " + (link.kind.empty() ? "none" : link.kind);
  const nl::VxlanInfo& there = *link.vxlan;
  const nl::VxlanInfo wanted = info_of(spec);
  const auto differs = [](const std::string& what, const std::string& is, const std::string& should) {
    return what + " is " + is + ", should be " + should;
  };
  if (there.vni != wanted.vni) {
    return differs("its VNI", std::to_string(there.vni), std::to_string(wanted.vni));
  }
  if (there.device != wanted.device) {
    return differs("its external interface", std::to_string(there.device), std::to_string(wanted.device));
  }
  if (there.local != wanted.local) {
    return differs("its local address", there.local ? there.local->to_string() : "none",
                   spec.local.to_string());
  }
  if (there.port != 0 && wanted.port != 0 && there.port != wanted.port) {
    return differs("its port", std::to_string(there.port), std::to_string(wanted.port));
  }
  if (there.gbp != wanted.gbp) {
    return differs("its group policy extension", there.gbp ? "on" : "off", wanted.gbp ? "on" : "off");
  }
  return there.l2miss ? differs("l2miss", "on", "off") : std::string{};
}

Result<VxlanDevice> ensure_vxlan_device(nl::Socket& socket, const VxlanDeviceSpec& wanted) {
  VxlanDeviceSpec spec = wanted;
  HOLDFAST_TRY(spec.mtu, possible_mtu(socket, wanted));
  HOLDFAST_TRY(Found found, find_or_create(socket, spec));
  const int ifindex = found.link.index;
  HOLDFAST_TRY(const bool renamed, adjust(socket, found.link, spec));
  HOLDFAST_CHECK(refuse_router_advertisements(name_of(spec)));
  HOLDFAST_CHECK(put_addresses(socket, ifindex, spec));
  if (!found.link.up) {
    nl::LinkChange up;
    up.up = true;
    HOLDFAST_CHECK(socket.run(nl::change_link(ifindex, up)));
  }
  VxlanDevice out;
  out.created = found.created;
  if (renamed && !found.created) out.corrected = found.link.mac;
  out.emptied = found.created || renamed || !found.link.up;
  out.replaced = std::move(found.replaced);
  HOLDFAST_TRY(out.link, check_outcome(socket, ifindex, spec));
  return out;
}

}  // namespace holdfast::flannel
