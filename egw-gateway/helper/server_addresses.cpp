#include "egw-gateway/helper/server_addresses.h"

#include <algorithm>

namespace holdfast::gateway {
namespace {

std::string text_of(const std::vector<IpAddress>& addresses) {
  std::string out;
  for (const IpAddress& address : addresses) out += (out.empty() ? "" : ", ") + address.to_string();
  return out;
}

}  // namespace

ServerAddresses server_addresses(const std::vector<Result<std::vector<IpAddress>>>& found,
                                 const std::vector<IpAddress>& before) {
  ServerAddresses out;
  for (const Result<std::vector<IpAddress>>& one : found) {
    if (one) out.addresses.insert(out.addresses.end(), one->begin(), one->end());
    if (!one && out.trouble.empty()) out.trouble = one.error().message;
  }
  if (!out.trouble.empty()) out.addresses.insert(out.addresses.end(), before.begin(), before.end());
  std::ranges::sort(out.addresses);
  out.addresses.erase(std::unique(out.addresses.begin(), out.addresses.end()), out.addresses.end());
  if (out.addresses.size() > kMostServers) {
    out.trouble = "the API server has " + std::to_string(out.addresses.size()) +
                  " addresses by its names, more than " + std::to_string(kMostServers);
    if (!before.empty()) out.addresses = before;
    out.addresses.resize(std::min(out.addresses.size(), kMostServers));
  }
  if (out.trouble.empty()) return out;
  out.trouble +=
      out.addresses.empty() ? "; tell its address as --exempt" : "; exempt are " + text_of(out.addresses);
  return out;
}

}  // namespace holdfast::gateway
