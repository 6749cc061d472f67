#include "common/netlink/link.h"

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/base/link_name.h"
#include "common/netlink/parse.h"
#include "common/netlink/wire.h"

namespace holdfast::nl {
namespace {

constexpr std::size_t kLinkMessageBytes = 1024;
// RTEXT_FILTER_SKIP_STATS leaves out two thirds of a link's message.
constexpr std::uint32_t kWithoutStatistics = RTEXT_FILTER_SKIP_STATS;

std::string numbered(std::string_view what, int index) {
  return std::string(what) + " " + std::to_string(index);
}

ifinfomsg link_header(int index = 0, int family = AF_UNSPEC) {
  ifinfomsg header{};
  header.ifi_family = static_cast<std::uint8_t>(family);
  header.ifi_index = index;
  return header;
}

void set_flag(ifinfomsg& header, unsigned flag, bool on) {
  header.ifi_change |= flag;
  if (on) header.ifi_flags |= flag;
}

bool set_in(unsigned flags, unsigned flag) { return (flags & flag) != 0; }
bool is_on(std::optional<std::uint8_t> value, bool otherwise) { return value ? *value != 0 : otherwise; }

BridgePort parse_port(const Attributes& data) {
  BridgePort port;
  port.state = static_cast<PortState>(data.u8(IFLA_BRPORT_STATE).value_or(BR_STATE_DISABLED));
  port.hairpin = is_on(data.u8(IFLA_BRPORT_MODE), false);
  port.isolated = is_on(data.u8(IFLA_BRPORT_ISOLATED), false);
  port.learning = is_on(data.u8(IFLA_BRPORT_LEARNING), true);
  port.flood = is_on(data.u8(IFLA_BRPORT_UNICAST_FLOOD), true);
  return port;
}

VxlanInfo parse_vxlan(const Attributes& data) {
  VxlanInfo info;
  info.vni = data.u32(IFLA_VXLAN_ID).value_or(0);
  info.local = data.has(IFLA_VXLAN_LOCAL) ? data.address(IFLA_VXLAN_LOCAL) : data.address(IFLA_VXLAN_LOCAL6);
  info.device = data.index(IFLA_VXLAN_LINK);
  info.port = __builtin_bswap16(data.u16(IFLA_VXLAN_PORT).value_or(0));
  info.learning = is_on(data.u8(IFLA_VXLAN_LEARNING), true);
  info.gbp = data.has(IFLA_VXLAN_GBP);
  info.l2miss = is_on(data.u8(IFLA_VXLAN_L2MISS), false);
  return info;
}

void put_vxlan(Writer& writer, const VxlanInfo& info) {
  writer.u32(IFLA_VXLAN_ID, info.vni);
  if (info.local) writer.address(info.local->is_v4() ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, *info.local);
  if (info.device != 0) writer.u32(IFLA_VXLAN_LINK, static_cast<std::uint32_t>(info.device));
  if (info.port != 0) writer.be16(IFLA_VXLAN_PORT, info.port);
  writer.u8(IFLA_VXLAN_LEARNING, info.learning ? 1 : 0);
  if (info.l2miss) writer.u8(IFLA_VXLAN_L2MISS, 1);
  if (info.gbp) writer.flag(IFLA_VXLAN_GBP);
}

/// What the specs of all kinds share.
template <class Spec>
void put_common(Writer& writer, const Spec& spec) {
  writer.text(IFLA_IFNAME, spec.name);
  if (spec.mtu != 0) writer.u32(IFLA_MTU, spec.mtu);
  if (spec.mac) writer.mac(IFLA_ADDRESS, *spec.mac);
}

/// `details` writes the kind's own attributes.
template <class F>
void put_kind(Writer& writer, std::string_view kind, F details) {
  writer.nest(IFLA_LINKINFO, [&] {
    writer.text(IFLA_INFO_KIND, kind);
    writer.nest(IFLA_INFO_DATA, details);
  });
}

/// Unasked, the kernel makes a queue for every processor and then takes all but one out of service.
void put_one_queue(Writer& writer) {
  writer.u32(IFLA_NUM_TX_QUEUES, 1);
  writer.u32(IFLA_NUM_RX_QUEUES, 1);
}

Writer creation(bool up) {
  ifinfomsg header = link_header();
  if (up) set_flag(header, IFF_UP, true);
  return {RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, header, kLinkMessageBytes};
}

Result<Link> create(Socket& socket, const std::string& what, std::string_view name, Writer writer) {
  HOLDFAST_TRY(const std::optional<Reply> echo, socket.run_echoed(Request(what, std::move(writer).take())));
  std::optional<Link> made = echo ? parse_link(echo->header()) : std::nullopt;
  if (!made) {  // a kernel before 6.2 does not echo
    HOLDFAST_TRY(made, find_link(socket, name));
  }
  if (!made) return fail(Code::kNotFound, what + ": the link is gone again");
  return *std::move(made);
}

Result<std::optional<Link>> get_link(Socket& socket, Request request) {
  HOLDFAST_TRY(const std::optional<Reply> reply, socket.get(std::move(request).tolerating(ENODEV)));
  return reply ? parse_link(reply->header()) : std::nullopt;
}

Request refuse(std::string what, Status reason) { return {std::move(what), std::move(reason).error()}; }

Request bridge_vlan_request(int type, std::string what, int index, const BridgeVlan& vlan,
                            VlanTarget target) {
  Writer writer(type, 0, link_header(index, AF_BRIDGE));
  writer.nest(IFLA_AF_SPEC, [&] {
    if (target == VlanTarget::kBridgeItself) writer.u16(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
    bridge_vlan_info info{};
    if (vlan.pvid) info.flags |= BRIDGE_VLAN_INFO_PVID;
    if (vlan.untagged) info.flags |= BRIDGE_VLAN_INFO_UNTAGGED;
    const std::uint16_t flags = info.flags;
    info.vid = vlan.first;
    if (vlan.last > vlan.first) {
      info.flags = static_cast<std::uint16_t>(flags | BRIDGE_VLAN_INFO_RANGE_BEGIN);
      writer.bytes(IFLA_BRIDGE_VLAN_INFO, &info, sizeof info);
      info.flags = static_cast<std::uint16_t>(flags | BRIDGE_VLAN_INFO_RANGE_END);
      info.vid = vlan.last;
    }
    writer.bytes(IFLA_BRIDGE_VLAN_INFO, &info, sizeof info);
  });
  return {std::move(what), std::move(writer).take()};
}

std::string name_of_vlan(std::string_view verb, int index, const BridgeVlan& vlan) {
  return std::string(verb) + " VLAN " + std::to_string(vlan.first) + "-" + std::to_string(vlan.last) +
         " on link " + std::to_string(index);
}

std::vector<BridgeVlan> parse_vlans(const nlattr* af_spec) {
  std::vector<BridgeVlan> out;
  std::uint16_t range_begin = 0;
  for_each_attribute(af_spec, [&](const nlattr* attribute) {
    bridge_vlan_info info{};
    if (nla_type(attribute) != IFLA_BRIDGE_VLAN_INFO || nla_len(attribute) < static_cast<int>(sizeof info))
      return;
    std::memcpy(&info, nla_data(attribute), sizeof info);
    if (set_in(info.flags, BRIDGE_VLAN_INFO_RANGE_BEGIN)) {
      range_begin = info.vid;
      return;
    }
    const bool ends_range = set_in(info.flags, BRIDGE_VLAN_INFO_RANGE_END);
    out.push_back({ends_range ? range_begin : info.vid, info.vid, set_in(info.flags, BRIDGE_VLAN_INFO_PVID),
                   set_in(info.flags, BRIDGE_VLAN_INFO_UNTAGGED)});
  });
  return out;
}

}  // namespace

std::optional<Link> parse_link(const nlmsghdr* message) {
  const auto* header = header_of<ifinfomsg>(message);
  if (header == nullptr || header->ifi_family != AF_UNSPEC) return std::nullopt;
  const Attributes attributes(message, sizeof *header);
  Link link;
  link.index = header->ifi_index;
  link.name = attributes.text(IFLA_IFNAME);
  link.mac = attributes.mac(IFLA_ADDRESS);
  link.mtu = attributes.u32(IFLA_MTU).value_or(0);
  link.up = set_in(header->ifi_flags, IFF_UP);
  link.lower_up = set_in(header->ifi_flags, IFF_LOWER_UP);
  link.promiscuous = set_in(header->ifi_flags, IFF_PROMISC);
  link.master = attributes.index(IFLA_MASTER);
  link.alias = attributes.text(IFLA_IFALIAS);
  link.peer = attributes.index(IFLA_LINK);
  if (attributes.has(IFLA_LINK_NETNSID)) link.peer_netnsid = attributes.index(IFLA_LINK_NETNSID);
  link.oper_state = static_cast<OperState>(attributes.u8(IFLA_OPERSTATE).value_or(IF_OPER_UNKNOWN));

  const Attributes info(attributes.find(IFLA_LINKINFO));
  link.kind = info.text(IFLA_INFO_KIND);
  const Attributes data(info.find(IFLA_INFO_DATA));
  if (link.kind == "vxlan") link.vxlan = parse_vxlan(data);
  if (const auto filtering = data.u8(IFLA_BR_VLAN_FILTERING); link.kind == "bridge" && filtering) {
    link.vlan_filtering = *filtering != 0;
  }
  if (info.text(IFLA_INFO_SLAVE_KIND) == "bridge")
    link.port = parse_port(Attributes(info.find(IFLA_INFO_SLAVE_DATA)));
  return link;
}

Status check_link_name(std::string_view name) {
  if (fault_of_link_name(name).empty()) return {};
  return fail(Code::kInvalidArgument,
              "'" + std::string(name) + "' cannot be the name of a network interface");
}

Result<std::optional<Link>> find_link(Socket& socket, std::string_view name) {
  HOLDFAST_CHECK(check_link_name(name));
  Writer writer(RTM_GETLINK, 0, link_header());
  writer.text(IFLA_IFNAME, name);
  writer.u32(IFLA_EXT_MASK, kWithoutStatistics);
  return get_link(socket, Request("find link " + std::string(name), std::move(writer).take()));
}

Result<std::optional<Link>> find_link(Socket& socket, int index) {
  Writer writer(RTM_GETLINK, 0, link_header(index));
  writer.u32(IFLA_EXT_MASK, kWithoutStatistics);
  return get_link(socket, Request(numbered("find link", index), std::move(writer).take()));
}

Result<std::vector<Link>> list_links(Socket& socket, const LinkFilter& filter) {
  Writer writer(RTM_GETLINK, 0, link_header());
  writer.u32(IFLA_EXT_MASK, kWithoutStatistics);
  if (filter.master != 0) writer.u32(IFLA_MASTER, static_cast<std::uint32_t>(filter.master));
  if (!filter.kind.empty()) writer.nest(IFLA_LINKINFO, [&] { writer.text(IFLA_INFO_KIND, filter.kind); });
  return collect<Link>(socket, Request("list links", std::move(writer).take()), [&](const nlmsghdr* message) {
    std::optional<Link> link = parse_link(message);
    // The kernel filters by a kind only when it has seen one of that kind, and old ones not at all.
    const bool wanted = link && (filter.master == 0 || link->master == filter.master) &&
                        (filter.kind.empty() || link->kind == filter.kind);
    if (!wanted) link.reset();
    return link;
  });
}

Result<Link> create_bridge(Socket& socket, const BridgeSpec& spec) {
  const std::string what = "create bridge " + spec.name;
  HOLDFAST_CHECK(check_link_name(spec.name));
  Writer writer = creation(spec.up);
  put_common(writer, spec);
  put_kind(writer, "bridge", [&] {
    if (spec.vlan_filtering) writer.u8(IFLA_BR_VLAN_FILTERING, 1);
  });
  Result<Link> made = create(socket, what, spec.name, std::move(writer));
  if (!made && spec.vlan_filtering && made.error().sys_errno == EOPNOTSUPP) {
    return fail(Code::kUnimplemented,
                what + ": this kernel's bridges cannot filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING)");
  }
  return made;
}

Result<Link> create_veth(Socket& socket, const VethSpec& spec) {
  HOLDFAST_CHECK(check_link_name(spec.name));
  HOLDFAST_CHECK(check_link_name(spec.peer_name));
  Writer writer = creation(spec.up);
  put_common(writer, spec);
  if (spec.master != 0) writer.u32(IFLA_MASTER, static_cast<std::uint32_t>(spec.master));
  put_one_queue(writer);
  put_kind(writer, "veth", [&] {
    writer.nest(VETH_INFO_PEER, [&] {
      writer.append(link_header());
      put_one_queue(writer);
      writer.text(IFLA_IFNAME, spec.peer_name);
      if (spec.mtu != 0) writer.u32(IFLA_MTU, spec.mtu);
      if (spec.peer_mac) writer.mac(IFLA_ADDRESS, *spec.peer_mac);
      if (spec.peer_netns_fd >= 0) writer.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(spec.peer_netns_fd));
    });
  });
  const std::string what = "create veth " + spec.name + " with peer " + spec.peer_name;
  HOLDFAST_TRY(Link made, create(socket, what, spec.name, std::move(writer)));
  made.master = spec.master;
  if (spec.alias.empty()) return made;

  // the kernel takes no alias while it creates
  LinkChange naming;
  naming.alias = spec.alias;
  if (Status named = socket.run(change_link(made.index, naming)); !named) {
    HOLDFAST_CHECK(socket.run(delete_link(made.index)));
    return tl::unexpected(std::move(named).error());
  }
  made.alias = spec.alias;
  return made;
}

Result<Link> create_vxlan(Socket& socket, const VxlanSpec& spec) {
  HOLDFAST_CHECK(check_link_name(spec.name));
  Writer writer = creation(spec.up);
  put_common(writer, spec);
  put_kind(writer, "vxlan", [&] { put_vxlan(writer, spec.info); });
  return create(socket, "create vxlan " + spec.name, spec.name, std::move(writer));
}

Result<Link> create_wireguard(Socket& socket, std::string_view name) {
  HOLDFAST_CHECK(check_link_name(name));
  Writer writer = creation(/*up=*/false);
  writer.text(IFLA_IFNAME, name);
  put_kind(writer, "wireguard", [] {});
  return create(socket, "create wireguard " + std::string(name), name, std::move(writer));
}

Request change_link(int index, const LinkChange& change) {
  std::string what = numbered("change link", index);
  if (change.name) {
    if (Status named = check_link_name(*change.name); !named)
      return refuse(std::move(what), std::move(named));
  }
  ifinfomsg header = link_header(index);
  if (change.up) set_flag(header, IFF_UP, *change.up);
  if (change.promiscuous) set_flag(header, IFF_PROMISC, *change.promiscuous);
  Writer writer(RTM_SETLINK, 0, header, kLinkMessageBytes);
  if (change.mtu) writer.u32(IFLA_MTU, *change.mtu);
  if (change.mac) writer.mac(IFLA_ADDRESS, *change.mac);
  if (change.name) writer.text(IFLA_IFNAME, *change.name);
  if (change.alias) writer.bytes(IFLA_IFALIAS, change.alias->data(), change.alias->size());
  if (change.master) writer.u32(IFLA_MASTER, static_cast<std::uint32_t>(*change.master));
  if (change.arp_notify) {
    writer.nest(IFLA_AF_SPEC, [&] {
      writer.nest(AF_INET, [&] {
        writer.nest(IFLA_INET_CONF, [&] { writer.u32(IPV4_DEVCONF_ARP_NOTIFY, *change.arp_notify ? 1 : 0); });
      });
    });
  }
  return {std::move(what), std::move(writer).take()};
}

Request set_vxlan_learning(int index, bool on) {
  Writer writer(RTM_NEWLINK, 0, link_header(index));
  put_kind(writer, "vxlan", [&] { writer.u8(IFLA_VXLAN_LEARNING, on ? 1 : 0); });
  return {numbered("set learning of VXLAN device", index), std::move(writer).take()};
}

Request change_bridge_port(int index, const BridgePortChange& change) {
  Writer writer(RTM_SETLINK, 0, link_header(index, AF_BRIDGE));
  const auto put = [&](int type, std::optional<bool> value) {
    if (value) writer.u8(type, *value ? 1 : 0);
  };
  // without NLA_F_NESTED the kernel takes it for the old form, a lone port state
  writer.nest(IFLA_PROTINFO | NLA_F_NESTED, [&] {
    put(IFLA_BRPORT_MODE, change.hairpin);
    put(IFLA_BRPORT_ISOLATED, change.isolated);
    put(IFLA_BRPORT_LEARNING, change.learning);
    put(IFLA_BRPORT_UNICAST_FLOOD, change.flood);
  });
  return {numbered("change bridge port", index), std::move(writer).take()};
}

Request set_vlan_filtering(int bridge_index, bool on) {
  Writer writer(RTM_NEWLINK, 0, link_header(bridge_index));
  put_kind(writer, "bridge", [&] { writer.u8(IFLA_BR_VLAN_FILTERING, on ? 1 : 0); });
  return {numbered("set VLAN filtering of bridge", bridge_index), std::move(writer).take()};
}

Request put_bridge_vlan(int index, const BridgeVlan& vlan, VlanTarget target) {
  return bridge_vlan_request(RTM_SETLINK, name_of_vlan("put", index, vlan), index, vlan, target);
}

Request drop_bridge_vlan(int index, const BridgeVlan& vlan, VlanTarget target) {
  return bridge_vlan_request(RTM_DELLINK, name_of_vlan("drop", index, vlan), index, vlan, target)
      .tolerating(ENOENT);
}

Result<std::vector<BridgeVlan>> list_bridge_vlans(Socket& socket, int index) {
  Writer writer(RTM_GETLINK, 0, link_header(0, AF_BRIDGE));
  writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
  std::vector<BridgeVlan> out;
  HOLDFAST_CHECK(socket.dump(
      Request(numbered("list VLANs of link", index), std::move(writer).take()), [&] { out.clear(); },
      [&](const nlmsghdr* message) {
        const auto* header = header_of<ifinfomsg>(message);
        if (header == nullptr || header->ifi_index != index) return;
        out = parse_vlans(Attributes(message, sizeof *header).find(IFLA_AF_SPEC));
      }));
  return out;
}

Request delete_link(int index) {
  Writer writer(RTM_DELLINK, 0, link_header(index));
  return Request(numbered("delete link", index), std::move(writer).take()).tolerating(ENODEV);
}

Request delete_link(std::string_view name) {
  std::string what = "delete link " + std::string(name);
  if (Status named = check_link_name(name); !named) return refuse(std::move(what), std::move(named));
  Writer writer(RTM_DELLINK, 0, link_header());
  writer.text(IFLA_IFNAME, name);
  return Request(std::move(what), std::move(writer).take()).tolerating(ENODEV);
}

}  // namespace holdfast::nl
