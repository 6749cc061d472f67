#include <arpa/inet.h>
#include <net/if.h>

#include <array>
#include <charconv>

#include "csi-nas/nfs/server_states.h"

namespace holdfast::nas {
namespace {

// The kernel tells zones by their numbers. One that is not there stays as it is.
std::string zone_name(const std::string& zone) {
  unsigned number = 0;
  const char* const end = zone.data() + zone.size();
  if (std::from_chars(zone.data(), end, number).ptr != end) return zone;
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(number, name.data()) != nullptr ? std::string(name.data()) : zone;
}

}  // namespace

std::string ServerAddress::text() const {
  const bool ip6 = address.find(':') != std::string::npos;
  return (ip6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::string canonical_address(const std::string& address) {
  const std::size_t sign = address.find('%');
  in6_addr ip6{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_pton(AF_INET6, address.substr(0, sign).c_str(), &ip6) != 1 ||
      ::inet_ntop(AF_INET6, &ip6, text.data(), text.size()) == nullptr) {
    return address;
  }
  const std::string bare(text.data());
  return sign == std::string::npos ? bare : bare + "%" + zone_name(address.substr(sign + 1));
}

}  // namespace holdfast::nas
