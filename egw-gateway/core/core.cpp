#include "egw-gateway/core/core.h"

#include <memory>
#include <utility>

#include "common/base/clock.h"
#include "common/base/daemon_signals.h"
#include "common/base/event_loop.h"
#include "common/base/exec.h"
#include "common/base/first_error.h"
#include "common/base/metrics.h"
#include "common/base/version.h"
#include "common/base/worker.h"
#include "egw-gateway/core/core_agent.h"
#include "egw-gateway/core/core_concerns.h"
#include "egw-gateway/core/kernel_settings.h"
#include "egw-gateway/core/prepare.h"
#include "egw-gateway/health/served_run.h"
#include "egw-gateway/sole_run/sole_run.h"
#include "egw-gateway/source/open_source.h"

namespace holdfast::gateway {
namespace {

constexpr const char* kProgram = "egw-core";

Status prepare() {
  FirstError errors;
  errors.add(prepare_kernel());
  errors.add(make_tun_device());
  return errors.result();
}

}  // namespace

Status run_core(const CoreOptions& options, Logger& log) {
  if (options.prepare) return prepare();
  HOLDFAST_CHECK(check_kernel({options.link}));
  PosixFiles files;
  SystemClock clock;
  SystemExecutor executor;
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  HOLDFAST_TRY(const std::optional<SoleRun> alone,
               wait_for_sole_run(*loop, files, log, {kProgram, options.state_dir}));
  if (!alone) return {};
  HOLDFAST_TRY(const wireguard::Engine engine, wireguard::choose_engine(options.wireguard));
  const std::unique_ptr<wireguard::WireGuard> wireguard = wireguard::make_wireguard(engine, executor, clock);
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  HOLDFAST_TRY(nl::Socket works_socket, nl::Socket::open());
  Metrics metrics;
  metrics.gauge("egw_core_wireguard", "Who does the tunnels.", {{"engine", std::string(to_string(engine))}})
      .set(1);
  CoreMetrics core_metrics(metrics);
  Health health(log, core_concern::kNeeded);
  CoreStore store(files, options.state_dir, options.pool, options.gateway);
  CoreLiveness liveness(*loop);
  CoreWorks works({executor, clock, *wireguard}, options.firewall, options.resync, std::move(works_socket));
  DaemonSignals signals(*loop);
  HOLDFAST_CHECK(signals.take());
  Worker worker(*loop);  // after the signals: its thread takes none
  CoreAgent agent({*loop, worker, files, log, health, core_metrics, socket, store, liveness, works}, options);
  const std::string by = "egw-core is running, WireGuard by " + std::string(to_string(engine));
  log.info("egw-core begins", {{"version", version()},
                               {"pool", options.pool},
                               {"gateway", options.gateway},
                               {"wireguard", to_string(engine)}});
  HOLDFAST_TRY(const OpenedSource source,
               open_source(options.source, options.pool, kProgram, *loop, files, metrics));
  const auto start = [&]() -> Status {
    HOLDFAST_CHECK(agent.start(*source.source));
    signals.serve([&] { agent.look_again(); }, [&] { agent.leave([&] { loop->stop(); }); });
    return {};
  };
  HOLDFAST_CHECK(run_served(*loop, log, {kProgram, by, options.healthz, health, metrics}, start));
  log.info("egw-core ends; tunnels, routes and rules stay as they are");
  return {};
}

}  // namespace holdfast::gateway
