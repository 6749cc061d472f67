#include "egw-gateway/access/options.h"

#include <array>
#include <set>
#include <utility>

#include "egw-gateway/model/edge_gateway.h"

namespace holdfast::gateway {
namespace {

constexpr std::int64_t kDaySeconds = 86400;

template <class T, std::size_t N>
Flags::Set one_of(const std::pair<const char*, T> (&choices)[N], T& target) {
  std::string names;
  for (const auto& [name, value] : choices) names += (names.empty() ? "" : ", ") + std::string(name);
  return [choices = std::to_array(choices), names, &target](const std::string& value) -> Status {
    for (const auto& [name, meaning] : choices) {
      if (value != name) continue;
      target = meaning;
      return {};
    }
    return fail(Code::kInvalidArgument, "is none of " + names);
  };
}

void add_seconds(Flags& flags, const char* name, const char* help, std::int64_t min,
                 std::chrono::seconds& target) {
  flags.integer(name, "SECONDS", help, min, kDaySeconds,
                [&target](std::int64_t number) { target = std::chrono::seconds(number); });
}

Flags::Set to_peers(std::set<std::string>& target) {
  return [&target](const std::string& value) -> Status {
    if (value.empty()) return fail(Code::kInvalidArgument, "names no next hop");
    target.insert(value);
    return {};
  };
}

Flags::Set to_routers(std::vector<IpAddress>& target) {
  return [&target](const std::string& value) -> Status {
    const Result<IpAddress> address = IpAddress::parse(value);
    if (!address) return fail(Code::kInvalidArgument, "is not an IP address");
    target.push_back(*address);
    return {};
  };
}

void add_source(Flags& flags, AccessOptions& out) {
  flags.heading("The pools");
  flags.text("access-point", "NAME", "which of the pools' access points this is", out.access_point);
  flags.value("private-key", "FILE", "of all its tunnels: 32 bytes in base64, as `wg genkey` writes",
              Flags::to_path(out.private_key));
  add_source_flags(flags, out.source);
  add_seconds(flags, "removal-delay", "from a pool's object being gone to the end of its tunnels [60]", 0,
              out.removal_delay);
}

void add_machine(Flags& flags, AccessOptions& out) {
  flags.heading("This machine");
  flags.value("wireguard", "auto|kernel|userspace", "who encrypts; auto: the kernel where it can [auto]",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.engine, wireguard::parse_engine(value));
                return {};
              });
  flags.value("firewall", "auto|iptables|nftables",
              "where the rules go; auto: nftables, unless iptables' FORWARD policy is DROP [auto]",
              firewall::to_back_end(out.firewall));
  flags.integer("mtu", "BYTES", "of packets inside tunnels of pools that say nothing of it [1420]",
                kLeastTunnelMtu, kMostTunnelMtu,
                [&out](std::int64_t bytes) { out.mtu = static_cast<std::uint32_t>(bytes); });
  add_seconds(flags, "resync", "how often all is looked at that no event told of [5]", 1, out.resync);
  flags.value("state-dir", "FOLDER", "what outlives a reboot [/var/lib/egw]", Flags::to_path(out.state_dir));
}

void add_vpc(Flags& flags, AccessOptions& out) {
  constexpr std::pair<const char*, RoutesTo> kRoutes[] = {
      {"kernel", RoutesTo::kKernel}, {"alibaba", RoutesTo::kAlibaba}, {"none", RoutesTo::kNone}};
  flags.heading("The VPC");
  flags.value("routes", "kernel|alibaba|none",
              "who tells the VPC of the pods: this machine is its router, or has a routing daemon; its route "
              "table is "
              "written as well; or others do, as by entries that somebody makes for this machine [kernel]",
              one_of(kRoutes, out.routes));
  flags.value("router-bfd", "ADDRESS",
              "a router on our network that sends what is for pods here while BFD lets it; may be repeated",
              to_routers(out.routers));
  flags.text("route-table", "ID", "of the VPC, vtb-..., for alibaba", out.vpc.route_table);
  flags.text("next-hop", "ID", "this machine in it: eni-... or i-...", out.vpc.next_hop);
  flags.text("next-hop-type", "TYPE", "NetworkInterface, Instance or HaVip [NetworkInterface]",
             out.vpc.next_hop_type);
  flags.value("ha-vip-address", "ADDRESS",
              "of a HaVip: of the machines whose next hop it is the one that has it writes the table",
              [&out](const std::string& value) -> Status {
                const Result<IpAddress> address = IpAddress::parse(value);
                if (!address) return fail(Code::kInvalidArgument, "is not an IP address");
                out.ha_vip = *address;
                return {};
              });
  flags.value("peer-next-hop", "ID", "another access point's; may be repeated", to_peers(out.vpc.peers));
  flags.text("route-name", "NAME", "of our entries in the table [holdfast]", out.vpc.name);
  flags.text("cen", "ID", "the CEN that learns the routes as well", out.vpc.cen);
  flags.text("vpc", "ID", "vpc-..., for --cen", out.vpc.vpc);
  flags.text("cen-endpoint", "URL", "in place of the CEN's own", out.cen_endpoint);
  cloud::add_cloud_flags(flags, out.cloud);
}

void add_flags(Flags& flags, AccessOptions& out) {
  out.vpc.next_hop_type = "NetworkInterface";
  add_source(flags, out);
  add_machine(flags, out);
  add_vpc(flags, out);
  flags.heading("Other");
  http::add_healthz_flag(flags, out.healthz);
  add_program_flags(flags, out);
}

Status check(const AccessOptions& options) {
  if (options.access_point.empty())
    return fail(Code::kInvalidArgument, "--access-point tells no name; it is needed");
  if (options.private_key.empty())
    return fail(Code::kInvalidArgument, "--private-key tells no file; it is needed");
  if (options.routes != RoutesTo::kAlibaba) return {};
  if (options.cloud.region.empty() || options.vpc.route_table.empty() || options.vpc.next_hop.empty()) {
    return fail(Code::kInvalidArgument,
                "--routes=alibaba needs --cloud-region, --route-table and --next-hop");
  }
  // each would take the other's entries for its own, and remove what it does not want itself
  if (options.vpc.next_hop_type == "HaVip" && !options.ha_vip)
    return fail(Code::kInvalidArgument, "--next-hop-type=HaVip needs --ha-vip-address");
  if (!options.vpc.cen.empty() && options.vpc.vpc.empty())
    return fail(Code::kInvalidArgument, "--cen needs --vpc");
  return {};
}

}  // namespace

Result<AccessOptions> parse_access_options(std::span<const std::string> arguments,
                                           const Flags::Lookup& environment) {
  AccessOptions out;
  Flags flags;
  add_flags(flags, out);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (out.only_tells()) return out;
  HOLDFAST_CHECK(flags.parse_environment("EGW_ACCESS_", environment));
  HOLDFAST_CHECK(check(out));
  out.vpc.region = out.cloud.region;
  return out;
}

std::string access_help() {
  AccessOptions options;
  Flags flags;
  add_flags(flags, options);
  return "egw-access: the cloud end of the tunnels of many pools.\n"
         "Every flag may also be set in the environment, as EGW_ACCESS_ACCESS_POINT=NAME.\n" +
         flags.help();
}

}  // namespace holdfast::gateway
