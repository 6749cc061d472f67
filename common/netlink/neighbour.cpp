#include "common/netlink/neighbour.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/netlink/parse.h"
#include "common/netlink/wire.h"

namespace holdfast::nl {
namespace {

ndmsg neighbour_header(int family, int ifindex, NeighbourState state) {
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(family);
  header.ndm_ifindex = ifindex;
  header.ndm_state = static_cast<std::uint16_t>(state);
  return header;
}

std::string name_of(std::string_view verb, const Neighbour& neighbour) {
  return std::string(verb) + " neighbour " + neighbour.address.to_string() + " on link " +
         std::to_string(neighbour.ifindex);
}

std::string name_of(std::string_view verb, const FdbEntry& entry) {
  std::string out = std::string(verb) + " fdb " + entry.mac.to_string();
  if (entry.dst) out += " -> " + entry.dst->to_string();
  return out + " on link " + std::to_string(entry.ifindex);
}

Request fdb_request(int type, int flags, std::string_view verb, const FdbEntry& entry) {
  ndmsg header = neighbour_header(AF_BRIDGE, entry.ifindex, entry.state);
  header.ndm_flags = entry.master ? NTF_MASTER : NTF_SELF;
  Writer writer(type, flags, header, 128);
  writer.mac(NDA_LLADDR, entry.mac);
  if (entry.dst) writer.address(NDA_DST, *entry.dst);
  if (entry.vlan != 0) writer.u16(NDA_VLAN, entry.vlan);
  return {name_of(verb, entry), std::move(writer).take()};
}

/// The dump of a table, narrowed to one link where `ifindex` is not 0.
Request list_request(std::string what, int family, int ifindex) {
  Writer writer(RTM_GETNEIGH, 0, neighbour_header(family, 0, NeighbourState::kNone));
  if (ifindex != 0) writer.u32(NDA_IFINDEX, static_cast<std::uint32_t>(ifindex));
  return Request(std::move(what), std::move(writer).take()).tolerating(ENODEV);
}

}  // namespace

std::optional<Neighbour> parse_neighbour(const nlmsghdr* message) {
  const auto* header = header_of<ndmsg>(message);
  if (header == nullptr || (header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
    return std::nullopt;
  const Attributes attributes(message, sizeof *header);
  const std::optional<IpAddress> address = attributes.address(NDA_DST);
  if (!address || (header->ndm_state & NUD_NOARP) != 0) return std::nullopt;
  return Neighbour{header->ndm_ifindex, *address, attributes.mac(NDA_LLADDR).value_or(MacAddress()),
                   static_cast<NeighbourState>(header->ndm_state)};
}

std::optional<FdbEntry> parse_fdb(const nlmsghdr* message) {
  const auto* header = header_of<ndmsg>(message);
  if (header == nullptr || header->ndm_family != AF_BRIDGE) return std::nullopt;
  const Attributes attributes(message, sizeof *header);
  const std::optional<MacAddress> mac = attributes.mac(NDA_LLADDR);
  if (!mac) return std::nullopt;
  FdbEntry entry;
  entry.ifindex = header->ndm_ifindex;
  entry.mac = *mac;
  entry.dst = attributes.address(NDA_DST);
  entry.master = (header->ndm_flags & NTF_SELF) == 0;
  entry.vlan = attributes.u16(NDA_VLAN).value_or(0);
  entry.state = static_cast<NeighbourState>(header->ndm_state);
  return entry;
}

Result<std::vector<Neighbour>> list_neighbours(Socket& socket, int ifindex, std::optional<IpFamily> family) {
  Request request = list_request("list neighbours", address_family(family), ifindex);
  return collect<Neighbour>(socket, std::move(request), [ifindex](const nlmsghdr* message) {
    std::optional<Neighbour> neighbour = parse_neighbour(message);
    if (neighbour && ifindex != 0 && neighbour->ifindex != ifindex) neighbour.reset();
    return neighbour;
  });
}

Request put_neighbour(const Neighbour& neighbour) {
  Writer writer(
      RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
      neighbour_header(address_family(neighbour.address.family()), neighbour.ifindex, neighbour.state), 128);
  writer.address(NDA_DST, neighbour.address);
  writer.mac(NDA_LLADDR, neighbour.mac);
  return {name_of("put", neighbour), std::move(writer).take()};
}

Request drop_neighbour(const Neighbour& neighbour) {
  const int family = address_family(neighbour.address.family());
  Writer writer(RTM_DELNEIGH, 0, neighbour_header(family, neighbour.ifindex, NeighbourState::kNone), 128);
  writer.address(NDA_DST, neighbour.address);
  Request request(name_of("drop", neighbour), std::move(writer).take());
  return std::move(request).tolerating(ENOENT).tolerating(ENODEV);
}

Result<std::vector<FdbEntry>> list_fdb(Socket& socket, int ifindex) {
  Request request = list_request("list fdb", AF_BRIDGE, ifindex);
  return collect<FdbEntry>(socket, std::move(request), [ifindex](const nlmsghdr* message) {
    std::optional<FdbEntry> entry = parse_fdb(message);
    if (entry && ifindex != 0 && entry->ifindex != ifindex) entry.reset();
    return entry;
  });
}

Request put_fdb(const FdbEntry& entry) {
  const int add = entry.mac.is_zero() ? NLM_F_APPEND : NLM_F_REPLACE;
  return fdb_request(RTM_NEWNEIGH, NLM_F_CREATE | add, "put", entry);
}

Request drop_fdb(const FdbEntry& entry) {
  return fdb_request(RTM_DELNEIGH, 0, "drop", entry).tolerating(ENOENT).tolerating(ENODEV);
}

}  // namespace holdfast::nl
