#include "cni-flannel/controller/controller_program.h"

#include <memory>
#include <utility>

#include "cni-flannel/controller/cidr_blocks.h"
#include "cni-flannel/controller/network_controller.h"
#include "common/kube/leading_program.h"
#include "common/kube/node_pools.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kNamespace = "kube-flannel";
constexpr std::int64_t kMostQuarantineSeconds = 365 * 86400;

void add_flags(Flags& flags, ControllerOptions& out) {
  flags.heading("The cluster");
  flags.value("kubeconfig", "FILE", "in place of the pod's own access", Flags::to_path(out.kubeconfig));
  flags.text("namespace", "NAME", "of its lease [the pod's own]", out.name_space);
  flags.value("kube-annotation-prefix", "PREFIX", "of flannel's annotations [flannel.alpha.coreos.com]",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.plan.keys, AnnotationKeys::with_prefix(value));
                return {};
              });
  flags.heading("Pod CIDRs");
  flags.value("cluster-cidr", "CIDR[,CIDR]",
              "what nodes of pools without ranges of their own are given parts of; without it they get none "
              "from here",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.plan.cluster_cidrs, kube::parse_pod_cidrs(value));
                return {};
              });
  flags.integer("node-cidr-mask-size", "BITS", "of a node's IPv4 part: 24 is 256 addresses [24]", 8, 30,
                [&out](std::int64_t bits) { out.plan.node_prefix_v4 = static_cast<unsigned>(bits); });
  flags.integer("node-cidr-mask-size-ipv6", "BITS", "of a node's IPv6 part [64]", 16, 124,
                [&out](std::int64_t bits) { out.plan.node_prefix_v6 = static_cast<unsigned>(bits); });
  flags.integer("cidr-quarantine", "SECONDS",
                "for which what a removed node had is given to nobody else [604800]", 0,
                kMostQuarantineSeconds,
                [&out](std::int64_t number) { out.plan.cidr_quarantine = std::chrono::seconds(number); });
  flags.heading("Other");
  http::add_healthz_flag(flags, out.healthz);
  add_program_flags(flags, out);
}

Status check_ranges(const NetworkPlanOptions& plan) {
  for (const Cidr& cidr : plan.cluster_cidrs) {
    const auto blocks = CidrBlocks::divide({cidr}, cidr.is_v4() ? plan.node_prefix_v4 : plan.node_prefix_v6);
    if (!blocks) return fail(Code::kInvalidArgument, "--cluster-cidr: " + blocks.error().message);
  }
  return {};
}

NetworkController::Options controller_options(const ControllerOptions& options,
                                              const kube::LeadingContext& context) {
  NetworkController::Options out;
  out.plan = options.plan;
  out.name_space = options.name_space;
  if (out.name_space.empty()) out.name_space = context.config.name_space;
  if (out.name_space.empty()) out.name_space = kNamespace;
  out.host = context.host;
  out.identity = context.identity;
  out.seed = context.seed;
  return out;
}

}  // namespace

Result<ControllerOptions> parse_controller_options(std::span<const std::string> arguments) {
  ControllerOptions out;
  HOLDFAST_TRY(out.plan.keys, AnnotationKeys::with_prefix());
  Flags flags;
  add_flags(flags, out);
  HOLDFAST_CHECK(flags.parse(arguments));
  HOLDFAST_CHECK(check_ranges(out.plan));
  return out;
}

std::string controller_help() {
  ControllerOptions options;
  Flags flags;
  add_flags(flags, options);
  return "flannel-controller: gives nodes their pod CIDRs, and makes one overlay of nodes that run "
         "upstream's "
         "flannel and ours.\n" +
         flags.help();
}

Status run_flannel_controller(const ControllerOptions& options, const Flags::Lookup& environment,
                              Logger& log) {
  const auto make = [&options](const kube::LeadingContext& context) {
    const NetworkController::Context parts{.loop = context.loop,
                                           .http = context.http,
                                           .client = context.client,
                                           .log = context.log,
                                           .metrics = context.metrics};
    return std::make_unique<NetworkController>(parts, controller_options(options, context));
  };
  return kube::run_leading(
      {.name = kNetworkController, .kubeconfig = options.kubeconfig, .healthz = options.healthz}, make,
      environment, log);
}

}  // namespace holdfast::flannel
