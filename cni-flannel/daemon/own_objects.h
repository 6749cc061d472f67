#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/annotation_keys.h"
#include "cni-flannel/daemon/node_annotations.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/json.h"
#include "common/kube/object_client.h"

namespace holdfast::flannel {

/// What this node writes of itself to the API server: its NodeNetworkConfiguration (server-side apply; status
/// by merge patch), once told to, and always the annotations of its Node (for peers that run upstream), with
/// the condition NetworkUnavailable.
///
/// Reads before it writes, and writes only what is not there as wanted; so a restart writes nothing. Of what
/// it reads it tells our pod CIDRs, the operator's overwrites and flannel-controller's conditions. The rows
/// by which a watch tells of our object have no status: those conditions are read when a change has settled.
///
///     read object, read Node  ->  apply object  ->  annotations  ->  status    one after the other, again
///                                                                              when something differs
class OwnObjects {
 public:
  static constexpr std::chrono::minutes kStatusEvery{10};  ///< between writes of the status
  /// Between an apply and the next for the same content, in case another fights for it.
  static constexpr std::chrono::seconds kRepeatApply{60};
  static constexpr std::chrono::hours kLookAtNode{1};  ///< whether it is still the same, with our annotations

  struct Callbacks {
    std::function<void(NodeNetworkObject)> told{};                ///< what the cluster says of us
    std::function<void(const std::vector<Condition>&)> judged{};  ///< and what flannel-controller does
    std::function<void(const std::string&)> trouble{};            ///< empty: none any more
  };

  /// `loop` and `client` outlive it. `set_condition`: NetworkUnavailable is written too.
  OwnObjects(EventLoop& loop, kube::ObjectClient& client, std::string node, AnnotationKeys keys,
             bool set_condition, Callbacks callbacks, std::uint64_t seed);
  OwnObjects(const OwnObjects&) = delete;
  OwnObjects& operator=(const OwnObjects&) = delete;
  ~OwnObjects();

  /// Before it nothing is read or written. `settles`: before the first write of the status, and between a
  /// change of our object and a look at flannel-controller's conditions.
  void start(std::chrono::milliseconds settles);
  enum class NodeTold : std::uint8_t {
    kNever,      ///< it is read, now and then
    kByList,     ///< all Nodes are listed and watched: node_told() comes
    kByChanges,  ///< a watch goes on from where it was: what is there already is read once
  };
  /// How our Node is known. At first it is read.
  void set_node_told(NodeTold how);
  /// From now on also the NodeNetworkConfiguration.
  void use_object();
  void publish(const NodeNetwork& own, const NodeNetworkStatus& status);

  /// What a watch tells of them.
  void node_told(const JsonObject& node);
  void object_told(const NodeNetworkObject& object);
  void object_gone();
  /// An object as the cluster has it, with our pod CIDRs as the Node has them.
  [[nodiscard]] NodeNetworkObject completed(NodeNetworkObject object) const;

 private:
  struct Known;
  using Step = void (OwnObjects::*)();

  void step();
  [[nodiscard]] Step next_step() const;
  void read_object();
  void read_node();
  void read_judgement();
  void apply_object();
  void patch_node();
  void write_status();

  void object_read(Result<nlohmann::json> read);
  void tell_judgement(const JsonObject& object);
  void node_read(const Result<nlohmann::json>& read);
  void node_metadata_read(const Result<nlohmann::json>& read);
  void look_at_node_later();
  void look_at_judgement_later();
  [[nodiscard]] bool knows_pod_cidrs() const;
  [[nodiscard]] nlohmann::json wanted_object() const;
  [[nodiscard]] bool object_differs() const;
  [[nodiscard]] bool node_differs() const;
  [[nodiscard]] bool status_differs() const;
  void ended(const Status& how, const std::string& what);
  void step_after(std::chrono::nanoseconds delay);
  [[nodiscard]] std::chrono::nanoseconds now() const { return loop_.clock().since_boot(); }

  EventLoop& loop_;
  kube::ObjectClient& client_;
  std::string node_;
  AnnotationKeys keys_;
  bool set_condition_;
  Callbacks callbacks_;
  Backoff backoff_;
  std::unique_ptr<Known> known_;
  bool started_ = false;
  NodeTold node_told_ = NodeTold::kNever;
  bool uses_object_ = false;
  std::optional<NodeNetwork> wanted_;
  NodeNetworkStatus wanted_status_;
  std::chrono::milliseconds settles_{};
  std::chrono::nanoseconds status_not_before_{};
  kube::ObjectClient::CallPtr call_;
  EventLoop::Timer next_;
  EventLoop::Timer look_at_node_;
  EventLoop::Timer look_at_judgement_;
};

}  // namespace holdfast::flannel
