#include "common/base/host_addresses.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace holdfast {
namespace {

struct FreesAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

IpAddress address_of(const addrinfo& info) {
  if (info.ai_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, info.ai_addr, sizeof address);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &address.sin_addr, bytes.size());
    return IpAddress::v4(bytes);
  }
  sockaddr_in6 address{};
  std::memcpy(&address, info.ai_addr, sizeof address);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
  return IpAddress::v6(bytes);
}

}  // namespace

Result<std::vector<IpAddress>> addresses_of_host(const std::string& host) {
  if (const Result<IpAddress> itself = IpAddress::parse(host)) return std::vector<IpAddress>{*itself};
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return fail(Code::kUnavailable, host + " has no address now: " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, FreesAddresses> list(found);
  std::vector<IpAddress> out;
  for (const addrinfo* each = list.get(); each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET || each->ai_family == AF_INET6) out.push_back(address_of(*each));
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace holdfast
