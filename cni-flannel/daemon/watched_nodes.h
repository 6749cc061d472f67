#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/annotation_keys.h"
#include "cni-flannel/daemon/lease_source.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/event_loop.h"
#include "common/base/json.h"
#include "common/kube/http.h"
#include "common/kube/watcher.h"

namespace holdfast::flannel {

/// What the API server's paths call the two kinds of objects that tell of nodes.
[[nodiscard]] kube::Resource node_networks();
[[nodiscard]] kube::Resource nodes();

/// How an object of one kind is read.
struct NodeDecoder {
  kube::Resource resource;
  kube::KeptFields kept;
  /// What of an object its table shows; empty: whole objects are asked for.
  std::vector<kube::TableColumn> columns;
  std::string row_base;
  /// nullopt: it tells of no node that we could reach.
  std::function<Result<std::optional<NodeNetworkObject>>(const JsonObject&)> decode;
};
/// NodeNetworkConfigurations.
[[nodiscard]] NodeDecoder node_network_decoder();
/// Nodes with upstream's annotations, and the node `own` also without them.
[[nodiscard]] NodeDecoder node_decoder(AnnotationKeys keys, std::string own);

/// The nodes of a cluster by one kind of object, followed with a kube::Watcher.
class WatchedNodes final : public kube::WatchConsumer {
 public:
  struct Callbacks {
    std::function<void(NodeNetworkObject)> put{};
    std::function<void(const kube::ObjectId&)> removed{};
    std::function<void()> listed{};  ///< names() is all that there are
    std::function<void(const std::string& resource_version)> position{};
    std::function<void()> health{};  ///< trouble() has changed
    /// The object of the node itself, as it came.
    std::function<void(const JsonObject&)> own{};
  };

  /// What was seen of the cluster before.
  struct Past {
    std::string position{};  ///< the last one, or empty
    bool resumes = false;    ///< goes on from there, without a list
  };

  /// `loop` and `http` outlive it.
  WatchedNodes(EventLoop& loop, kube::Http& http, NodeDecoder decoder, std::string own, Callbacks callbacks,
               const Past& past, std::uint64_t seed);
  WatchedNodes(const WatchedNodes&) = delete;
  WatchedNodes& operator=(const WatchedNodes&) = delete;
  ~WatchedNodes() override = default;

  void start() { watcher_->start(); }
  /// Of all objects seen, usable or not. All that there are, when is_whole().
  [[nodiscard]] const NodeNames& names() const { return names_; }
  [[nodiscard]] bool is_whole() const { return whole_; }
  /// Why nothing new can be read now; empty when it can.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  /// Which objects cannot be used, and why; empty when all can.
  [[nodiscard]] std::string unusable() const;

 private:
  void list_begun() override;
  void put(const kube::ObjectId& id, const nlohmann::json& object) override;
  void removed(const kube::ObjectId& id) override;
  void list_read() override;
  void list_authoritative() override;
  void version(const std::string& resource_version) override;
  void connected() override;
  void trouble(const Error& error) override;

  void set_trouble(const std::string& trouble);
  void set_unusable(const std::string& name, const std::string& why);

  NodeDecoder decoder_;
  std::string own_;
  Callbacks callbacks_;
  NodeNames names_;
  bool whole_ = false;
  bool listing_ = false;  // what cannot be used is told when the list is read
  std::string trouble_ = "no answer yet";
  std::map<std::string, std::string> unusable_;  // why, by name
  std::unique_ptr<kube::Watcher> watcher_;
};

}  // namespace holdfast::flannel
