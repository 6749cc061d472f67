#include "common/netlink/generic.h"

#include <linux/genetlink.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/netlink/wire.h"

namespace holdfast::nl {
namespace {

constexpr std::uint8_t kControllerVersion = 1;

}  // namespace

Result<std::optional<std::uint16_t>> find_generic_family(Socket& socket, std::string_view name) {
  Writer writer(GENL_ID_CTRL, 0, genlmsghdr{CTRL_CMD_GETFAMILY, kControllerVersion, 0});
  writer.text(CTRL_ATTR_FAMILY_NAME, name);
  const std::string what = "find generic netlink family " + std::string(name);
  HOLDFAST_TRY(const std::optional<Reply> reply,
               socket.get(Request(what, std::move(writer).take()).tolerating(ENOENT)));
  if (!reply) return std::nullopt;
  return Attributes(reply->header(), sizeof(genlmsghdr)).u16(CTRL_ATTR_FAMILY_ID);
}

}  // namespace holdfast::nl
