#include "common/netlink/ethtool.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>

#include "common/base/fd.h"
#include "common/netlink/link.h"

namespace holdfast::nl {
namespace {

/// Runs one ETHTOOL_* command on one word and returns the word.
Result<std::uint32_t> run(std::string_view link, std::uint32_t command, std::uint32_t word) {
  HOLDFAST_CHECK(check_link_name(link));
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string what = "ethtool on " + std::string(link);
  if (!socket.valid()) return fail_errno(errno, what);
  ethtool_value value{command, word};
  ifreq request{};
  std::copy(link.begin(), link.end(), std::begin(request.ifr_name));
  request.ifr_data = static_cast<char*>(static_cast<void*>(&value));
  if (::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) {
    if (errno == ENODEV) return fail(Code::kNotFound, what + ": there is no such link");
    return fail_errno(errno, what);
  }
  return value.data;
}

}  // namespace

Result<bool> tx_checksum_offload(std::string_view link) {
  HOLDFAST_TRY(const std::uint32_t on, run(link, ETHTOOL_GTXCSUM, 0));
  return on != 0;
}

Status set_tx_checksum_offload(std::string_view link, bool on) {
  HOLDFAST_TRY([[maybe_unused]] const std::uint32_t done, run(link, ETHTOOL_STXCSUM, on ? 1 : 0));
  return {};
}

}  // namespace holdfast::nl
