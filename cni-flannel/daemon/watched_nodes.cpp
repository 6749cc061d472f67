#include "cni-flannel/daemon/watched_nodes.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/node_annotations.h"
#include "cni-flannel/daemon/node_network_names.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kUnusableTold = 3;
constexpr const char* kRowBase =
    R"({"apiVersion":"net.holdfast.dev/v1alpha1","kind":"NodeNetworkConfiguration"})";
// Each watch costs the columns' names once more; one that has died unseen is noticed by TCP.
constexpr std::chrono::minutes kShortestWatch{60};
constexpr std::chrono::minutes kLongestWatch{120};

/// Our own Node tells our pod CIDRs before it has any annotation of ours.
Result<NodeNetworkObject> bare_node(const JsonObject& node, const AnnotationKeys& keys) {
  NodeNetworkObject out;
  HOLDFAST_TRY(out.identity, decode_identity(node));
  HOLDFAST_TRY(const JsonObject spec, node["spec"].object_or_empty());
  HOLDFAST_TRY(const Annotations annotations, annotations_of(node));
  out.network.node = out.identity.name;
  out.network.managed = false;
  HOLDFAST_TRY(out.network.pod_cidrs, decode_pod_cidrs(spec, "podCIDR"));
  HOLDFAST_TRY(out.network.public_ip_overwrite, address_annotation(annotations, keys.public_ip_overwrite));
  HOLDFAST_TRY(out.network.public_ipv6_overwrite,
               address_annotation(annotations, keys.public_ipv6_overwrite));
  return out;
}

/// node-public-ip stands in for an overwrite of the node itself.
Status take_node_public_ips(const JsonObject& node, const AnnotationKeys& keys, NodeNetwork& network) {
  HOLDFAST_TRY(const Annotations annotations, annotations_of(node));
  HOLDFAST_TRY(const auto v4, address_annotation(annotations, keys.node_public_ip));
  HOLDFAST_TRY(const auto v6, address_annotation(annotations, keys.node_public_ipv6));
  if (!network.public_ip_overwrite) network.public_ip_overwrite = v4;
  if (!network.public_ipv6_overwrite) network.public_ipv6_overwrite = v6;
  return {};
}

Result<std::optional<NodeNetworkObject>> decode_any_node(const JsonObject& node, const AnnotationKeys& keys,
                                                         const std::string& own) {
  HOLDFAST_TRY(std::optional<NodeNetworkObject> decoded, decode_node(node, keys));
  HOLDFAST_TRY(const ObjectIdentity identity, decode_identity(node));
  if (identity.name != own) return decoded;
  if (!decoded) {
    HOLDFAST_TRY(decoded, bare_node(node, keys));
  }
  HOLDFAST_CHECK(take_node_public_ips(node, keys, decoded->network));
  return decoded;
}

/// Of manifests/base/flannel/nodenetworkconfigurations.yaml.
std::vector<kube::TableColumn> columns() {
  return {{"Name", "/metadata/name"},
          {"UID", "/metadata/uid"},
          {"Pod-CIDR", "/spec/flannel/podCidr"},
          {"Pod-CIDR", "/spec/flannel/podCIDRs/0"},
          {"Pod-CIDR-2", "/spec/flannel/podCIDRs/1"},
          {"Address", "/spec/flannel/publicIP"},
          {"Address-IPv6", "/spec/flannel/publicIPv6"},
          {"Overwrite", "/spec/flannel/publicIPOverwrite"},
          {"Overwrite-IPv6", "/spec/flannel/publicIPv6Overwrite"},
          {"MAC", "/spec/flannel/backendData/VtepMAC"},
          {"VNI", "/spec/flannel/backendData/VNI"},
          {"MAC-IPv6", "/spec/flannel/backendV6Data/VtepMAC"},
          {"Backend", "/spec/flannel/backendType"},
          {"Managed", "/spec/flannel/subnetKubeManaged"},
          {"Epoch", "/spec/flannel/leaseEpoch"},
          {"Removed-At", "/spec/removedAt"}};
}

}  // namespace

kube::Resource node_networks() {
  return {.group = std::string(kNodeNetworkGroup),
          .version = std::string(kNodeNetworkVersion),
          .plural = std::string(kNodeNetworkPlural)};
}

kube::Resource nodes() { return {.version = "v1", .plural = "nodes"}; }

NodeDecoder node_network_decoder() {
  return {node_networks(),
          {"apiVersion", "metadata.generation", "spec"},
          columns(),
          kRowBase,
          [](const JsonObject& object) -> Result<std::optional<NodeNetworkObject>> {
            HOLDFAST_TRY(NodeNetworkObject decoded, decode_node_network(object));
            return decoded;
          }};
}

NodeDecoder node_decoder(AnnotationKeys keys, std::string own) {
  return {nodes(),
          {"metadata.annotations", "spec.podCIDR", "spec.podCIDRs", "status.conditions"},
          {},
          "{}",
          [keys = std::move(keys), own = std::move(own)](const JsonObject& object) {
            return decode_any_node(object, keys, own);
          }};
}

WatchedNodes::WatchedNodes(EventLoop& loop, kube::Http& http, NodeDecoder decoder, std::string own,
                           Callbacks callbacks, const Past& past, std::uint64_t seed)
    : decoder_(std::move(decoder)), own_(std::move(own)), callbacks_(std::move(callbacks)) {
  kube::WatchOptions options{.resource = decoder_.resource, .kept = decoder_.kept};
  options.columns = decoder_.columns;
  options.row_base = decoder_.row_base;
  options.known_version = past.position;
  if (past.resumes) options.resume_from = past.position;
  options.shortest_watch = kShortestWatch;
  options.longest_watch = kLongestWatch;
  watcher_ = std::make_unique<kube::Watcher>(loop, http, std::move(options), *this, seed);
}

void WatchedNodes::list_begun() {
  names_.clear();
  unusable_.clear();
  whole_ = false;
  listing_ = true;
}

void WatchedNodes::put(const kube::ObjectId& id, const nlohmann::json& object) {
  names_.insert(id.name);
  const JsonObject fields(&object, "");
  Result<std::optional<NodeNetworkObject>> decoded = decoder_.decode(fields);
  set_unusable(id.name, decoded ? "" : decoded.error().message);
  if (decoded && *decoded) callbacks_.put(**std::move(decoded));
  if (id.name == own_) callbacks_.own(fields);
}

void WatchedNodes::removed(const kube::ObjectId& id) {
  if (const auto found = names_.find(id.name); found != names_.end()) names_.erase(found);
  set_unusable(id.name, "");
  callbacks_.removed(id);
}

void WatchedNodes::list_read() {
  listing_ = false;
  trouble_.clear();
  callbacks_.health();
}

void WatchedNodes::list_authoritative() {
  whole_ = true;
  callbacks_.listed();
}

void WatchedNodes::version(const std::string& resource_version) { callbacks_.position(resource_version); }

void WatchedNodes::connected() { set_trouble(""); }

void WatchedNodes::trouble(const Error& error) { set_trouble(error.message); }

void WatchedNodes::set_trouble(const std::string& trouble) {
  if (trouble == trouble_) return;
  trouble_ = trouble;
  callbacks_.health();
}

void WatchedNodes::set_unusable(const std::string& name, const std::string& why) {
  const auto found = unusable_.find(name);
  if (why == (found == unusable_.end() ? "" : found->second)) return;
  if (why.empty()) {
    unusable_.erase(found);
  } else {
    unusable_[name] = why;
  }
  if (!listing_) callbacks_.health();
}

std::string WatchedNodes::unusable() const {
  std::string out;
  std::size_t told = 0;
  for (const auto& [name, why] : unusable_) {
    if (told++ == kUnusableTold) {
      return out + "; and " + std::to_string(unusable_.size() - kUnusableTold) + " more";
    }
    out += (out.empty() ? "" : "; ") + why;
  }
  return out;
}

}  // namespace holdfast::flannel
