#include "egw-gateway/helper/helper.h"

#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/exec.h"
#include "common/base/linked_file.h"
#include "common/base/machine_ids.h"
#include "common/base/metrics.h"
#include "common/base/service_manager.h"
#include "common/base/version.h"
#include "common/base/worker.h"
#include "common/http/patient_page_server.h"
#include "common/kube/cluster_link.h"
#include "common/kube/url.h"
#include "egw-gateway/helper/agent.h"
#include "egw-gateway/helper/api_gateway_source.h"
#include "egw-gateway/helper/bfd_liveness.h"
#include "egw-gateway/helper/dir_gateway_source.h"

namespace holdfast::gateway {
namespace {

constexpr const char* kProgram = "egw-helper";
constexpr std::size_t kMaxKeyBytes = 4096;

/// Held while the program runs: two would take the routes from each other. A folder that cannot be written is
/// no reason for a node without routes.
Result<Fd> claim_sole_run(Files& files, const std::filesystem::path& state_dir) {
  const std::filesystem::path path = state_dir / "egw-helper.lock";
  static_cast<void>(files.make_folders(state_dir, 0700));
  Result<Fd> lock = files.lock(path, std::chrono::milliseconds(0));
  if (!lock && lock.error().code == Code::kUnavailable) {
    return fail(Code::kFailedPrecondition, "another egw-helper holds " + path.native() +
                                               "; stop it, or give this one a --state-dir of its own");
  }
  return lock ? std::move(lock) : Result<Fd>(Fd());
}

Result<std::optional<bfd::Keys>> read_keys(Files& files, const std::filesystem::path& path) {
  if (path.empty()) return std::nullopt;
  HOLDFAST_TRY(const std::string text, read_linked_file(files, path, kMaxKeyBytes));
  Result<bfd::Keys> keys = parse_bfd_keys(text);
  if (!keys) return tl::unexpected(std::move(keys).error().within(path.native()));
  return std::optional<bfd::Keys>(*std::move(keys));
}

/// Where packets for the API server go to.
std::vector<std::string> hosts_of(const kube::Config& config) {
  std::vector<std::string> out;
  for (const std::string& url : {config.server, config.proxy}) {
    if (const Result<kube::Url> parsed = kube::parse_url(url)) out.push_back(parsed->host);
  }
  return out;
}

Result<std::unique_ptr<GatewaySource>> make_source(const HelperOptions& options, EventLoop& loop,
                                                   Files& files, Metrics& metrics, Agent& agent) {
  if (options.source == SourceKind::kDir) {
    agent.exempt_servers({});
    return std::make_unique<DirGatewaySource>(loop, files, options.config_dir, options.pool);
  }
  HOLDFAST_TRY(const std::optional<kube::Config> config,
               kube::find_cluster(files, options.kubeconfig, environment_variable));
  if (!config) {
    return fail(Code::kFailedPrecondition,
                "there is no API server: run as a pod, tell --kubeconfig, or use --source=dir");
  }
  agent.exempt_servers(hosts_of(*config));
  HOLDFAST_TRY(std::unique_ptr<kube::ClusterLink> link,
               kube::ClusterLink::connect(loop, files, metrics, *config, kProgram));
  return std::make_unique<ApiGatewaySource>(loop, std::move(link), options.pool);
}

/// Of a disk that was copied. A machine without one is told by its node's name alone.
std::string machine_id(Files& files) { return read_machine_id(files).value_or(""); }

http::Page page(const http::RequestHead& head, const Health& health, const Metrics& metrics) {
  if (head.path == "/healthz") return {200, "egw-helper is running\n"};
  if (head.path == "/metrics") return {200, metrics.render(), std::string(Metrics::kContentType)};
  if (head.path != "/readyz") return {404, "there are /healthz, /readyz, /readyz?verbose and /metrics\n"};
  const bool ready = health.ready();
  std::string body = ready ? "egw-helper is ready" : "egw-helper is not ready";
  if (http::has_parameter(head.query, "verbose")) {
    body = health.report() + body;
  } else if (!ready) {
    body += ": " + health.first_trouble();
  }
  return {ready ? 200 : 503, body + "\n"};
}

}  // namespace

Status run_helper(const HelperOptions& options, Logger& log) {
  PosixFiles files;
  SystemClock clock;
  SystemExecutor executor;
  HOLDFAST_TRY(const Fd alone, claim_sole_run(files, options.state_dir));
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  const Result<std::optional<bfd::Keys>> keys = read_keys(files, options.bfd_keys);
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  Metrics metrics;
  HelperMetrics helper_metrics(metrics);
  Health health(log);
  HelperStore store(files, options.state_dir, {options.pool, options.node_name, machine_id(files)});
  BfdLiveness liveness(*loop, keys.value_or(std::nullopt));
  NodeFirewall firewall(options.firewall, executor);
  Agent* running = nullptr;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop->on_signals({SIGTERM, SIGINT, SIGHUP}, [&](int number) {
    if (number != SIGHUP) return loop->stop();
    if (running != nullptr) running->look_again();
  }));
  Worker worker(*loop);  // after the signals: its thread takes none
  Worker resolver(*loop);
  Agent agent(
      {*loop, worker, files, log, health, helper_metrics, socket, store, liveness, firewall, resolver},
      options);
  // Before all that may fail: a helper that cannot go on must not leave the ranges open.
  Status closed = agent.close();
  if (options.once) return closed;
  if (!keys) return tl::unexpected(keys.error());
  log.info("egw-helper begins",
           {{"version", version()}, {"node", options.node_name}, {"pool", options.pool}});
  HOLDFAST_TRY(const std::unique_ptr<GatewaySource> source,
               make_source(options, *loop, files, metrics, agent));
  http::PatientPageServer server(
      *loop, options.healthz, [&](const http::RequestHead& head) { return page(head, health, metrics); }, log,
      "--healthz");
  server.start();
  HOLDFAST_CHECK(agent.start(*source));
  running = &agent;
  ServiceManager manager(environment_variable("NOTIFY_SOCKET").value_or(""));
  manager.ready();
  HOLDFAST_CHECK(loop->run());
  manager.stopping();
  log.info("egw-helper ends; routes and rules stay as they are");
  return {};
}

}  // namespace holdfast::gateway
