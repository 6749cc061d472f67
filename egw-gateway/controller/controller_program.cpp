#include "egw-gateway/controller/controller_program.h"

#include <memory>
#include <utility>

#include "common/kube/leading_program.h"
#include "egw-gateway/controller/pool_controller.h"
#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

constexpr const char* kNamespace = "egw-gateway";
// Of the block that networks are measured with, which routers of others do not carry. Source: RFC 2544
constexpr const char* kTunnelRange = "198.19.0.0/20";
constexpr std::int64_t kMostGraceSeconds = 30 * 86400;
constexpr std::int64_t kMostLifetimeDays = 3650;
// Kubelets look at Secrets once a minute, and what they see may be as old.
constexpr std::int64_t kLeastOverlapSeconds = 300;

Status add_tunnel_range(const std::string& value, ControllerOptions& out) {
  const Result<Cidr> range = Cidr::parse(value);
  if (!range || range->prefix() == 0) return fail(Code::kInvalidArgument, "is not a CIDR");
  for (const Cidr& other : out.tunnel_ranges) {
    if (other.family() == range->family())
      return fail(Code::kInvalidArgument, "is a second one of its family");
  }
  out.tunnel_ranges.push_back(range->network());
  return {};
}

Status set_pull_policy(const std::string& value, ControllerOptions& out) {
  if (value != "Always" && value != "IfNotPresent" && value != "Never") {
    return fail(Code::kInvalidArgument, "is none of Always, IfNotPresent and Never");
  }
  out.image_pull_policy = value;
  return {};
}

void add_flags(Flags& flags, ControllerOptions& out) {
  flags.heading("The cluster");
  flags.value("kubeconfig", "FILE", "in place of the pod's own access", Flags::to_path(out.kubeconfig));
  flags.text("namespace", "NAME", "where gateways are made, and nothing else is [the pod's own]",
             out.name_space);
  flags.text("image", "IMAGE", "of egw-core and egw-helper [" + out.image + "]", out.image);
  flags.value(
      "image-pull-policy", "POLICY",
      "when a node gets that image anew: Always, IfNotPresent or Never [" + out.image_pull_policy + "]",
      [&out](const std::string& value) { return set_pull_policy(value, out); });
  flags.value("tunnel-range", "CIDR",
              "where gateways' addresses inside tunnels are from; once a family [198.19.0.0/20]",
              [&out](const std::string& value) { return add_tunnel_range(value, out); });
  flags.integer("removal-grace", "SECONDS",
                "from a pool that is not enhanced any more to the end of its gateways [3600]", 0,
                kMostGraceSeconds,
                [&out](std::int64_t number) { out.removal_grace = std::chrono::seconds(number); });
  flags.integer(
      "key-overlap", "SECONDS",
      "for how long a new key of liveness is accepted before it is sent, and an old one after [86400]",
      kLeastOverlapSeconds, kMostGraceSeconds,
      [&out](std::int64_t number) { out.key_overlap = std::chrono::seconds(number); });
  flags.integer(
      "key-lifetime", "DAYS",
      "after which gateways get new keys of tunnels, without a loss; 0: when they are asked for [90]", 0,
      kMostLifetimeDays, [&out](std::int64_t number) { out.key_lifetime = std::chrono::hours(number * 24); });
  flags.heading("Other");
  http::add_healthz_flag(flags, out.healthz);
  add_program_flags(flags, out);
}

PoolController::Options controller_options(const ControllerOptions& options,
                                           const kube::LeadingContext& context,
                                           const Flags::Lookup& environment) {
  PoolController::Options out;
  out.plan.objects.name_space = options.name_space;
  if (out.plan.objects.name_space.empty()) out.plan.objects.name_space = context.config.name_space;
  if (out.plan.objects.name_space.empty()) out.plan.objects.name_space = kNamespace;
  out.plan.objects.image = options.image;
  out.plan.objects.image_pull_policy = options.image_pull_policy;
  out.plan.tunnel_ranges = options.tunnel_ranges;
  out.plan.removal_grace = options.removal_grace;
  out.plan.key_overlap = options.key_overlap;
  out.plan.key_lifetime = options.key_lifetime;
  // the API server's, as pods are told it
  const Result<IpAddress> service = IpAddress::parse(environment("KUBERNETES_SERVICE_HOST").value_or(""));
  if (service) out.plan.service = *service;
  out.host = context.host;
  out.identity = context.identity;
  out.seed = context.seed;
  return out;
}

}  // namespace

Result<ControllerOptions> parse_controller_options(std::span<const std::string> arguments) {
  ControllerOptions out;
  Flags flags;
  add_flags(flags, out);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (out.tunnel_ranges.empty()) HOLDFAST_CHECK(add_tunnel_range(kTunnelRange, out));
  if (out.image.empty()) return fail(Code::kInvalidArgument, "--image: names nothing");
  return out;
}

std::string controller_help() {
  ControllerOptions options;
  Flags flags;
  add_flags(flags, options);
  return "egw-controller: gives enhanced NodePools their gateways, keys and helpers.\n" + flags.help();
}

Status run_egw_controller(const ControllerOptions& options, const Flags::Lookup& environment, Logger& log) {
  const auto make = [&options, &environment](const kube::LeadingContext& context) {
    const PoolController::Context parts{.loop = context.loop,
                                        .http = context.http,
                                        .client = context.client,
                                        .log = context.log,
                                        .metrics = context.metrics};
    return std::make_unique<PoolController>(parts, controller_options(options, context, environment));
  };
  return kube::run_leading(
      {.name = kController, .kubeconfig = options.kubeconfig, .healthz = options.healthz}, make, environment,
      log);
}

}  // namespace holdfast::gateway
