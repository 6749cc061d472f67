#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/kernel_forwarding.h"
#include "cni-flannel/daemon/mac_contest.h"
#include "cni-flannel/daemon/overlay_index.h"
#include "cni-flannel/daemon/vxlan_device.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/netlink/monitor.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// One family's overlay in the kernel: its device, and the entries of its peers. Knows what it left there, so
/// that a change of one peer touches that peer only.
class FamilyOverlay {
 public:
  /// What was done to make the device right, for the log.
  struct DeviceNews {
    bool created = false;
    std::string replaced;                 ///< why it was made anew
    std::optional<MacAddress> corrected;  ///< the MAC that somebody had given it
  };

  /// `socket` and `clock` outlive it.
  FamilyOverlay(nl::Socket& socket, Clock& clock) : socket_(socket), kernel_(socket), clock_(clock) {}

  /// Makes device and entries be as told, by what the kernel has. A MAC that is contested is left as it is,
  /// and all else made right. Errors: of the device; the peers' are in failed().
  Result<DeviceNews> put_right(const VxlanDeviceSpec& device, WantedPeers wanted, Strangers strangers);
  /// The device is there, and other peers are wanted. Entries of peers that are as they were are not touched.
  void put_peers(WantedPeers wanted, Strangers strangers);

  /// Whether an event of the kernel's tells that put_right() has something to do.
  [[nodiscard]] bool contradicted_by(const nl::Event& event);

  /// The device is there with its MAC and is up.
  [[nodiscard]] bool device_right() const { return device_right_; }
  [[nodiscard]] int ifindex() const { return index_.link().ifindex; }
  [[nodiscard]] const std::vector<WantedPeer>& peers() const { return index_.peers(); }
  /// Peers that the kernel does not have as wanted, by node, with the reason.
  [[nodiscard]] const std::map<std::string, std::string>& failed() const { return failed_; }
  /// Nodes that must not be programmed, with the reason.
  [[nodiscard]] const std::vector<RejectedPeer>& rejected() const { return rejected_; }
  [[nodiscard]] const std::vector<SharedAddress>& shared() const { return shared_; }
  /// What is wrong beside that: tables that could not be read, entries that could not be removed.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] const MacContest& contest() const { return contest_; }
  [[nodiscard]] std::size_t netlink_errors() const { return netlink_errors_; }

 private:
  Result<DeviceNews> put_device(const VxlanDeviceSpec& wanted);
  void take(const ApplyReport& report);
  [[nodiscard]] bool device_differs();

  nl::Socket& socket_;
  KernelForwarding kernel_;
  Clock& clock_;
  std::optional<VxlanDeviceSpec> device_;  // what was told last
  std::optional<nl::Link> link_;           // as it was left
  bool device_right_ = false;
  OverlayIndex index_;
  MacContest contest_;
  std::map<std::string, std::string> failed_;
  std::vector<RejectedPeer> rejected_;
  std::vector<SharedAddress> shared_;
  std::string trouble_;
  std::size_t netlink_errors_ = 0;
};

}  // namespace holdfast::flannel
