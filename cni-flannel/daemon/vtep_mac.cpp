#include "cni-flannel/daemon/vtep_mac.h"

#include <algorithm>

#include "common/base/sha.h"
#include "common/netlink/link.h"

namespace holdfast::flannel {

MacAddress derived_vtep_mac(std::string_view node, IpFamily family) {
  constexpr std::uint8_t kLocalUnicast = 0x66;
  const auto digest = sha1(std::string(node) + (family == IpFamily::kV6 ? "-v6" : ""));
  MacAddress::Bytes bytes{kLocalUnicast};
  std::copy_n(digest.begin(), bytes.size() - 1, bytes.begin() + 1);
  return MacAddress(bytes);
}

MacAddress choose_vtep_mac(const VtepMacSources& sources, std::string_view node, IpFamily family) {
  for (const std::optional<MacAddress>& mac : {sources.stored, sources.published, sources.device}) {
    if (mac && !mac->is_zero() && !mac->is_group()) return *mac;
  }
  return derived_vtep_mac(node, family);
}

Result<std::optional<MacAddress>> device_vtep_mac(nl::Socket& socket, const std::string& device) {
  HOLDFAST_TRY(const std::optional<nl::Link> link, nl::find_link(socket, device));
  if (!link || link->kind != "vxlan") return std::nullopt;
  return link->mac;
}

}  // namespace holdfast::flannel
