#include "cni-flannel/daemon/flanneld.h"

#include <csignal>
#include <memory>
#include <random>
#include <utility>

#include "cni-flannel/daemon/agent.h"
#include "cni-flannel/daemon/api_source.h"
#include "cni-flannel/daemon/dir_lease_source.h"
#include "cni-flannel/daemon/drop_ins.h"
#include "cni-flannel/daemon/health_pages.h"
#include "cni-flannel/daemon/node_name.h"
#include "cni-flannel/daemon/patient_source.h"
#include "cni-flannel/daemon/pod_addresses.h"
#include "cni-flannel/daemon/sole_run.h"
#include "cni-flannel/daemon/vxlan_device.h"
#include "common/base/flags.h"
#include "common/base/linked_file.h"
#include "common/base/machine_ids.h"
#include "common/base/service_manager.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "common/http/patient_page_server.h"
#include "common/netlink/link.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kMaxConfBytes = std::size_t{1} << 20;
constexpr std::size_t kShownName = 80;  // of one that is refused

Result<NetConf> read_net_conf(Files& files, const std::filesystem::path& path) {
  // of a mounted ConfigMap the file is a link
  const Result<std::string> text = read_linked_file(files, path, kMaxConfBytes);
  if (!text && text.error().code == Code::kNotFound) {
    return fail(Code::kNotFound, path.native() +
                                     " is not there; it holds the cluster's network as JSON, "
                                     "{\"Network\": \"10.244.0.0/16\", \"Backend\": {\"Type\": \"vxlan\"}}; "
                                     "name another by --net-config-path");
  }
  if (!text) return tl::unexpected(text.error());
  Result<NetConf> conf = parse_net_conf(*text);
  if (!conf) return tl::unexpected(std::move(conf).error().within(path.native()));
  return conf;
}

std::unique_ptr<LeaseSource> make_source(const Options& options, EventLoop& loop, Files& files,
                                         Metrics& metrics) {
  if (options.source == SourceKind::kDir) {
    return std::make_unique<DirLeaseSource>(loop, files, options.config_dir);
  }
  const auto make = [&, options] { return make_api_source(options, loop, files, metrics); };
  return std::make_unique<PatientSource>(loop, make, std::random_device()());
}

/// Of a disk that was copied. A machine without one is told by its node's name alone.
std::string machine_id(Files& files, Logger& log) {
  Result<std::string> id = read_machine_id(files);
  if (id) return *std::move(id);
  log.warning("no machine-id: a copied disk is told by the node's name alone",
              {{"error", id.error().message}});
  return "";
}

/// What systemd shows beside the service's name.
std::string status_line(const Conditions& conditions, const DaemonMetrics& metrics) {
  const double peers = metrics.v4.programmed.value() + metrics.v6.programmed.value();
  const std::string trouble = conditions.first_trouble();
  return trouble.empty() ? "ready; peers programmed: " + std::to_string(static_cast<long>(peers)) : trouble;
}

/// One of the plugin's: what else has the name is no pod's.
bool is_pod_link(nl::Socket& socket, const std::string& name) {
  const Result<std::optional<nl::Link>> link = nl::find_link(socket, name);
  return link && *link && (*link)->kind == "veth";
}

/// Those of the links of the overlay, of the CNI plugin's usual bridge and of pods. Returns what has changed.
std::vector<DropIn> settle_drop_ins(Files& files, const Options& options, const NetConf& conf, Logger& log) {
  const std::vector<DropIn> all = drop_ins(options.run_dir, overlay_links(conf.vxlan.vni));
  DropInNews news = options.network_drop_ins ? put_drop_ins(files, all) : remove_drop_ins(files, all);
  for (const DropIn& one : news.changed) log.info("drop-in file settled", {{"path", one.file.native()}});
  for (const std::string& note : news.notes) log.warning("drop-in files", {{"note", note}});
  return std::move(news.changed);
}

/// Of the flags, else the host's. Errors: kInvalidArgument for what no Node is called.
Result<std::string> own_name(const Options& options) {
  std::string name = options.node_name;
  if (name.empty()) {
    HOLDFAST_TRY(name, host_node_name());
  }
  const std::string fault = node_name_fault(name);
  if (fault.empty()) return name;
  return fail(Code::kInvalidArgument,
              "'" + printable(name, kShownName) + "' " + fault + "; tell another by --node-name");
}

/// The program from its signals on: the work, the pages about it, and what the service manager hears of it.
class Program {
 public:
  /// What it works with; all outlives it.
  struct Tools {
    Files& files;
    Clock& clock;
    Executor& executor;
    Logger& log;
    EventLoop& loop;
    Metrics& metrics;
    nl::Socket& socket;
  };
  /// Settles the drop-in files, before there is a device that they are about.
  Program(const Tools& tools, const Options& options, const NetConf& conf);

  /// Until the loop is stopped, or the node does not join. Errors: as run_flanneld().
  Status run(std::unique_ptr<LeaseSource> source);
  void look_again() { agent_.look_again(); }

 private:
  [[nodiscard]] http::Page page(const http::RequestHead& head);
  void tell_manager();
  void reload_later();

  Tools tools_;
  std::vector<DropIn> changed_drop_ins_;
  std::vector<std::string> failed_reloads_;
  DaemonMetrics metrics_;
  Conditions conditions_;
  OverlayStore store_;
  Worker worker_;  // made when signals are events of the loop: its thread takes none
  Agent agent_;
  PodAddresses addresses_;
  http::PatientPageServer server_;
  ServiceManager manager_;
};

Program::Program(const Tools& tools, const Options& options, const NetConf& conf)
    : tools_(tools),
      changed_drop_ins_(settle_drop_ins(tools.files, options, conf, tools.log)),
      metrics_(tools.metrics),
      conditions_(tools.log, tools.clock),
      store_(tools.files, options.state_dir, {"", options.node_name, machine_id(tools.files, tools.log)}),
      worker_(tools.loop),
      agent_({tools.loop, worker_, tools.files, tools.executor, tools.log, conditions_, metrics_,
              tools.socket, store_},
             options, conf),
      addresses_(tools.files, {.data_dir = options.ipam_dir, .state_dir = options.state_dir}),
      server_(
          tools.loop, {options.healthz_ip, options.healthz_port},
          [this](const http::RequestHead& head) { return page(head); }, tools.log,
          "--healthz-ip, --healthz-port"),
      manager_(environment_variable("NOTIFY_SOCKET").value_or("")) {}

http::Page Program::page(const http::RequestHead& head) {
  if (head.path == kMetricsPath) {
    agent_.refresh_metrics();
    show_pod_addresses(
        addresses_, agent_.pod_lease(),
        [this](const std::string& name) { return is_pod_link(tools_.socket, name); }, metrics_);
  }
  return health_page(head, conditions_, tools_.metrics);
}

void Program::tell_manager() {
  if (conditions_.ready()) manager_.ready();
  manager_.status(status_line(conditions_, metrics_));
}

/// Behind the rules and the store, which are more urgent.
void Program::reload_later() {
  worker_.run([this] { failed_reloads_ = reload_daemons(tools_.executor, changed_drop_ins_); },
              [this] {
                for (const std::string& note : failed_reloads_) {
                  tools_.log.warning("drop-in files", {{"note", note}});
                }
              });
}

Status Program::run(std::unique_ptr<LeaseSource> source) {
  server_.start();
  conditions_.on_transition([this] {
    tell_manager();
    agent_.conditions_changed();
  });
  HOLDFAST_CHECK(agent_.start(std::move(source)));
  reload_later();
  HOLDFAST_CHECK(tools_.loop.run());
  manager_.stopping();
  if (agent_.refusal()) return tl::unexpected(*agent_.refusal());
  agent_.finish();
  tools_.log.info("flanneld ends; the overlay stays as it is");
  return {};
}

}  // namespace

Status run_flanneld(Options options, Logger& log) {
  HOLDFAST_TRY(options.node_name, own_name(options));
  PosixFiles files;
  SystemClock clock;
  SystemExecutor executor;
  HOLDFAST_TRY(const SoleRun alone, claim_sole_run(files, options.state_dir));
  HOLDFAST_TRY(const NetConf conf, read_net_conf(files, options.net_config_path));
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  Metrics metrics;
  std::unique_ptr<LeaseSource> source = make_source(options, *loop, files, metrics);
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  log.info("flanneld begins",
           {{"version", version()}, {"node", options.node_name}, {"source", to_string(options.source)}});
  Program* running = nullptr;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop->on_signals({SIGTERM, SIGINT, SIGHUP}, [&](int number) {
    if (number != SIGHUP) return loop->stop();
    if (running != nullptr) running->look_again();
  }));
  Program program({files, clock, executor, log, *loop, metrics, socket}, options, conf);
  running = &program;
  return program.run(std::move(source));
}

int exit_status(const Status& ended) {
  constexpr int kConflict = 3;
  if (ended) return 0;
  return ended.error().code == kAddressesExclude ? kConflict : 1;
}

}  // namespace holdfast::flannel
