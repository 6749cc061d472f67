#include "egw-gateway/helper/helper.h"

#include <memory>
#include <optional>
#include <utility>

#include "common/base/clock.h"
#include "common/base/daemon_signals.h"
#include "common/base/event_loop.h"
#include "common/base/exec.h"
#include "common/base/machine_ids.h"
#include "common/base/metrics.h"
#include "common/base/version.h"
#include "common/base/worker.h"
#include "egw-gateway/bfd/key_file.h"
#include "egw-gateway/health/served_run.h"
#include "egw-gateway/helper/agent.h"
#include "egw-gateway/helper/bfd_liveness.h"
#include "egw-gateway/helper/concerns.h"
#include "egw-gateway/helper/key_reader.h"
#include "egw-gateway/helper/removal.h"
#include "egw-gateway/sole_run/sole_run.h"
#include "egw-gateway/source/open_source.h"

namespace holdfast::gateway {
namespace {

constexpr const char* kProgram = "egw-helper";

Result<std::optional<bfd::Keys>> read_keys(Files& files, const std::filesystem::path& path) {
  if (path.empty()) return std::nullopt;
  HOLDFAST_TRY(bfd::Keys keys, bfd::read_key_file(files, path));
  return std::optional<bfd::Keys>(std::move(keys));
}

void show_keys(HelperMetrics& metrics, const std::optional<bfd::Keys>& keys) {
  if (!keys) return;
  metrics.all.gauge("egw_helper_bfd_key", "The id of the key that liveness is signed with.")
      .set(keys->send.id);
  metrics.all.gauge("egw_helper_bfd_keys", "How many keys are accepted; two while they are exchanged.")
      .set(1 + static_cast<double>(keys->also_accepted.size()));
}

/// Of a disk that was copied. A machine without one is told by its node's name alone.
std::string machine_id(Files& files) { return read_machine_id(files).value_or(""); }

}  // namespace

Status run_helper(const HelperOptions& options, Logger& log) {
  PosixFiles files;
  SystemClock clock;
  SystemExecutor executor;
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  // who boots a host, or takes all away, is not to wait for one that goes on
  const std::chrono::nanoseconds patience =
      options.once || options.remove ? std::chrono::nanoseconds(0) : kOtherEnds;
  HOLDFAST_TRY(const std::optional<SoleRun> alone,
               wait_for_sole_run(*loop, files, log, {kProgram, options.state_dir}, patience));
  if (!alone) return {};
  const Result<std::optional<bfd::Keys>> keys = read_keys(files, options.bfd_keys);
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  Metrics metrics;
  HelperMetrics helper_metrics(metrics);
  Health health(log, kNeededByHelper);
  HelperStore store(files, options.state_dir, {options.pool, options.node_name, machine_id(files)});
  BfdLiveness liveness(*loop, keys.value_or(std::nullopt));
  firewall::RuleKeeper firewall(options.firewall, executor);
  if (options.remove) return remove_all({files, store, firewall}, options);
  DaemonSignals signals(*loop);
  HOLDFAST_CHECK(signals.take());
  Worker worker(*loop);  // after the signals: its thread takes none
  Worker resolver(*loop);
  Agent agent(
      {*loop, worker, files, log, health, helper_metrics, socket, store, liveness, firewall, resolver},
      options);
  // Before all that may fail: a helper that cannot go on must not leave the ranges open.
  if (options.once) return agent.close_at_boot();
  static_cast<void>(agent.close());  // done again, and told, by start()
  // without keys nobody is believed, and the ranges are kept closed until they can be read
  if (!keys) agent.keys(keys.error().message);
  log.info("egw-helper begins",
           {{"version", version()}, {"node", options.node_name}, {"pool", options.pool}});
  HOLDFAST_TRY(const OpenedSource source,
               open_source(options.source, options.pool, kProgram, *loop, files, metrics));
  agent.exempt_servers(source.servers);
  const std::optional<bfd::Keys> first_keys = keys.value_or(std::nullopt);
  show_keys(helper_metrics, first_keys);
  const auto take_keys = [&](const bfd::Keys& anew) {
    const Status done = liveness.set_keys(anew);
    if (!done) log.error("keys are not taken", {{"error", done.error().message}});
    show_keys(helper_metrics, anew);
    agent.keys("");
  };
  std::optional<KeyReader> reader;
  const ServedProgram served{kProgram, "egw-helper is running", options.healthz, health, metrics};
  const auto start = [&]() -> Status {
    HOLDFAST_CHECK(agent.start(*source.source));
    reader.emplace(*loop, files, log, options.bfd_keys, options.resync, first_keys, take_keys);
    signals.serve([&] { agent.look_again(); }, [&] { agent.end(); });
    return {};
  };
  HOLDFAST_CHECK(run_served(*loop, log, served, start));
  log.info(agent.removed() ? "egw-helper ends, and has left nothing"
                           : "egw-helper ends; routes and rules stay as they are");
  return {};
}

}  // namespace holdfast::gateway
