#include "cni-flannel/daemon/family_overlay.h"

#include <utility>
#include <variant>

#include "cni-flannel/daemon/vtep_mac.h"

namespace holdfast::flannel {
namespace {

// Above this the tables are read once and all is changed in few batches.
constexpr std::size_t kMostSingleChanges = 64;

std::string device_name(const VxlanDeviceSpec& spec) {
  return vxlan_device_name(spec.subnet.family(), spec.conf.vni);
}

}  // namespace

/// Corrects the MAC, or leaves it while it is contested.
Result<FamilyOverlay::DeviceNews> FamilyOverlay::put_device(const VxlanDeviceSpec& wanted) {
  device_ = wanted;
  device_right_ = false;
  VxlanDeviceSpec spec = wanted;
  HOLDFAST_TRY(const std::optional<MacAddress> there, device_vtep_mac(socket_, device_name(wanted)));
  const auto now = clock_.since_boot();
  const bool foreign = there && *there != wanted.mac;
  if (foreign && !contest_.may_correct(now)) {
    contest_.yielded(*there);
    spec.mac = *there;
  }
  HOLDFAST_TRY(VxlanDevice made, ensure_vxlan_device(socket_, spec));
  if (made.corrected) contest_.corrected(now);
  if (!foreign) contest_.settled(now);
  device_right_ = spec.mac == wanted.mac;
  link_ = std::move(made.link);
  return DeviceNews{made.created, std::move(made.replaced), made.corrected};
}

Result<FamilyOverlay::DeviceNews> FamilyOverlay::put_right(const VxlanDeviceSpec& device, WantedPeers wanted,
                                                           Strangers strangers) {
  failed_.clear();
  trouble_.clear();
  rejected_ = std::move(wanted.rejected);
  shared_ = std::move(wanted.shared);
  Result<DeviceNews> news = put_device(device);
  if (!news) {
    ++netlink_errors_;
    index_ = OverlayIndex({0, device.network}, std::move(wanted.peers));
    for (const WantedPeer& peer : index_.peers()) failed_[peer.node] = news.error().message;
    return news;
  }
  index_ = OverlayIndex({link_->index, device.network}, std::move(wanted.peers));
  const ReconcileReport report = reconcile_overlay(kernel_, index_.link(), index_.peers(), strangers);
  if (report.unread) {
    ++netlink_errors_;
    trouble_ = "the kernel's tables could not be read: " + report.unread->message;
  }
  take(report.applied);
  return news;
}

/// Of a report on the peers of index_.
void FamilyOverlay::take(const ApplyReport& report) {
  netlink_errors_ += report.failed.size() + report.leftovers.size();
  for (const ApplyReport::Failure& failure : report.failed) {
    failed_[index_.peers()[failure.peer].node] = failure.error.message;
  }
  if (!report.leftovers.empty()) {
    trouble_ = std::to_string(report.leftovers.size()) +
               " stale entries could not be removed: " + report.leftovers.front().message;
  }
}

void FamilyOverlay::put_peers(WantedPeers wanted, Strangers strangers) {
  rejected_ = std::move(wanted.rejected);
  shared_ = std::move(wanted.shared);
  OverlayIndex after(index_.link(), std::move(wanted.peers));
  const std::vector<PeerDifference> changes = differences(index_.peers(), after.peers());
  if (changes.size() > kMostSingleChanges) {
    index_ = std::move(after);
    failed_.clear();
    take(reconcile_overlay(kernel_, index_.link(), index_.peers(), strangers).applied);
    return;
  }
  for (const PeerDifference& change : changes) {
    const ApplyReport report = change_peer(kernel_, index_.link(), change.before, change.after);
    if (change.before != nullptr) failed_.erase(change.before->node);
    netlink_errors_ += report.failed.size() + report.leftovers.size();
    if (!report.failed.empty()) failed_[change.after->node] = report.failed.front().error.message;
    if (!report.leftovers.empty()) trouble_ = report.leftovers.front().message;
  }
  index_ = std::move(after);
}

/// By the link as it is now: an event may be of a moment in which we were making it.
bool FamilyOverlay::device_differs() {
  const Result<std::optional<nl::Link>> there = nl::find_link(socket_, device_name(*device_));
  if (!there || !*there || !link_) return true;
  const nl::Link& now = **there;
  return now.index != link_->index || now.mac != link_->mac || now.mtu != link_->mtu ||
         now.master != link_->master || !now.up || now.vxlan != link_->vxlan;
}

bool FamilyOverlay::contradicted_by(const nl::Event& event) {
  if (!device_) return false;
  if (const auto* link = std::get_if<nl::LinkEvent>(&event)) {
    const bool ours = link->link.name == device_name(*device_) || link->link.index == ifindex();
    return ours && device_differs();
  }
  if (const auto* address = std::get_if<nl::AddressEvent>(&event)) {
    return address->gone && address->address.ifindex == ifindex() &&
           address->address.cidr.address() == device_->subnet.first();
  }
  if (const auto* route = std::get_if<nl::RouteEvent>(&event)) return index_.contradicted_by(*route);
  if (const auto* entry = std::get_if<nl::NeighbourEvent>(&event)) return index_.contradicted_by(*entry);
  if (const auto* entry = std::get_if<nl::FdbEvent>(&event)) return index_.contradicted_by(*entry);
  return std::holds_alternative<nl::Resync>(event);
}

}  // namespace holdfast::flannel
