#include "common/netlink/address.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <string>

#include "common/netlink/parse.h"
#include "common/netlink/wire.h"

namespace holdfast::nl {
namespace {

ifaddrmsg address_header(int ifindex, const Cidr& cidr) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(address_family(cidr.family()));
  header.ifa_prefixlen = cidr.prefix();
  header.ifa_index = static_cast<std::uint32_t>(ifindex);
  return header;
}

void put_local(Writer& writer, const Cidr& cidr) {
  writer.address(IFA_LOCAL, cidr.address());
  writer.address(IFA_ADDRESS, cidr.address());
}

std::string name_of(std::string_view verb, int ifindex, const Cidr& cidr) {
  return std::string(verb) + " address " + cidr.to_string() + " on link " + std::to_string(ifindex);
}

}  // namespace

std::optional<Address> parse_address(const nlmsghdr* message) {
  const auto* header = header_of<ifaddrmsg>(message);
  if (header == nullptr) return std::nullopt;
  const Attributes attributes(message, sizeof *header);
  // IPv4 has both and IFA_ADDRESS is the other end of a point-to-point link; IPv6 mostly has IFA_ADDRESS
  // alone.
  const std::optional<IpAddress> local =
      attributes.has(IFA_LOCAL) ? attributes.address(IFA_LOCAL) : attributes.address(IFA_ADDRESS);
  if (!local) return std::nullopt;
  const std::optional<Cidr> cidr = to_cidr(*local, header->ifa_prefixlen);
  if (!cidr) return std::nullopt;

  const std::uint32_t flags = attributes.u32(IFA_FLAGS).value_or(header->ifa_flags);
  Address out;
  out.ifindex = static_cast<int>(header->ifa_index);
  out.cidr = *cidr;
  out.scope = static_cast<Scope>(header->ifa_scope);
  out.broadcast = attributes.address(IFA_BROADCAST);
  out.permanent = (flags & IFA_F_PERMANENT) != 0;
  out.tentative = (flags & IFA_F_TENTATIVE) != 0;
  out.dad_failed = (flags & IFA_F_DADFAILED) != 0;
  out.no_dad = (flags & IFA_F_NODAD) != 0;
  return out;
}

Result<std::vector<Address>> list_addresses(Socket& socket, int ifindex, std::optional<IpFamily> family) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(address_family(family));
  header.ifa_index = static_cast<std::uint32_t>(ifindex);
  Writer writer(RTM_GETADDR, 0, header);
  Request request("list addresses", std::move(writer).take());
  return collect<Address>(socket, std::move(request).tolerating(ENODEV), [ifindex](const nlmsghdr* message) {
    std::optional<Address> address = parse_address(message);
    // a kernel before 4.20 knows no filter
    if (address && ifindex != 0 && address->ifindex != ifindex) address.reset();
    return address;
  });
}

Request put_address(int ifindex, const Cidr& cidr, const AddressOptions& options) {
  ifaddrmsg header = address_header(ifindex, cidr);
  header.ifa_scope = static_cast<std::uint8_t>(options.scope);
  Writer writer(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
  put_local(writer, cidr);
  if (options.broadcast) writer.address(IFA_BROADCAST, *options.broadcast);
  std::uint32_t flags = 0;
  if (options.no_dad) flags |= IFA_F_NODAD;
  if (options.no_prefix_route) flags |= IFA_F_NOPREFIXROUTE;
  if (flags != 0) writer.u32(IFA_FLAGS, flags);
  return {name_of("put", ifindex, cidr), std::move(writer).take()};
}

Request drop_address(int ifindex, const Cidr& cidr) {
  Writer writer(RTM_DELADDR, 0, address_header(ifindex, cidr));
  put_local(writer, cidr);
  return Request(name_of("drop", ifindex, cidr), std::move(writer).take())
      .tolerating(EADDRNOTAVAIL)
      .tolerating(ENODEV);
}

}  // namespace holdfast::nl
