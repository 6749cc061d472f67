#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/daemon/daemon_metrics.h"
#include "cni-flannel/daemon/family_overlay.h"
#include "cni-flannel/daemon/former_underlay.h"
#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/underlay.h"
#include "common/base/log.h"

namespace holdfast::flannel {

/// What the kernel is to hold for the overlay, in both families: chooses the external interface, and makes
/// devices and tables be as lease and peers tell. What fails in one family or of one peer stops no other.
class OverlayKeeper {
 public:
  /// What it works with; all outlives it.
  struct Tools {
    nl::Socket& socket;
    Clock& clock;
    Logger& log;
    Conditions& conditions;
    DaemonMetrics& metrics;
  };
  OverlayKeeper(const Tools& tools, NetConf conf, UnderlayChoice choice, bool blackhole);

  /// What was stored; of no effect where flags decide. Nothing is known: the default route counts again.
  void recall_former(FormerUnderlay former);
  /// To be stored.
  [[nodiscard]] const FormerUnderlay& former() const { return former_; }
  /// Nothing of ours was here before: goes on by the interface that a flannel's devices send by, if they are
  /// those of `published`, what the source tells of this node. Errors: the kernel's.
  Status take_former(const NodeNetwork& published);
  /// Chooses the external interface by the kernel's tables. Errors: as choose_underlay(), the kernel's.
  Status find_underlay();
  /// As found last; nullptr: none.
  [[nodiscard]] const Underlay* underlay() const { return underlay_ ? &*underlay_ : nullptr; }
  /// What was read for that.
  [[nodiscard]] const UnderlayTables& tables() const { return tables_; }
  /// MAC of the family's device, if there is one. Errors: the kernel's.
  [[nodiscard]] Result<std::optional<MacAddress>> device_mac(IpFamily family);
  /// Whether there is a device of either family. Errors: the kernel's.
  [[nodiscard]] Result<bool> has_device();

  /// Makes all be as told. `own` has pod CIDRs; find_underlay() succeeded. Returns whether all is right.
  bool put_right(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes, Strangers strangers);
  /// Whether the last put_right() left all devices as they should be, so that peers can be put.
  [[nodiscard]] bool is_set_up() const { return set_up_; }
  /// Other peers are wanted, all else is as it was. is_set_up(). Returns whether all is right.
  bool put_peers(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes, Strangers strangers);

  /// Whether an event of the kernel tells that put_right() may have something to do.
  [[nodiscard]] bool concerned_by(const nl::Event& event);
  /// When to look at a MAC that is contested again, since boot; nullopt: none is.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> next_contest_look() const;
  /// Names of the devices of the families in use.
  [[nodiscard]] std::vector<std::string> devices() const;
  /// As the kernel is to know them; empty for a family that is not in use.
  [[nodiscard]] std::span<const WantedPeer> peers(IpFamily family) const;
  /// From where the peers of all families send, in order, each once.
  [[nodiscard]] std::vector<IpAddress> peer_addresses() const;

 private:
  struct Family {
    Family(IpFamily of, const Tools& tools) : family(of), overlay(tools.socket, tools.clock) {}
    IpFamily family;
    FamilyOverlay overlay;
    std::size_t errors_told = 0;
    std::vector<SharedAddress> shared_told;
  };
  [[nodiscard]] const std::optional<AddressPool>& pool(IpFamily family) const;
  [[nodiscard]] Result<WantedPeers> wanted(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes,
                                           Family& family) const;
  [[nodiscard]] Result<VxlanDeviceSpec> device_of(const NodeNetwork& own, IpFamily family) const;
  Status put_family(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes, Family& family,
                    Strangers strangers);
  Status put_blackhole(const NodeNetwork& own);
  /// In log and metrics, what was done to the device.
  void tell_device(const Family& family, const FamilyOverlay::DeviceNews& news);
  /// The conditions of the peers and the contest, and the metrics, as the families are now. Returns whether
  /// every peer is programmed.
  bool tell_conditions();
  void tell_metrics();
  /// In the log, once: public addresses that several peers have.
  void tell_shared(Family& family);
  [[nodiscard]] bool underlay_concerned_by(const nl::Event& event) const;

  Tools tools_;
  NetConf conf_;
  UnderlayChoice choice_;
  FormerUnderlay former_;
  bool blackhole_;
  std::optional<Underlay> underlay_;
  UnderlayTables tables_;                          // as read last: with DirectRouting the routes decide
  std::vector<std::unique_ptr<Family>> families_;  // those in use
  bool set_up_ = false;
};

}  // namespace holdfast::flannel
