#include "egw-gateway/controller/pool_objects.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/json.h"
#include "common/base/sha.h"
#include "common/kube/names.h"
#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

constexpr const char* kCore = "egw-core";
constexpr const char* kHelper = "egw-helper";
constexpr const char* kKeysPath = "/etc/egw/keys";
constexpr const char* kLivenessPath = "/etc/egw/liveness";
constexpr const char* kCoreState = "/var/lib/egw-core";
constexpr const char* kKeyFile = "private-key";
constexpr const char* kLivenessFile = "keys";
constexpr std::size_t kChecksumDigits = 16;
constexpr const char* kMachineId = "/etc/machine-id";
constexpr int kSecretMode = 0400;
constexpr int kStopSeconds = 10;
// A new pod answers access points at once, and is heard by the nodes when they have been told of its address.
// Before that it is not ready: a disruption budget counts readiness, and knows no minReadySeconds.
constexpr int kToldSeconds = 15;
// Once it has a way nodes ask it within a second or two, and take it when it has been up for 3 s.
constexpr int kHeardSeconds = 5;
constexpr int kHelperStopSeconds = 30;
// Of a pool's nodes some are always off, and each of those counts.
constexpr const char* kHelpersAtOnce = "10%";
constexpr int kHelperWellSeconds = 10;  // before the next ones are exchanged

json labels_of(const std::string& pool) { return {{kManagedByLabel, kController}, {kPoolLabel, pool}}; }

json pod_labels(const std::string& pool, const char* program) {
  json labels = labels_of(pool);
  labels[kProgramLabel] = program;
  return labels;
}

json selector_of(const std::string& pool, const char* program) {
  return {{"matchLabels", {{kPoolLabel, pool}, {kProgramLabel, program}}}};
}

json sealed(json object) {
  const std::string checksum = sha256_hex(dump_json(object)).substr(0, kChecksumDigits);
  object["metadata"]["annotations"][kWantedAnnotation] = checksum;
  return object;
}

json object_of(const char* version, const char* kind, const ObjectOptions& options, const std::string& pool,
               const std::string& name) {
  return {{"apiVersion", version},
          {"kind", kind},
          {"metadata", {{"name", name}, {"namespace", options.name_space}, {"labels", labels_of(pool)}}}};
}

json one_of(const char* key, const std::string& value) {
  return {{"key", key}, {"operator", "In"}, {"values", json::array({value})}};
}

/// Nodes with these that run Linux, and not those that are another cloud's, with no kernel of their own.
json on_nodes(json expressions) {
  expressions.push_back(one_of("kubernetes.io/os", "linux"));
  expressions.push_back(
      {{"key", "type"}, {"operator", "NotIn"}, {"values", json::array({"virtual-kubelet"})}});
  json term{{"matchExpressions", std::move(expressions)}};
  return {{"requiredDuringSchedulingIgnoredDuringExecution", {{"nodeSelectorTerms", json::array({term})}}}};
}

json apart_by_node(const std::string& pool) {
  json term{{"labelSelector", selector_of(pool, kCore)}, {"topologyKey", "kubernetes.io/hostname"}};
  return {{"requiredDuringSchedulingIgnoredDuringExecution", json::array({term})}};
}

json variable_of(const char* name, const char* field) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", field}}}}}};
}

json mount_of(const char* name, const char* path, bool read_only = false) {
  json out{{"name", name}, {"mountPath", path}};
  if (read_only) out["readOnly"] = true;
  return out;
}

json host_folder(const char* name, const char* path) {
  return {{"name", name}, {"hostPath", {{"path", path}, {"type", "DirectoryOrCreate"}}}};
}

json host_file(const char* name, const char* path, const char* type) {
  return {{"name", name}, {"hostPath", {{"path", path}, {"type", type}}}};
}

json secret_file(const char* name, const std::string& secret, const std::string& key, const char* file) {
  return {{"name", name},
          {"secret",
           {{"secretName", secret},
            {"defaultMode", kSecretMode},
            {"items", json::array({{{"key", key}, {"path", file}}})}}}};
}

json probe_of(const char* path) { return {{"httpGet", {{"path", path}, {"port", "health"}}}}; }

/// Of what is served on its own machine alone, so that a site's LAN does not read it.
json own_probe_of(const char* path, std::uint16_t port) {
  return {{"httpGet", {{"host", "127.0.0.1"}, {"path", path}, {"port", port}}}};
}

json all_tolerations() { return json::array({{{"operator", "Exists"}}}); }

/// A node that the cloud has not heard of is no reason to take its gateway away: the site may be cut off, and
/// its pods alone keep what still works. A node that is emptied is: unschedulable is not among them, or the
/// gateway would come back to it.
json core_tolerations(const std::set<std::string>& taints) {
  std::set<std::string> keys = taints;
  for (const char* key : {"not-ready", "unreachable", "network-unavailable", "memory-pressure",
                          "disk-pressure", "pid-pressure"}) {
    keys.insert(std::string("node.kubernetes.io/") + key);
  }
  keys.insert("apps.openyurt.io/taints");  // of pools' nodes
  keys.erase("node.kubernetes.io/unschedulable");
  json out = json::array();
  for (const std::string& key : keys) out.push_back({{"key", key}, {"operator", "Exists"}});
  return out;
}

/// Enough for a gateway to be counted: one that asks for nothing is the first to be ended on a node that runs
/// out of memory.
void add_needs(json& container, const ObjectOptions& options, const char* cpu, const char* memory) {
  container["imagePullPolicy"] = options.image_pull_policy;
  container["resources"] = {{"requests", {{"cpu", cpu}, {"memory", memory}}}};
}

json patient(json probe, int seconds) {
  probe["initialDelaySeconds"] = seconds;
  return probe;
}

// NET_RAW for kernels without nf_tables: iptables-legacy asks the kernel by a raw socket.
json core_container(const ObjectOptions& options, const std::string& pool, const std::string& gateway) {
  json out{
      {"name", kCore},
      {"image", options.image},
      {"command", json::array({kCore})},
      {"args", json::array({"--pool=" + pool, "--gateway=" + gateway,
                            std::string("--private-key=") + kKeysPath + "/" + kKeyFile,
                            std::string("--bfd-keys=") + kLivenessPath + "/" + kLivenessFile,
                            "--healthz=:" + std::to_string(kCoreHealthPort)})},
      {"env",
       json::array({variable_of("NODE_NAME", "spec.nodeName"), variable_of("POD_IPS", "status.podIPs")})},
      {"ports", json::array({{{"name", "health"}, {"containerPort", kCoreHealthPort}, {"protocol", "TCP"}}})},
      {"livenessProbe", probe_of("/healthz")},
      {"readinessProbe", patient(probe_of("/readyz"), kToldSeconds)},
      {"securityContext",
       {{"allowPrivilegeEscalation", false},
        {"capabilities", {{"drop", json::array({"ALL"})}, {"add", json::array({"NET_ADMIN", "NET_RAW"})}}}}},
      {"volumeMounts",
       json::array({mount_of("keys", kKeysPath, true), mount_of("liveness", kLivenessPath, true),
                    mount_of("state", kCoreState), mount_of("tun", "/dev/net")})}};
  add_needs(out, options, "50m", "128Mi");  // with wireguard-go, a process a tunnel
  return out;
}

// With NET_ADMIN alone /proc/sys is read-only and there is no TUN device.
json prepare_container(const ObjectOptions& options) {
  json out{{"name", "prepare"},
           {"image", options.image},
           {"command", json::array({kCore})},
           {"args", json::array({"--prepare"})},
           {"securityContext", {{"privileged", true}}},
           {"volumeMounts", json::array({mount_of("tun", "/dev/net")})}};
  add_needs(out, options, "10m", "16Mi");
  return out;
}

json core_pod(const ObjectOptions& options, const std::string& pool, const std::string& gateway,
              std::uint64_t key_number, const std::set<std::string>& taints) {
  return {
      {"serviceAccountName", kCore},
      {"priorityClassName", "system-node-critical"},
      {"terminationGracePeriodSeconds", kStopSeconds},
      {"tolerations", core_tolerations(taints)},
      {"affinity",
       {{"nodeAffinity",
         on_nodes(json::array({one_of(kube::kNodePoolLabel, pool), one_of(kArchLabel, kGatewayArch)}))},
        {"podAntiAffinity", apart_by_node(pool)}}},
      {"initContainers", json::array({prepare_container(options)})},
      {"containers", json::array({core_container(options, pool, gateway)})},
      {"volumes", json::array({secret_file("keys", keys_name(pool), key_name(gateway, key_number), kKeyFile),
                               secret_file("liveness", liveness_name(pool), kLivenessFile, kLivenessFile),
                               host_folder("state", kCoreState), host_folder("tun", "/dev/net")})}};
}

// With the host's machine-id, by which the host's own `egw-helper --once` knows the store at boot.
json helper_container(const ObjectOptions& options, const std::string& pool) {
  const std::string health = "127.0.0.1:" + std::to_string(kHelperHealthPort);
  json out{{"name", kHelper},
           {"image", options.image},
           {"command", json::array({kHelper})},
           {"args", json::array({"--pool=" + pool, "--node-name=$(NODE_NAME)",
                                 std::string("--bfd-keys=") + kLivenessPath + "/" + kLivenessFile,
                                 "--healthz=" + health})},
           {"env", json::array({variable_of("NODE_NAME", "spec.nodeName")})},
           {"livenessProbe", own_probe_of("/healthz", kHelperHealthPort)},
           {"readinessProbe", own_probe_of("/readyz", kHelperHealthPort)},
           {"securityContext", {{"privileged", true}}},
           {"volumeMounts",
            json::array({mount_of("liveness", kLivenessPath, true), mount_of("state", "/var/lib/egw"),
                         mount_of("no-masq", "/run/flannel/no-masq.d"), mount_of("lock", "/run/xtables.lock"),
                         mount_of("machine-id", kMachineId, true)})}};
  add_needs(out, options, "20m", "24Mi");
  return out;
}

json helper_pod(const ObjectOptions& options, const std::string& pool) {
  return {{"serviceAccountName", kHelper},
          {"priorityClassName", "system-node-critical"},
          {"terminationGracePeriodSeconds", kHelperStopSeconds},
          {"hostNetwork", true},
          {"dnsPolicy", "Default"},
          {"tolerations", all_tolerations()},
          {"affinity",
           {{"nodeAffinity",
             on_nodes(json::array({one_of(kube::kNodePoolLabel, pool),
                                   {{"key", kArchLabel},
                                    {"operator", "In"},
                                    {"values", json::array({kGatewayArch, "arm64"})}},  // as the image is
                                   {{"key", kube::kHostUnitsLabel}, {"operator", "DoesNotExist"}}}))}}},
          {"containers", json::array({helper_container(options, pool)})},
          {"volumes", json::array({secret_file("liveness", liveness_name(pool), kLivenessFile, kLivenessFile),
                                   host_folder("state", "/var/lib/egw"),
                                   host_folder("no-masq", "/run/flannel/no-masq.d"),
                                   host_file("lock", "/run/xtables.lock", "FileOrCreate"),
                                   host_file("machine-id", kMachineId, "File")})}};
}

}  // namespace

json edge_gateway_object(const std::string& pool, const EdgeGateway& spec, const Text& annotations) {
  EdgeGateway named = spec;
  named.pool = pool;
  named.uid.clear();
  named.resource_version.clear();
  named.generation = 0;
  json object = encode_edge_gateway(named);
  object["metadata"]["labels"] = labels_of(pool);
  object["metadata"]["annotations"] = annotations;
  return sealed(std::move(object));
}

json secret_object(const ObjectOptions& options, const std::string& pool, const std::string& name,
                   const Text& annotations, const Text& data) {
  json object = object_of("v1", "Secret", options, pool, name);
  object["metadata"]["annotations"] = annotations;
  object["type"] = "Opaque";
  object["data"] = data;
  return object;
}

json budget_object(const ObjectOptions& options, const std::string& pool) {
  json object = object_of("policy/v1", "PodDisruptionBudget", options, pool, pool);
  object["spec"] = {{"minAvailable", 1}, {"selector", selector_of(pool, kCore)}};
  return sealed(std::move(object));
}

// Recreate: two pods with one key would take the tunnel from each other.
json core_object(const ObjectOptions& options, const std::string& pool, const std::string& gateway,
                 std::uint64_t key_number, const std::set<std::string>& taints) {
  json labels = pod_labels(pool, kCore);
  labels[kGatewayLabel] = gateway;
  json selector = selector_of(pool, kCore);
  selector["matchLabels"][kGatewayLabel] = gateway;
  json object = object_of("apps/v1", "Deployment", options, pool, deployment_name(pool, gateway));
  object["spec"] = {{"replicas", 1},
                    {"minReadySeconds", kHeardSeconds},
                    {"revisionHistoryLimit", 2},
                    {"strategy", {{"type", "Recreate"}}},
                    {"selector", std::move(selector)},
                    {"template",
                     {{"metadata", {{"labels", std::move(labels)}}},
                      {"spec", core_pod(options, pool, gateway, key_number, taints)}}}};
  return sealed(std::move(object));
}

json helper_object(const ObjectOptions& options, const std::string& pool) {
  json object = object_of("apps/v1", "DaemonSet", options, pool, helper_name(pool));
  object["spec"] = {
      {"minReadySeconds", kHelperWellSeconds},
      {"updateStrategy",
       {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxUnavailable", kHelpersAtOnce}}}}},
      {"selector", selector_of(pool, kHelper)},
      {"template",
       {{"metadata", {{"labels", pod_labels(pool, kHelper)}}}, {"spec", helper_pod(options, pool)}}}};
  return sealed(std::move(object));
}

std::string wanted_of(const json& object) { return object["metadata"]["annotations"][kWantedAnnotation]; }

std::string key_name(const std::string& gateway, std::uint64_t number) {
  return gateway + "-" + std::to_string(number);
}

}  // namespace holdfast::gateway
