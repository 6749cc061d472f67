#include "egw-gateway/controller/controller_program.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/base/version.h"
#include "common/http/patient_page_server.h"
#include "common/kube/cluster_link.h"
#include "egw-gateway/controller/pool_controller.h"
#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {
namespace {

constexpr const char* kNamespace = "egw-gateway";
// Of the block that networks are measured with, which routers of others do not carry. Source: RFC 2544
constexpr const char* kTunnelRange = "198.19.0.0/20";
constexpr std::int64_t kMostGraceSeconds = 30 * 86400;
constexpr std::chrono::seconds kToResign{3};

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

void add_flags(Flags& flags, ControllerOptions& out) {
  flags.heading("The cluster");
  flags.value("kubeconfig", "FILE", "in place of the pod's own access", Flags::to_path(out.kubeconfig));
  flags.text("namespace", "NAME", "where gateways are made, and nothing else is [the pod's own]",
             out.name_space);
  flags.text("image", "IMAGE", "of egw-core and egw-helper [holdfast]", out.image);
  flags.value("tunnel-range", "CIDR",
              "where gateways' addresses inside tunnels are from; once a family [198.19.0.0/20]",
              [&out](const std::string& value) { return add_tunnel_range(value, out); });
  flags.integer("removal-grace", "SECONDS",
                "from a pool that is not enhanced any more to the end of its gateways [3600]", 0,
                kMostGraceSeconds,
                [&out](std::int64_t number) { out.removal_grace = std::chrono::seconds(number); });
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

std::string host_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
  return host.data();
}

PoolController::Options controller_options(const ControllerOptions& options, const kube::Config& config,
                                           std::uint64_t seed) {
  PoolController::Options out;
  out.plan.objects.name_space = options.name_space;
  if (out.plan.objects.name_space.empty()) out.plan.objects.name_space = config.name_space;
  if (out.plan.objects.name_space.empty()) out.plan.objects.name_space = kNamespace;
  out.plan.objects.image = options.image;
  out.plan.tunnel_ranges = options.tunnel_ranges;
  out.plan.removal_grace = options.removal_grace;
  out.host = host_name();
  // of no other process: a host's name may come again, and so may a process's number
  out.identity = out.host + "_" + std::to_string(seed);
  out.seed = seed;
  return out;
}

http::Page page_of(const http::RequestHead& head, const PoolController& controller, const Metrics& metrics) {
  if (head.path == "/healthz") return {200, "egw-controller is running\n"};
  if (head.path == "/metrics") return {200, metrics.render(), std::string(Metrics::kContentType)};
  if (head.path != "/readyz") return {404, "there are /healthz, /readyz and /metrics\n"};
  if (!controller.ready()) return {503, "the cluster's objects have not been read\n"};
  return {200, controller.leads() ? "leads\n" : "another one leads\n"};
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
  SystemClock clock;
  PosixFiles files;
  Metrics metrics;
  HOLDFAST_TRY(const std::optional<kube::Config> config,
               kube::find_cluster(files, options.kubeconfig, environment));
  if (!config) return fail(Code::kInvalidArgument, "--kubeconfig tells the API server, outside a pod");
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  PoolController* running = nullptr;
  EventLoop::Timer patience;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop->on_signals({SIGTERM, SIGINT}, [&](int /*number*/) {
    if (running == nullptr) return loop->stop();
    patience = loop->after(kToResign, [&loop] { loop->stop(); });
    running->stop([&loop] { loop->stop(); });
  }));
  HOLDFAST_TRY(const std::unique_ptr<kube::ClusterLink> link,
               kube::ClusterLink::connect(*loop, files, metrics, *config, kController));
  PoolController controller(
      {.loop = *loop, .http = link->watches(), .client = link->client(), .log = log, .metrics = metrics},
      controller_options(options, *config, link->seed()));
  http::PatientPageServer pages(
      *loop, options.healthz,
      [&](const http::RequestHead& head) { return page_of(head, controller, metrics); }, log, "--healthz");
  log.info("egw-controller begins", {{"version", version()}, {"image", options.image}});
  pages.start();
  controller.start();
  running = &controller;
  return loop->run();
}

}  // namespace holdfast::gateway
