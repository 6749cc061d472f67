#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/lease_source.h"
#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// A source that cannot be made yet: no credentials are there, as a volume comes late or a file was emptied
/// by a power cut. A node that has a stored lease runs by it meanwhile; what is missing is told as the
/// source's health and tried again, with growing waits. One without lease is of no use: start() fails.
class PatientSource final : public LeaseSource {
 public:
  using Make = std::function<Result<std::unique_ptr<LeaseSource>>()>;

  /// `loop` outlives it.
  PatientSource(EventLoop& loop, Make make, std::uint64_t seed);

  Status start(LeaseConsumer& consumer) override;
  void publish(const NodeNetwork& own, const NodeNetworkStatus& status) override;
  void tell(const std::vector<Condition>& conditions) override;
  void look_again() override;
  void refuse(const Condition& why, std::function<void()> done) override;

 private:
  Status try_to_start();
  void try_again();

  EventLoop& loop_;
  Make make_;
  Backoff retry_;
  LeaseConsumer* consumer_ = nullptr;
  std::unique_ptr<LeaseSource> source_;
  std::optional<std::pair<NodeNetwork, NodeNetworkStatus>> published_;  // while there is no source
  std::vector<Condition> told_;                                         // as well
  EventLoop::Timer next_;
};

}  // namespace holdfast::flannel
