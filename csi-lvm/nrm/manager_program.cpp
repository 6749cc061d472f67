#include "csi-lvm/nrm/manager_program.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <random>
#include <utility>

#include "common/base/flags.h"
#include "common/base/service_manager.h"
#include "common/base/state_folder.h"
#include "common/base/version.h"
#include "common/http/patient_page_server.h"
#include "common/kube/config.h"
#include "common/kube/curl_http.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/make_runner.h"
#include "csi-lvm/nrm/cluster_config.h"
#include "csi-lvm/nrm/node_resource_manager.h"
#include "csi-lvm/nrm/patient_disks.h"
#include "csi-lvm/nrm/plan_report.h"

namespace holdfast::nrm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "node-resource-manager";
// A disk that answers nothing within it is failing; the kernel itself gives SCSI disks 30 s for each command.
constexpr std::chrono::seconds kDiskPatience{45};
constexpr const char* kArchive = "lvm-archive";  // of metadata, from before each change

std::uint64_t random_seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32U | random();
}

lvm::LvmSettings settings_of(const ManagerOptions& options) {
  lvm::LvmSettings settings;
  settings.devices_file = options.devices_file;
  settings.archive_folder = (options.state_dir / kArchive).string();
  return settings;
}

/// LVM and the node's disks.
struct System {
  System(const ManagerOptions& options, std::unique_ptr<lvm::LvmRunner> runner)
      : queue(std::move(runner)), lvm(queue, settings_of(options)) {}
  ResourcePass::Ports ports() { return {lvm, disks, quota_mounts, files}; }

  PosixFiles files;
  lvm::LvmQueue queue;
  lvm::CommandsLvm lvm;
  PatientDisks disks{std::make_shared<SystemNodeDisks>(), kDiskPatience};
  SystemQuotaMounts quota_mounts;
};

/// The cluster, for what is asked of it and told to it.
class Cluster {
 public:
  static Result<std::unique_ptr<Cluster>> connect(EventLoop& loop, Files& files, Metrics& metrics,
                                                  const ManagerOptions& options) {
    Result<kube::Config> config =
        kube::load_config(files, {.kubeconfig = options.kubeconfig, .environment = environment_variable});
    if (!config) {
      config.error().message += "; --kubeconfig tells the API server, and --config-file does without one";
      return tl::unexpected(std::move(config).error());
    }
    HOLDFAST_TRY(auto http, kube::CurlHttp::create(loop, *config, files, metrics, kProgram));
    return std::make_unique<Cluster>(loop, std::move(http), files, options);
  }
  Cluster(EventLoop& loop, std::unique_ptr<kube::Http> http, Files& files, const ManagerOptions& options)
      : http_(std::move(http)),
        client_(loop, *http_, {.field_manager = kProgram}, random_seed()),
        recorder_(loop, client_, kProgram, options.node_id, random_seed()),
        events(recorder_, options.node_id),
        config(loop, *http_, files, options.state_dir,
               {.node = options.node_id, .name_space = options.name_space, .config_map = options.config_map},
               options.node_labels, random_seed()) {}

 private:
  std::unique_ptr<kube::Http> http_;
  kube::ObjectClient client_;
  kube::EventRecorder recorder_;

 public:
  PlanEvents events;
  ClusterConfig config;
};

http::Page page_of(const http::RequestHead& head, const NodeResourceManager& manager,
                   const Metrics& metrics) {
  if (head.path == "/healthz") return {200, "node-resource-manager is running\n"};
  if (head.path == "/metrics") return {200, metrics.render(), std::string(Metrics::kContentType)};
  if (head.path != "/readyz") return {404, "there are /healthz, /readyz and /metrics\n"};
  if (manager.ready()) return {200, "the last pass saw all disks\n"};
  return {503, manager.last() == nullptr ? "no pass has ended yet\n" : manager.last()->trouble + "\n"};
}

std::string status_line(const PassResult& result) {
  const auto troubles =
      std::ranges::count_if(result.rows, [](const PlanRow& row) { return is_trouble(row.action); });
  if (!result.trouble.empty()) return result.trouble;
  return std::to_string(result.rows.size()) + " rows, " + std::to_string(troubles) + " to look at";
}

/// One run of the program: the manager and where its configuration comes from.
class Program {
 public:
  Program(EventLoop& loop, System& system, Logger& log, const ManagerOptions& options)
      : loop_(loop),
        log_(log),
        options_(options),
        once_(options.once || options.dry_run),
        lvm_(system.lvm),
        manager_(loop, system.ports(), log, metrics_,
                 {.node = options.node_id,
                  .state_dir = options.state_dir,
                  .dry_run = options.dry_run,
                  .interval = options.interval},
                 [this](const PassResult& result) { passed(result); }),
        files_(system.files),
        server_(
            loop, options.metrics_address,
            [this](const http::RequestHead& head) { return page_of(head, manager_, metrics_); }, log,
            "--metrics-address") {}

  Status start() {
    server_.start();
    if (!once_) HOLDFAST_CHECK(manager_.start());
    if (options_.config_file.empty()) {
      HOLDFAST_TRY(cluster_, Cluster::connect(loop_, files_, metrics_, options_));
      return cluster_->config.start(callbacks());
    }
    file_ = std::make_unique<FileConfig>(loop_, files_,
                                         FileConfig::Place{.config = options_.config_file,
                                                           .labels = options_.node_labels_file,
                                                           .fixed_labels = options_.node_labels});
    return file_->start(callbacks());
  }

  void look_again() { manager_.look_again(); }
  /// How the only pass ended.
  Status outcome() const { return outcome_; }

 private:
  ConfigSource::Callbacks callbacks() {
    return {.told = [this](const NodeConfig& config) { manager_.configure(config); },
            .trouble =
                [this](const std::string& why) {
                  if (why.empty()) return;
                  log_.warning("the configuration cannot be read", {{"error", why}});
                  if (once_ && file_ != nullptr) end(fail(Code::kInvalidArgument, why));
                }};
  }

  void passed(const PassResult& result) {
    for (const std::string& warning : lvm_.take_warnings()) log_.warning(warning);
    service_.ready();
    service_.status(status_line(result));
    if (cluster_ && !options_.dry_run) cluster_->events.tell(result);
    if (!once_ || result.again_soon) return;
    std::fputs(plan_table(result.rows).c_str(), stdout);
    end(result.trouble.empty() ? Status{} : Status(fail(Code::kUnavailable, result.trouble)));
  }

  void end(Status how) {
    outcome_ = std::move(how);
    loop_.stop();
  }

  EventLoop& loop_;
  Logger& log_;
  const ManagerOptions& options_;
  bool once_;
  lvm::CommandsLvm& lvm_;
  Status outcome_;
  Metrics metrics_;
  ServiceManager service_{environment_variable("NOTIFY_SOCKET").value_or("")};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<FileConfig> file_;
  NodeResourceManager manager_;
  Files& files_;
  http::PatientPageServer server_;
};

}  // namespace

std::string plan_table(const std::vector<PlanRow>& rows) {
  std::vector<PlanLine> lines;
  lines.reserve(rows.size());
  for (const PlanRow& row : rows) {
    lines.push_back({row.entry, row.device.empty() ? row.selector : row.device, row.identity,
                     std::string(to_string(row.action)), row.reason});
  }
  return table_of(std::move(lines));
}

Status run_node_resource_manager(const ManagerOptions& options, Logger& log) {
  SystemClock clock;
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  Program* running = nullptr;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop->on_signals({SIGTERM, SIGINT, SIGHUP}, [&](int number) {
    if (number != SIGHUP) return loop->stop();
    if (running != nullptr) running->look_again();
  }));
  SystemExecutor executor;
  HOLDFAST_TRY(auto runner, lvm::make_runner(executor, {.told = options.lvmcmd}));
  System system(options, std::move(runner));  // after the signals: its threads take none
  Fd alone;
  if (!options.dry_run) {
    HOLDFAST_TRY(alone, take_state_folder(system.files, options.state_dir, kProgram));
    HOLDFAST_CHECK(make_state_folder(system.files, options.state_dir / kArchive));
  }
  log.info("node-resource-manager begins",
           {{"version", version()}, {"node", options.node_id}, {"dry_run", options.dry_run}});
  Program program(*loop, system, log, options);
  running = &program;
  HOLDFAST_CHECK(program.start());
  HOLDFAST_CHECK(loop->run());
  return program.outcome();
}

}  // namespace holdfast::nrm
