#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/flags.h"
#include "common/kube/object_client.h"
#include "csi-lvm/cluster/node_storage.h"
#include "csi-lvm/cluster/volume_object.h"

namespace holdfast::lvm {

/// What is known of a node that is to be forgotten.
struct LostNode {
  std::vector<LogicalVolumeObject> volumes{};
  std::optional<NodeStorageObject> storage{};
  /// There is a Node of this name that is not tainted out-of-service: it may come back by itself.
  bool may_live = false;
};

/// A node that will not come back: what it has is looked at, and then its objects are taken away, with the
/// finalizers that nobody will drop. Belongs to the event loop.
class NodeForgetter {
 public:
  using Looked = std::function<void(Result<LostNode>)>;
  using Done = std::function<void(Status)>;

  /// `client` outlives it.
  NodeForgetter(kube::ObjectClient& client, std::string node);
  NodeForgetter(const NodeForgetter&) = delete;
  NodeForgetter& operator=(const NodeForgetter&) = delete;
  ~NodeForgetter() = default;

  void look(Looked looked);
  /// After look(). Objects are deleted, and then lose our finalizer. Ends with the first failure: called
  /// again it goes on. Errors: kFailedPrecondition when the node may live.
  void forget(Done done);

 private:
  void list_read(const Result<nlohmann::json>& list);
  void storage_read(const Result<nlohmann::json>& storage);
  void node_read(const Result<nlohmann::json>& node);
  void next();
  void drop_finalizer(const LogicalVolumeObject& object);
  void remove_storage();
  void fail_with(const Error& error);

  kube::ObjectClient& client_;
  std::string node_;
  LostNode found_;
  std::deque<LogicalVolumeObject> left_;
  Looked looked_;
  Done done_;
  kube::ObjectClient::CallPtr call_;
};

/// In words, for people: each volume with its size, whether it was used, and what becomes of it.
[[nodiscard]] std::string describe(const std::string& node, const LostNode& lost);

/// What a run leaves to be printed.
struct CommandAnswer {
  int status = 0;     ///< 0: done; 1: not done; 2: wrong arguments
  std::string out{};  ///< standard output
  std::string error{};
};

/// The command `holdfast node forget NODE [--lose-volumes] [--kubeconfig FILE]`: lists what is lost with the
/// node, and takes its objects away when the flag says so. `arguments` begin with "node".
[[nodiscard]] CommandAnswer answer_node_command(Files& files, Clock& clock,
                                                std::span<const std::string> arguments,
                                                const Flags::Lookup& environment);

}  // namespace holdfast::lvm
