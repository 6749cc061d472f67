#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/ipam/address_files.h"
#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/results_cache.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Which pod an address is reserved for, by OpenYurt's host-local: an empty file
/// "<address>_<namespace>_<pod>" among the address files. Source: OpenYurt's patch of
/// containernetworking/plugins, "keep pod ip".
struct OpenYurtReservation {
  IpAddress address;
  std::string name_space;
  std::string pod;
};
[[nodiscard]] std::optional<OpenYurtReservation> parse_openyurt_name(std::string_view name);

struct Import {
  std::vector<Binding> bindings;
  std::size_t bad_files = 0;  ///< of the runtime's cache
};

/// What a node that ran another plugin tells of its pods' addresses, read once, when there is no binding log:
/// the attachments in libcni's cache whose address files are there, and OpenYurt's reservations. So pods that
/// run under upstream flannel keep their addresses through the next reboot. Needs the network's lock. Errors:
/// errno of an address file that could not be read, or the machine's own.
Result<Import> import_bindings(AddressFiles& files, const AddressFiles::Listing& listing,
                               ResultsCache& results, Machine& machine, const std::string& network,
                               const std::string& boot_id, std::chrono::sys_seconds now);

}  // namespace holdfast::flannel
