#include "test/cni-flannel/plugin/plugin_list.h"

#include <filesystem>

#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr char kDebian[] = "/usr/lib/cni";

}  // namespace

PluginCall PluginList::call(const std::string& verb, const Sandbox& pod, const json& plugin,
                            const json& previous) const {
  const std::string type = plugin.at("type");
  const fs::path ours = FLANNEL_PLUGIN;
  json conf = plugin;
  conf["name"] = list_.at("name");
  conf["cniVersion"] = list_.at("cniVersion");
  const json capabilities = plugin.value("capabilities", json::object());
  for (const auto& [capability, wanted] : capabilities.items()) {
    if (wanted.get<bool>() && capability_args.contains(capability)) {
      conf["runtimeConfig"][capability] = capability_args.at(capability);
    }
  }
  if (!previous.is_null()) conf["prevResult"] = previous;
  const PluginSetup setup{.name = type,
                          .binary = type == "flannel" ? ours : fs::path(kDebian) / type,
                          .cni_path = ours.parent_path().string() + ":" + kDebian,
                          .config = conf.dump(),
                          .address_dir = {},
                          .conf_dir = {}};
  return make_call(setup, verb, pod);
}

bool PluginList::remembers() const { return list_.at("cniVersion") >= json("0.4.0"); }

json PluginList::add(const Sandbox& pod) {
  json result;
  for (const json& plugin : list_.at("plugins")) {
    result = PluginHost::add(call("ADD", pod, plugin, result));
  }
  results_[pod.container_id] = result;
  return result;
}

void PluginList::check(const Sandbox& pod) const {
  for (const json& plugin : list_.at("plugins")) {
    // Version 1.1.1 looks for the port of every IPv4 pod among the IPv6 rules, whoever is before it.
    if (plugin.at("type") == "portmap") continue;
    PluginHost::succeed(call("CHECK", pod, plugin, results_.at(pod.container_id)));
  }
}

void PluginList::del(const Sandbox& pod) {
  const auto result = results_.find(pod.container_id);
  const json previous = remembers() && result != results_.end() ? result->second : json();
  const json& plugins = list_.at("plugins");
  for (auto plugin = plugins.rbegin(); plugin != plugins.rend(); ++plugin) {
    PluginHost::succeed(call("DEL", pod, *plugin, previous));
  }
  results_.erase(pod.container_id);
}

}  // namespace holdfast::test
