#include "csi-lvm/program/controller_plugin.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <utility>

#include "common/kube/cluster_link.h"
#include "csi-lvm/cluster/cluster_mode.h"

namespace holdfast::lvm {
namespace {

constexpr const char* kProgram = "csi-lvm";
constexpr const char* kNamespace = "kube-system";
constexpr std::array<std::string_view, 4> kStates{"pending", "ready", "refused", "deleting"};

// Of no other process: a host's name may come again, and so may a process's number.
std::string identity_of(std::uint64_t seed) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
  std::array<char, 17> random{};
  std::snprintf(random.data(), random.size(), "%016llx", static_cast<unsigned long long>(seed));
  return std::string(host.data()) + "_" + random.data();
}

ClusterMode::Options mode_options(const ControllerPluginOptions& options, std::uint64_t seed) {
  ClusterMode::Options out;
  out.driver = options.profile.driver_name;
  out.topology_key = options.profile.topology_keys.front();
  out.name_space = options.controller.name_space;
  if (out.name_space.empty()) out.name_space = options.cluster.name_space;
  if (out.name_space.empty()) out.name_space = kNamespace;
  out.identity = identity_of(seed);
  out.state.node_gone_grace = options.controller.node_gone_grace;
  out.state.stale_after = options.controller.node_stale_after;
  out.seed = seed;
  return out;
}

std::string_view state_of(const LogicalVolumeObject& object) {
  if (object.deleting) return "deleting";
  if (object.status.state == VolumeState::kReady) return "ready";
  return object.status.state == VolumeState::kRefused ? "refused" : "pending";
}

class ControllerPlugin final : public csi::HostedDriver {
 public:
  ControllerPlugin(const csi::HostContext& context, ControllerPluginOptions options,
                   std::unique_ptr<kube::ClusterLink> link)
      : context_(context),
        options_(std::move(options)),
        link_(std::move(link)),
        mode_({.loop = context.loop, .http = link_->watches(), .client = link_->client(), .log = context.log},
              mode_options(options_, link_->seed())),
        leads_(gauge("holdfast_lvm_leads", "1: this controller publishes capacities")) {
    mode_.on_change([this] { known_ = mode_.state().is_known(); });
    mode_.start();
  }

  Status prepare() override { return {}; }
  [[nodiscard]] bool ready() const override { return known_; }

  [[nodiscard]] csi::ServedDriver served() override {
    csi::ServedDriver out;
    out.profile = options_.profile;
    out.capabilities = {.controller = true, .topology = true, .online_expansion = true};
    out.socket = options_.socket;
    out.endpoint = out.socket;
    out.controller = &mode_.driver();
    return out;
  }

  void end(const std::function<void()>& done) override { mode_.stop(done); }

  void refresh_metrics() override {
    leads_.set(mode_.leads() ? 1 : 0);
    std::map<bool, double> nodes;
    for (const auto& [node, storage] : mode_.state().storages()) nodes[mode_.state().life(node).stale] += 1;
    nodes_in("stale").set(nodes[true]);
    nodes_in("fresh").set(nodes[false]);
    std::map<std::string_view, double> volumes;
    for (const auto& [name, object] : mode_.state().volumes().all()) volumes[state_of(object)] += 1;
    for (const std::string_view state : kStates) {
      gauge("holdfast_lvm_volumes", "Objects of volumes and snapshots", {{"state", std::string(state)}})
          .set(volumes[state]);
    }
  }

 private:
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {}) {
    labels["driver_name"] = options_.profile.driver_name;
    return context_.metrics.gauge(name, help, labels);
  }
  Gauge& nodes_in(const char* state) {
    return gauge("holdfast_lvm_nodes", "Nodes with storage, by whether they tell of it", {{"state", state}});
  }

  csi::HostContext context_;
  ControllerPluginOptions options_;
  std::unique_ptr<kube::ClusterLink> link_;
  ClusterMode mode_;
  std::atomic<bool> known_{false};
  Gauge& leads_;
};

}  // namespace

Result<std::unique_ptr<csi::HostedDriver>> make_controller_plugin(const csi::HostContext& context,
                                                                  const ControllerPluginOptions& options) {
  HOLDFAST_TRY(
      std::unique_ptr<kube::ClusterLink> link,
      kube::ClusterLink::connect(context.loop, context.files, context.metrics, options.cluster, kProgram));
  return std::unique_ptr<csi::HostedDriver>(
      std::make_unique<ControllerPlugin>(context, options, std::move(link)));
}

}  // namespace holdfast::lvm
