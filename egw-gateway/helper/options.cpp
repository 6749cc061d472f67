#include "egw-gateway/helper/options.h"

#include <utility>

#include "common/base/link_name.h"

namespace holdfast::gateway {
namespace {

constexpr std::int64_t kDaySeconds = 86400;

Flags::Set to_link(std::string& target) {
  return [&target](const std::string& value) -> Status {
    const std::string_view fault = fault_of_link_name(value);
    if (!fault.empty()) return fail(Code::kInvalidArgument, std::string(fault));
    target = value;
    return {};
  };
}

Status add_exempt(const std::string& value, HelperOptions& out) {
  const Result<Cidr> range = Cidr::parse(value);
  if (!range) return fail(Code::kInvalidArgument, "is not a CIDR");
  out.exempt.push_back(range->network());
  return {};
}

void add_seconds(Flags& flags, const char* name, const char* help, std::int64_t min,
                 std::chrono::seconds& target) {
  flags.integer(name, "SECONDS", help, min, kDaySeconds,
                [&target](std::int64_t number) { target = std::chrono::seconds(number); });
}

void add_flags(Flags& flags, HelperOptions& out) {
  flags.heading("The pool");
  flags.text("pool", "NAME", "the node's pool, after which its EdgeGateway is named", out.pool);
  flags.text("node-name", "NAME", "this node's name [$NODE_NAME]", out.node_name);
  add_source_flags(flags, out.source);
  add_seconds(flags, "removal-delay", "from the object being gone to the end of its routes [60]", 0,
              out.removal_delay);
  flags.heading("This node");
  flags.value("exempt", "CIDR", "stays on the node's own routes, as API servers do; may be repeated",
              [&out](const std::string& value) { return add_exempt(value, out); });
  flags.value("overlay", "NAME", "flanneld's link [flannel.1]", to_link(out.links.overlay));
  flags.value("overlay-v6", "NAME", "the same for IPv6 [flannel-v6.1]", to_link(out.links.overlay_v6));
  flags.value("bridge", "NAME", "the CNI plugin's link [cni0]", to_link(out.links.bridge));
  flags.value("firewall", "auto|iptables|nftables",
              "where the rules go; auto: nftables where there is [auto]",
              firewall::to_back_end(out.firewall));
  flags.value("bfd-keys", "FILE", "lines \"ID SECRET\": sent with the first, all accepted",
              Flags::to_path(out.bfd_keys));
  add_seconds(flags, "resync", "how often all is looked at that no event told of [5]", 1, out.resync);
  flags.heading("Files");
  flags.value("state-dir", "FOLDER", "what outlives a reboot [/var/lib/egw]", Flags::to_path(out.state_dir));
  flags.value("no-masq-dir", "FOLDER", "where flanneld reads what not to masquerade [/run/flannel/no-masq.d]",
              Flags::to_path(out.no_masq_dir));
  flags.boolean("once", "make the ranges unreachable by what is stored, and end: for the host's boot",
                out.once);
  flags.boolean("remove",
                "take away all that it has put on the node, with its store, and end: for a node of no pool",
                out.remove);
  flags.heading("Other");
  http::add_healthz_flag(flags, out.healthz);
  add_program_flags(flags, out);
}

}  // namespace

Result<HelperOptions> parse_helper_options(std::span<const std::string> arguments,
                                           const Flags::Lookup& environment) {
  HelperOptions out;
  Flags flags;
  add_flags(flags, out);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (out.only_tells()) return out;
  HOLDFAST_CHECK(flags.parse_environment("EGW_HELPER_", environment));
  if (out.node_name.empty()) out.node_name = environment("NODE_NAME").value_or("");
  if (out.once && out.remove)
    return fail(Code::kInvalidArgument, "--once and --remove exclude each other; tell one");
  const bool follows = !out.once && !out.remove;
  if (follows && out.pool.empty()) return fail(Code::kInvalidArgument, "--pool tells no pool; it is needed");
  if (follows && out.node_name.empty()) {
    return fail(Code::kInvalidArgument, "--node-name tells no name, nor does NODE_NAME; one is needed");
  }
  const Result<IpAddress> server = IpAddress::parse(environment("KUBERNETES_SERVICE_HOST").value_or(""));
  if (server) {
    HOLDFAST_TRY(const Cidr host, Cidr::make(*server, server->bits()));
    out.exempt.push_back(host);
  }
  return out;
}

std::string helper_help() {
  HelperOptions options;
  Flags flags;
  add_flags(flags, options);
  return "egw-helper: keeps a node's routes to its pool's live gateway, with or without the cloud.\n"
         "Every flag may also be set in the environment, as EGW_HELPER_POOL=NAME.\n" +
         flags.help();
}

}  // namespace holdfast::gateway
