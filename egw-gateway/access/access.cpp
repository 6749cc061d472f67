#include "egw-gateway/access/access.h"

#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "common/base/clock.h"
#include "common/base/daemon_signals.h"
#include "common/base/event_loop.h"
#include "common/base/exec.h"
#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/base/version.h"
#include "common/base/worker.h"
#include "common/kube/cluster_link.h"
#include "common/wireguard/engine.h"
#include "common/wireguard/secret_key_file.h"
#include "egw-gateway/access/access_agent.h"
#include "egw-gateway/access/api_pool_source.h"
#include "egw-gateway/access/cloud_side.h"
#include "egw-gateway/access/dir_pool_source.h"
#include "egw-gateway/access/pool_status.h"
#include "egw-gateway/health/served_run.h"
#include "egw-gateway/sole_run/sole_run.h"

namespace holdfast::gateway {
namespace {

constexpr const char* kProgram = "egw-access";

/// Null for --source=dir. Each access point is another owner of fields: what one applies to the list of all
/// would take the entries of the others away.
Result<std::unique_ptr<kube::ClusterLink>> connect(const AccessOptions& options, EventLoop& loop,
                                                   Files& files, Metrics& metrics) {
  if (options.source.kind == SourceKind::kDir) return nullptr;
  HOLDFAST_TRY(const std::optional<kube::Config> config,
               kube::find_cluster(files, options.source.kubeconfig, environment_variable));
  if (!config) {
    return fail(Code::kFailedPrecondition,
                "there is no API server: run as a pod, tell --kubeconfig, or use --source=dir");
  }
  return kube::ClusterLink::connect(loop, files, metrics, *config,
                                    std::string(kProgram) + "-" + options.access_point);
}

/// `link` is null for --source=dir.
std::unique_ptr<PoolSource> make_source(EventLoop& loop, kube::ClusterLink* link, Files& files,
                                        const std::filesystem::path& folder) {
  if (link != nullptr) return std::make_unique<ApiPoolSource>(loop, *link);
  return std::make_unique<DirPoolSource>(loop, files, folder);
}

}  // namespace

Status run_access(const AccessOptions& options, Logger& log) {
  PosixFiles files;
  SystemClock clock;
  SystemExecutor executor;
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  HOLDFAST_TRY(const std::optional<SoleRun> alone,
               wait_for_sole_run(*loop, files, log, {kProgram, options.state_dir}));
  if (!alone) return {};
  HOLDFAST_TRY(const wireguard::SecretKey key, wireguard::read_secret_key(files, options.private_key));
  HOLDFAST_TRY(const wireguard::Engine engine, wireguard::choose_engine(options.engine));
  HOLDFAST_TRY(const wireguard::PublicKey public_key, wireguard::public_key_of(key));
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  HOLDFAST_TRY(nl::Socket tunnel_socket, nl::Socket::open());
  HOLDFAST_TRY(nl::Socket route_socket, nl::Socket::open());
  Metrics metrics;
  AccessMetrics access_metrics(metrics);
  Health health(log, kNeededForReady);
  AccessStore store(files, options.state_dir, options.access_point);
  const std::unique_ptr<wireguard::WireGuard> wireguard = wireguard::make_wireguard(engine, executor, clock);
  TunnelKeeper tunnels(*wireguard, std::move(tunnel_socket), std::string(kAccessLinkPrefix));
  firewall::RuleKeeper firewall(options.firewall, executor);
  KernelTable table(route_socket);
  TableRoutes kernel(table, clock, std::random_device{}());
  const std::unique_ptr<CloudSide> cloud =
      options.routes == RoutesTo::kAlibaba ? std::make_unique<CloudSide>(options, files, clock) : nullptr;
  HOLDFAST_TRY(const std::unique_ptr<kube::ClusterLink> link, connect(options, *loop, files, metrics));
  std::optional<PoolStatusWriter> status;
  if (link) status.emplace(*loop, *link, log, options.access_point);
  DaemonSignals signals(*loop);
  HOLDFAST_CHECK(signals.take());
  Worker worker(*loop);  // after the signals: their threads take none
  Worker disk(*loop);
  AccessAgent agent({*loop, worker, disk, log, health, access_metrics, socket, store, tunnels, firewall,
                     kernel, cloud ? &cloud->routes() : nullptr},
                    options, key, [&](const PoolReport& report) {
                      if (status) status->write(report);
                    });
  const std::string encrypts =
      "egw-access is running, WireGuard by " + std::string(wireguard::to_string(engine));
  log.info("egw-access begins", {{"version", version()},
                                 {"access_point", options.access_point},
                                 {"wireguard", wireguard::to_string(engine)},
                                 {"public_key", public_key.to_string()}});
  const std::unique_ptr<PoolSource> source = make_source(*loop, link.get(), files, options.source.config_dir);
  const ServedProgram served{kProgram, encrypts, options.healthz, health, metrics};
  const auto start = [&]() -> Status {
    HOLDFAST_CHECK(agent.start(*source));
    signals.serve([&] { agent.look_again(); }, [&] { agent.leave([&] { loop->stop(); }); });
    return {};
  };
  HOLDFAST_CHECK(run_served(*loop, log, served, start));
  log.info("egw-access ends; tunnels, routes and rules stay as they are");
  return {};
}

}  // namespace holdfast::gateway
