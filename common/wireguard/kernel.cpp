#include "common/wireguard/kernel.h"

#include <linux/wireguard.h>

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/link_name.h"
#include "common/netlink/generic.h"
#include "common/netlink/link.h"
#include "common/netlink/socket.h"
#include "common/wireguard/genetlink.h"

namespace holdfast::wireguard {
namespace {

/// A socket, and the number by which WireGuard is spoken to on it.
struct Line {
  nl::Socket socket;
  std::uint16_t family = 0;
};

tl::unexpected<Error> no_wireguard(const std::string& what) {
  return fail(Code::kFailedPrecondition,
              what +
                  ": this kernel has no WireGuard; load the module on the host (modprobe wireguard), or use "
                  "wireguard-go");
}

Result<Line> open_line(const std::string& what) {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open(nl::Protocol::kGeneric));
  HOLDFAST_TRY(const std::optional<std::uint16_t> family, nl::find_generic_family(socket, WG_GENL_NAME));
  if (!family) return no_wireguard(what);
  return Line{std::move(socket), *family};
}

std::string named(std::string_view verb, const std::string& name) {
  return std::string(verb) + " WireGuard interface " + name;
}

/// The kernel's words for "no such link" and "a link of another kind".
Error told(Error error) {
  if (error.sys_errno == ENODEV || error.sys_errno == EOPNOTSUPP) error.code = Code::kNotFound;
  return error;
}

}  // namespace

Result<bool> KernelWireGuard::is_there() {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open(nl::Protocol::kGeneric));
  HOLDFAST_TRY(const std::optional<std::uint16_t> family, nl::find_generic_family(socket, WG_GENL_NAME));
  return family.has_value();
}

Status KernelWireGuard::ensure(const std::string& name) {
  if (const std::string_view fault = fault_of_link_name(name); !fault.empty()) {
    return fail(Code::kInvalidArgument, "WireGuard interface: its name " + std::string(fault));
  }
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  HOLDFAST_TRY(const std::optional<nl::Link> found, nl::find_link(socket, name));
  if (found && found->kind == link_kind()) return {};
  if (found) {
    return fail(Code::kFailedPrecondition,
                named("make", name) + ": there is a link of that name which is none");
  }
  const Result<nl::Link> made = nl::create_wireguard(socket, name);
  if (made) return {};
  if (made.error().sys_errno == EOPNOTSUPP) return no_wireguard(named("make", name));
  return tl::unexpected(made.error());
}

Result<TunnelState> KernelWireGuard::read(const std::string& name) {
  const std::string what = named("read", name);
  HOLDFAST_TRY(Line line, open_line(what));
  StateReader reader;
  Status done = line.socket.dump(
      nl::Request(what, get_message(line.family, name)), [&] { reader.restart(); },
      [&](const nlmsghdr* message) { reader.take(message); });
  if (!done) return tl::unexpected(told(std::move(done).error()));
  auto state = std::move(reader).finish();
  if (!state) return tl::unexpected(std::move(state).error().within(what));
  return state;
}

Status KernelWireGuard::change(const std::string& name, const Change& change) {
  const std::string what = named("change", name);
  HOLDFAST_TRY(Line line, open_line(what));
  std::vector<nl::Request> requests;
  for (nl::MessagePtr& message : set_messages(line.family, name, change)) {
    requests.emplace_back(what, std::move(message));
  }
  Status done = line.socket.run_whole(requests);
  if (!done) return tl::unexpected(told(std::move(done).error()));
  return {};
}

Status KernelWireGuard::remove(const std::string& name) {
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  HOLDFAST_TRY(const std::optional<nl::Link> found, nl::find_link(socket, name));
  if (!found || found->kind != link_kind()) return {};
  return socket.run(nl::delete_link(found->index));
}

}  // namespace holdfast::wireguard
