#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/kube/object_client.h"
#include "csi-lvm/cluster/cluster_state.h"

/// Calls of the controller that end when a node has done its part. Each looks at the cluster's state, does
/// one step of the protocol, and looks again when something has changed.
namespace holdfast::lvm {

/// One call. Belongs to the event loop. A call that is not done in its time ends with kAborted or
/// kUnavailable: the same call goes on from where it is.
class VolumeTask {
 public:
  /// All outlive it.
  struct Tools {
    EventLoop& loop;
    kube::ObjectClient& client;
    ClusterState& state;
  };
  using Done = std::function<void(Result<LogicalVolumeObject>)>;

  VolumeTask(const Tools& tools, std::chrono::nanoseconds patience, Done done);
  VolumeTask(const VolumeTask&) = delete;
  VolumeTask& operator=(const VolumeTask&) = delete;
  virtual ~VolumeTask() = default;

  void step();
  /// Ends it, unless it has.
  void give_up(Error error) {
    if (!ended_) fail_with(std::move(error));
  }
  [[nodiscard]] bool ended() const { return ended_; }

 protected:
  /// Does what is next, or nothing when it waits. A write that it begins ends before it is called again.
  virtual void look() = 0;
  /// Who keeps it waiting.
  [[nodiscard]] virtual std::string waits_for() const = 0;

  void end(Result<LogicalVolumeObject> result);
  void fail_with(Error error) { end(tl::unexpected(std::move(error))); }
  void create_object(const LogicalVolumeSpec& spec);
  /// Only in the state that is known of it.
  void patch_spec(const LogicalVolumeObject& object, const nlohmann::json& changes);
  /// Sets its deletionTimestamp. `removed` is called before the next look.
  void remove_object(const LogicalVolumeObject& object, std::function<void()> removed = {});
  [[nodiscard]] ClusterState& state() const { return tools_.state; }

 private:
  [[nodiscard]] kube::CallOptions options() const;
  void wrote(const Result<nlohmann::json>& kept);
  void look_again(std::chrono::nanoseconds delay);

  Tools tools_;
  Done done_;
  bool ended_ = false;
  bool out_of_time_ = false;
  kube::ObjectClient::CallPtr call_;
  EventLoop::Timer again_;
  EventLoop::Timer deadline_;
};

/// What a volume or snapshot is to be, and where.
struct VolumeWish {
  LogicalVolumeSpec spec{};  ///< without its node
  /// Where it may be, the best first. Asked again when the cluster has changed.
  std::function<std::vector<std::string>(const ClusterState&)> nodes{};
  bool predicted = true;  ///< whether the node's room is looked at before it is asked
};

/// CreateVolume and CreateSnapshot. Errors: kResourceExhausted when no node has room; kAlreadyExists; those
/// of the node.
class CreateTask final : public VolumeTask {
 public:
  CreateTask(const Tools& tools, VolumeWish wish, std::chrono::nanoseconds patience, Done done);

 private:
  void look() override;
  [[nodiscard]] std::string waits_for() const override;
  [[nodiscard]] LogicalVolumeSpec spec_on(const std::string& node) const;
  [[nodiscard]] CreateDecision decide(const std::string& node) const;
  bool remove_stray(const std::vector<std::string>& nodes);
  void choose(const std::vector<std::string>& nodes);
  void give_up_node(Error error);
  void take_step(const CreateDecision& next);

  VolumeWish wish_;
  std::string node_;  // chosen; empty: none is
  std::set<std::string> tried_;
  Error why_not_{};  // of the last node that was tried
};

/// DeleteVolume and DeleteSnapshot. One that is not there succeeds, and is the empty object. Errors:
/// kFailedPrecondition when it is in use, has thick snapshots, or two nodes have one of this name.
class RemoveTask final : public VolumeTask {
 public:
  RemoveTask(const Tools& tools, std::string volume, VolumeKind kind, std::chrono::nanoseconds patience,
             Done done);

 private:
  void look() override;
  [[nodiscard]] std::string waits_for() const override { return waits_for_; }
  Status begin();
  Status begin_with(const std::vector<const LogicalVolumeObject*>& found);
  Status adopt();
  bool take_step(const std::string& name);

  std::string volume_;
  VolumeKind kind_;
  bool begun_ = false;
  std::set<std::string> objects_;    // by name
  std::set<std::string> forgotten_;  // tombstones that nobody waits for: their node is told that they may go
  std::string waits_for_ = "the API server";
};

/// ControllerExpandVolume. Errors: kNotFound; kResourceExhausted; kOutOfRange; those of the node.
class GrowTask final : public VolumeTask {
 public:
  GrowTask(const Tools& tools, std::string volume, std::uint64_t required_bytes, std::uint64_t limit_bytes,
           std::chrono::nanoseconds patience, Done done);

 private:
  void look() override;
  [[nodiscard]] std::string waits_for() const override { return "the volume's node"; }
  void take_step(const LogicalVolumeObject& object);
  [[nodiscard]] Status has_room(const LogicalVolumeObject& object) const;

  std::string volume_;
  std::uint64_t required_bytes_;
  std::uint64_t limit_bytes_;
  std::optional<Error> failed_;  // to be answered when what was asked for is taken back
};

}  // namespace holdfast::lvm
