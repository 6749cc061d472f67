#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/kube/cluster_link.h"
#include "common/kube/events.h"
#include "csi-disk/controller/disk_controller.h"

namespace holdfast::disk {

/// The Event of a note: about the claim that the volume is made for. The claim's uid is that of the volume's
/// name, where that is as the provisioner makes it, "pvc-<uid>". nullopt when no claim is told.
[[nodiscard]] std::optional<kube::EventNote> event_of(const DiskNote& note);

/// Tells those who look at a claim (kubectl describe) what is to be known of its disk. Made and destroyed on
/// the loop's thread.
class ClaimEvents {
 public:
  /// `loop` outlives it. `host`: where the Events come from.
  ClaimEvents(EventLoop& loop, std::unique_ptr<kube::ClusterLink> link, std::string host);
  ClaimEvents(const ClaimEvents&) = delete;
  ClaimEvents& operator=(const ClaimEvents&) = delete;
  ~ClaimEvents() = default;

  /// From any thread, at once; nothing for a note without a claim.
  void tell(const DiskNote& note);
  /// Calls `done` when all is written, or after a moment.
  void end(const std::function<void()>& done);

 private:
  EventLoop& loop_;
  std::unique_ptr<kube::ClusterLink> link_;
  kube::EventRecorder recorder_;
  // Shared with what is posted to the loop, which does nothing once this is gone.
  std::shared_ptr<ClaimEvents*> self_;
};

}  // namespace holdfast::disk
