#include <arpa/inet.h>
#include <net/if.h>

#include <array>
#include <cerrno>
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

std::string ailment_of(const ServerHealth& health) {
  switch (health.error) {
    case ECONNREFUSED:
      return "refuses connections: is NFS running there, on that port?";
    case EHOSTUNREACH:
    case ENETUNREACH:
      return "cannot be reached: this node has no route to it, or it is off";
    case ENODEV:
      return "cannot be reached: this node has no network interface of the name after its '%'";
    case EPROTO:
      return "answers, but not as an NFS server: is it the right port?";
    default:
      break;
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(health.silence).count();
  if (health.state == ServerState::kUnknown && seconds == 0) return "has had no time to answer";
  return "has not answered for " + std::to_string(seconds) + " s";
}

}  // namespace holdfast::nas
