#include "cni-flannel/controller/controller_program.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "cni-flannel/controller/cidr_blocks.h"
#include "cni-flannel/controller/network_controller.h"
#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/base/version.h"
#include "common/http/patient_page_server.h"
#include "common/kube/cluster_link.h"
#include "common/kube/node_pools.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kNamespace = "kube-flannel";
constexpr std::chrono::seconds kToResign{3};
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
  flags.value("healthz", "ADDRESS:PORT",
              "where /healthz, /readyz and /metrics are served; port 0: nowhere [:0]",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.healthz, http::parse_listen_address(value));
                return {};
              });
  flags.value("log-level", "LEVEL", "debug, info, warning or error [info]",
              Flags::to_log_level(out.log_level));
  flags.boolean("help", "print this, and end", out.help);
  flags.boolean("version", "print the version, and end", out.version);
}

Status check_ranges(const NetworkPlanOptions& plan) {
  for (const Cidr& cidr : plan.cluster_cidrs) {
    const auto blocks = CidrBlocks::divide({cidr}, cidr.is_v4() ? plan.node_prefix_v4 : plan.node_prefix_v6);
    if (!blocks) return fail(Code::kInvalidArgument, "--cluster-cidr: " + blocks.error().message);
  }
  return {};
}

std::string host_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
  return host.data();
}

NetworkController::Options controller_options(const ControllerOptions& options, const kube::Config& config,
                                              std::uint64_t seed) {
  NetworkController::Options out;
  out.plan = options.plan;
  out.name_space = options.name_space;
  if (out.name_space.empty()) out.name_space = config.name_space;
  if (out.name_space.empty()) out.name_space = kNamespace;
  out.host = host_name();
  // of no other process: a host's name may come again, and so may a process's number
  out.identity = out.host + "_" + std::to_string(seed);
  out.seed = seed;
  return out;
}

http::Page page_of(const http::RequestHead& head, const NetworkController& controller,
                   const Metrics& metrics) {
  if (head.path == "/healthz") return {200, "flannel-controller is running\n"};
  if (head.path == "/metrics") return {200, metrics.render(), std::string(Metrics::kContentType)};
  if (head.path != "/readyz") return {404, "there are /healthz, /readyz and /metrics\n"};
  if (!controller.ready()) return {503, "the cluster's objects have not been read\n"};
  return {200, controller.leads() ? "leads\n" : "another one leads\n"};
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
  SystemClock clock;
  PosixFiles files;
  Metrics metrics;
  HOLDFAST_TRY(const std::optional<kube::Config> config,
               kube::find_cluster(files, options.kubeconfig, environment));
  if (!config) return fail(Code::kInvalidArgument, "--kubeconfig tells the API server, outside a pod");
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  NetworkController* running = nullptr;
  EventLoop::Timer patience;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop->on_signals({SIGTERM, SIGINT}, [&](int /*number*/) {
    if (running == nullptr) return loop->stop();
    patience = loop->after(kToResign, [&loop] { loop->stop(); });
    running->stop([&loop] { loop->stop(); });
  }));
  HOLDFAST_TRY(const std::unique_ptr<kube::ClusterLink> link,
               kube::ClusterLink::connect(*loop, files, metrics, *config, kNetworkController));
  NetworkController controller(
      {.loop = *loop, .http = link->watches(), .client = link->client(), .log = log, .metrics = metrics},
      controller_options(options, *config, link->seed()));
  http::PatientPageServer pages(
      *loop, options.healthz,
      [&](const http::RequestHead& head) { return page_of(head, controller, metrics); }, log, "--healthz");
  log.info("flannel-controller begins", {{"version", version()}});
  pages.start();
  controller.start();
  running = &controller;
  return loop->run();
}

}  // namespace holdfast::flannel
