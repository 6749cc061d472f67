#include "cni-flannel/daemon/flanneld.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
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

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Those of the links of the overlay, of the CNI plugin's usual bridge and of pods. Returns what has changed.
std::vector<DropIn> settle_drop_ins(Files& files, const Options& options, const NetConf& conf, Logger& log) {
  const std::vector<DropIn> all = drop_ins(options.run_dir, overlay_links(conf.vxlan.vni));
  DropInNews news = options.network_drop_ins ? put_drop_ins(files, all) : remove_drop_ins(files, all);
  for (const DropIn& one : news.changed) log.info("drop-in file settled", {{"path", one.file.native()}});
  for (const std::string& note : news.notes) log.warning("drop-in files", {{"note", note}});
  return std::move(news.changed);
}

}  // namespace

Status run_flanneld(Options options, Logger& log) {
  if (options.node_name.empty()) {
    HOLDFAST_TRY(options.node_name, host_node_name());
  }
  if (const std::string fault = node_name_fault(options.node_name); !fault.empty()) {
    return fail(Code::kInvalidArgument, "'" + printable(options.node_name, kShownName) + "' " + fault +
                                            "; tell another by --node-name");
  }
  PosixFiles files;
  SystemClock clock;
  SystemExecutor executor;
  HOLDFAST_TRY(const SoleRun alone, claim_sole_run(files, options.state_dir));
  HOLDFAST_TRY(NetConf conf, read_net_conf(files, options.net_config_path));
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  Metrics metrics;
  std::unique_ptr<LeaseSource> source = make_source(options, *loop, files, metrics);
  HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
  log.info("flanneld begins",
           {{"version", version()}, {"node", options.node_name}, {"source", to_string(options.source)}});

  // before there is a device that they are about
  const std::vector<DropIn> changed_drop_ins = settle_drop_ins(files, options, conf, log);
  DaemonMetrics daemon_metrics(metrics);
  Conditions conditions(log, clock);
  OverlayStore store(files, options.state_dir, {"", options.node_name, machine_id(files, log)});
  Agent* agent = nullptr;
  HOLDFAST_TRY(const EventLoop::Signals signals, loop->on_signals({SIGTERM, SIGINT, SIGHUP}, [&](int number) {
    if (number != SIGHUP) return loop->stop();
    if (agent != nullptr) agent->look_again();
  }));
  std::vector<std::string> failed_reloads;
  Worker worker(*loop);  // after the signals: its thread takes none
  Agent running({*loop, worker, files, executor, log, conditions, daemon_metrics, socket, store}, options,
                std::move(conf));
  agent = &running;
  PodAddresses addresses(files, {.data_dir = options.ipam_dir, .state_dir = options.state_dir});
  http::PatientPageServer server(
      *loop, {options.healthz_ip, options.healthz_port},
      [&](const http::RequestHead& head) {
        if (head.path == kMetricsPath) {
          running.refresh_metrics();
          show_pod_addresses(
              addresses, running.pod_lease(),
              [&](const std::string& name) { return is_pod_link(socket, name); }, daemon_metrics);
        }
        return health_page(head, conditions, metrics);
      },
      log, "--healthz-ip, --healthz-port");
  server.start();
  ServiceManager manager(variable("NOTIFY_SOCKET"));
  conditions.on_transition([&] {
    if (conditions.ready()) manager.ready();
    manager.status(status_line(conditions, daemon_metrics));
    running.conditions_changed();
  });
  HOLDFAST_CHECK(running.start(std::move(source)));
  // behind the rules and the store, which are more urgent
  worker.run([&] { failed_reloads = reload_daemons(executor, changed_drop_ins); },
             [&] {
               for (const std::string& note : failed_reloads) log.warning("drop-in files", {{"note", note}});
             });
  HOLDFAST_CHECK(loop->run());
  manager.stopping();
  if (running.refusal()) return tl::unexpected(*running.refusal());
  running.finish();
  log.info("flanneld ends; the overlay stays as it is");
  return {};
}

int exit_status(const Status& ended) {
  constexpr int kConflict = 3;
  if (ended) return 0;
  return ended.error().code == kAddressesExclude ? kConflict : 1;
}

}  // namespace holdfast::flannel
