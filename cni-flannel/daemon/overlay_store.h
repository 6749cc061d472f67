#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/former_underlay.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Whose state it is. Another node name or machine-id means a cloned disk, and the state is discarded. The
/// cluster may be unknown (empty) until the API server was first reached.
struct StoreOwner {
  std::string cluster_id;  ///< uid of the namespace kube-system
  std::string node_name;
  std::string machine_id;

  bool operator==(const StoreOwner&) const = default;
};

/// For how long nodes were gone when that was stored, by name.
using GoneFor = std::map<std::string, std::chrono::seconds>;

/// All that flanneld must know to bring the overlay up with no API server.
struct OverlayState {
  std::string cluster_id;          ///< empty: not known yet
  std::optional<NodeNetwork> own;  ///< our lease: pod CIDRs, public addresses and, as backend data, VTEP MACs
  std::vector<NodeNetworkObject> peers;
  std::string resource_version;  ///< of the last authoritative list; empty: none yet
  std::uint32_t mtu = 0;         ///< of the pods, as it was last; 0: not known
  bool crd_seen = false;         ///< the cluster has NodeNetworkConfigurations: never back to annotations
  std::string checksum_broken_with = {};  ///< as OffloadKeeper::remembers()
  FormerUnderlay former_underlay = {};    ///< where the default route does not tell the interface
  GoneFor gone = {};                      ///< peers that wait for their removal delay to end

  bool operator==(const OverlayState&) const = default;
};

/// Whose state lies in the folder; nullopt when there is none, or none that can be read. Changes nothing.
/// Errors: errno of a read that failed.
Result<std::optional<StoreOwner>> stored_owner(Files& files, const std::filesystem::path& state_dir);

/// Keeps an OverlayState at <state_dir>/overlay.json, mode 0600, beside the bindings of the CNI plugin, and
/// the state before it at overlay.json.before: a node whose disk loses a byte boots with no cloud all the
/// same. Below the envelope of state_file.h each line is one JSON text, so that reading holds one peer at a
/// time:
///
///     {"clusterID":..,"nodeName":..,"machineID":..,"resourceVersion":..,"crdSeen":..,"ownLease":..,
///      "mtu":..,"checksumBrokenWith":..,"gone":{NAME: SECONDS, ..},
///      "formerUnderlay":{"interface":..,"addresses":[..],"publicIP":..,"publicIPv6":..}}
///     a NodeNetworkConfiguration                 our own lease, if there is one
///     a NodeNetworkConfiguration                 one a peer
///
/// One program writes it. Not thread-safe.
class OverlayStore {
 public:
  /// What was found, and what is to be told of it.
  struct Loaded {
    OverlayState state;              ///< empty when there was none, or none that is ours
    std::vector<std::string> notes;  ///< damage, foreign state, peers that could not be read
  };

  /// `files` outlives the store. `owner.cluster_id` is not looked at.
  OverlayStore(Files& files, const std::filesystem::path& state_dir, StoreOwner owner);

  /// State of another node or machine is no state; the next save replaces it. A damaged file is moved aside,
  /// and the state before it counts, as it does where a save was cut short between the two; one peer that
  /// cannot be read is left out, and both are told in the notes. Errors: errno of a read that failed, which
  /// says nothing about the content.
  Result<Loaded> load();

  /// Durable on return; the old state stays when it fails. Does nothing when the state is what was loaded or
  /// saved last. Errors: errno (kResourceExhausted: disk full, kPermissionDenied: read-only).
  Status save(const OverlayState& state);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Status put_aside();
  Status make_first_before(const std::string& content);

  Files& files_;
  std::filesystem::path path_;
  std::filesystem::path before_;
  StoreOwner owner_;
  std::string saved_digest_;  // of the content that is in the file; empty: not known
};

}  // namespace holdfast::flannel
