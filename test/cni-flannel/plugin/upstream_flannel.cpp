#include "test/cni-flannel/plugin/upstream_flannel.h"

#include <filesystem>
#include <fstream>
#include <string_view>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr char kCniBin[] = "/usr/lib/cni";

fs::path saved_path(const Sandbox& pod) { return fs::path("/var/lib/cni/flannel") / pod.container_id; }

std::string saved_conf(const Sandbox& pod) {
  std::ifstream file(saved_path(pod));
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_private_file(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  fs::permissions(path.parent_path(), fs::perms::owner_all);
  std::ofstream file(path);
  file << text;
  file.close();
  REQUIRE(file);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

PluginCall bridge_call(const std::string& verb, const Sandbox& pod, std::string config) {
  const PluginSetup setup{.name = "bridge",
                          .binary = fs::path(kCniBin) / "bridge",
                          .cni_path = kCniBin,
                          .config = std::move(config),
                          .address_dir = {},
                          .conf_dir = {}};
  return make_call(setup, verb, pod);
}

}  // namespace

PluginCall UpstreamFlannel::add_call(const Sandbox& pod) const {
  write_private_file(saved_path(pod), delegate_.dump());
  return bridge_call("ADD", pod, delegate_.dump());
}

json UpstreamFlannel::add(const Sandbox& pod) const { return PluginHost::add(add_call(pod)); }

void UpstreamFlannel::del(const Sandbox& pod) const {
  if (!fs::exists(saved_path(pod))) return;
  PluginHost::succeed(bridge_call("DEL", pod, saved_conf(pod)));
  REQUIRE(fs::remove(saved_path(pod)));
}

void UpstreamFlannel::check(const Sandbox& pod, const json& result) const {
  json conf = json::parse(saved_conf(pod));
  conf["prevResult"] = with_gateways(result);
  const auto end = run_plugin(bridge_call("CHECK", pod, conf.dump()));
  REQUIRE(end.has_value());
  INFO(end->out << end->err);
  CHECK(end->exit_code == 0);
}

json with_gateways(json result) {
  for (json& route : result.at("routes")) {
    if (!route.contains("gw")) route["gw"] = result.at("ips")[0].at("gateway");
  }
  return result;
}

void remember_as_runtime(const Sandbox& pod, const json& result) {
  json args = json::array();
  const auto put = [&args](const char* name, const std::string& value) {
    args.push_back(json::array({name, value}));
  };
  put("IgnoreUnknown", "1");
  put("K8S_POD_NAMESPACE", pod.pod_namespace);
  put("K8S_POD_NAME", pod.pod);
  put("K8S_POD_INFRA_CONTAINER_ID", pod.container_id);
  put("K8S_POD_UID", pod.pod_uid);
  const json cached = {{"kind", "cniCacheV1"},       {"containerId", pod.container_id},
                       {"config", "e30="},           {"ifName", "eth0"},
                       {"networkName", "cbr0"},      {"netns", pod.netns.string()},
                       {"cniArgs", std::move(args)}, {"result", result}};
  write_private_file(fs::path("/var/lib/cni/results") / ("cbr0-" + pod.container_id + "-eth0"),
                     cached.dump());
}

}  // namespace holdfast::test
