#include "egw-gateway/core/core_options.h"

#include "common/base/link_name.h"
#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
// The largest of an IP packet.
constexpr std::int64_t kLargestMtu = 65'535;

Status set_link(const std::string& value, CoreOptions& out) {
  const std::string_view fault = fault_of_link_name(value);
  if (!fault.empty()) return fail(Code::kInvalidArgument, std::string(fault));
  out.link = value;
  return {};
}

void add_flags(Flags& flags, CoreOptions& out) {
  flags.heading("The gateway");
  flags.text("pool", "NAME", "the pool, after which its EdgeGateway is named", out.pool);
  flags.text("gateway", "NAME", R"(which of the pool's gateways this is, "a" or "b")", out.gateway);
  add_source_flags(flags, out.source);
  flags.value("private-key", "FILE", "of its WireGuard interfaces, in base64; read again when it changes",
              Flags::to_path(out.private_key));
  flags.value("bfd-keys", "FILE",
              "lines \"ID SECRET\": sent with the first, all accepted; read again as well",
              Flags::to_path(out.bfd_keys));
  flags.heading("This pod");
  flags.value("wireguard", "auto|kernel|userspace",
              "who does the tunnels; auto: the kernel where it can [auto]",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.wireguard, wireguard::parse_engine(value));
                return {};
              });
  flags.value("firewall", "auto|iptables|nftables",
              "where the rules go; auto: nftables, unless iptables' FORWARD policy is DROP [auto]",
              firewall::to_back_end(out.firewall));
  flags.value("link", "NAME", "the link towards the pool [eth0]",
              [&out](const std::string& value) { return set_link(value, out); });
  flags.integer("mtu", "BYTES",
                "of tunnels whose access point has none of its own; 0: what fits that link, and 1500 [0]", 0,
                kLargestMtu, [&out](std::int64_t value) { out.mtu = static_cast<std::uint32_t>(value); });
  flags.integer("resync", "SECONDS", "how often all is looked at that no event told of [5]", 1, kDaySeconds,
                [&out](std::int64_t value) { out.resync = std::chrono::seconds(value); });
  flags.value("state-dir", "FOLDER", "what outlives a restart [/var/lib/egw-core]",
              Flags::to_path(out.state_dir));
  flags.boolean("prepare", "set what a gateway needs of the kernel, make /dev/net/tun, and end: privileged",
                out.prepare);
  flags.heading("Other");
  http::add_healthz_flag(flags, out.healthz);
  add_program_flags(flags, out);
}

Status need(const char* flag, bool told) {
  if (told) return {};
  return fail(Code::kInvalidArgument, std::string("--") + flag + " is not told; it is needed");
}

}  // namespace

Result<CoreOptions> parse_core_options(std::span<const std::string> arguments,
                                       const Flags::Lookup& environment) {
  CoreOptions out;
  Flags flags;
  add_flags(flags, out);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (out.only_tells()) return out;
  HOLDFAST_CHECK(flags.parse_environment("EGW_CORE_", environment));
  if (out.prepare) return out;
  HOLDFAST_CHECK(need("pool", !out.pool.empty()));
  HOLDFAST_CHECK(need("gateway", !out.gateway.empty()));
  HOLDFAST_CHECK(need("private-key", !out.private_key.empty()));
  if (out.mtu != 0 && out.mtu < kLeastTunnelMtu) {
    return fail(Code::kInvalidArgument, "--mtu=" + std::to_string(out.mtu) + " is less than " +
                                            std::to_string(kLeastTunnelMtu) + ", which IPv6 needs");
  }
  return out;
}

std::string core_help() {
  CoreOptions options;
  Flags flags;
  add_flags(flags, options);
  return "egw-core: a pool's gateway: tunnels to all access points, and who may use them.\n"
         "Every flag may also be set in the environment, as EGW_CORE_POOL=NAME.\n" +
         flags.help();
}

}  // namespace holdfast::gateway
