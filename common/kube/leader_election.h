#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/kube/object_client.h"

namespace holdfast::kube {

struct LeaderOptions {
  std::string name_space{};  ///< of the Lease
  std::string name{};
  std::string identity{};  ///< of no other process, also of none that was: host and a random part
  /// How long after it was last seen renewed others leave a lease alone. Whole seconds.
  std::chrono::seconds lease{15};
  /// How long after the last renewal was begun a leader goes on. Less than `lease`: the difference pays for
  /// clocks that run unequally fast and for the time that stopping takes.
  std::chrono::milliseconds lead{10'000};
  std::chrono::milliseconds retry{2'000};  ///< between looks at the lease, of all and also of the leader
};

/// One of several processes leads: the one that holds a Lease (coordination.k8s.io/v1).
///
/// At most one acts at a time. A leader's time is counted from before its renewal was sent, those of others
/// from after they saw it, each by its own clock that does not jump and counts while the machine sleeps; no
/// time that another wrote is ever compared. A leader that was stopped or cut off for longer has ceased to
/// lead when it looks again: ask leads() before each act that two must not do.
///
///     looks --free or expired: taken--> leads --not renewed for `lead`, or another holds it--> looks
///
/// Source: https://kubernetes.io/docs/concepts/architecture/leases/
class LeaderElection {
 public:
  struct Callbacks {
    std::function<void()> started{};  ///< we lead
    std::function<void()> stopped{};  ///< not any more: stop acting now
    std::function<void(const Error&)> trouble{};
  };

  /// `loop` and `client` outlive it. Callbacks come from the loop and must not end it. `seed`: another for
  /// every process.
  LeaderElection(EventLoop& loop, ObjectClient& client, LeaderOptions options, Callbacks callbacks,
                 std::uint64_t seed);
  LeaderElection(const LeaderElection&) = delete;
  LeaderElection& operator=(const LeaderElection&) = delete;
  /// Says nothing to the server: others wait for the lease to expire.
  ~LeaderElection();

  void start();
  [[nodiscard]] bool leads() const;
  /// Ceases to lead at once, and frees the lease for others; `done` comes when that was tried. Nothing more
  /// happens until start().
  void resign(std::function<void()> done);

 private:
  struct Lease;

  void step();
  void look();
  void looked(Result<nlohmann::json> found);
  void write();
  void wrote(std::chrono::nanoseconds sent, Result<nlohmann::json> kept);
  void release(Result<nlohmann::json> found, std::function<void()> done);
  void observe(std::optional<nlohmann::json> lease);
  [[nodiscard]] nlohmann::json lease_or_empty() const;
  [[nodiscard]] bool is_free() const;
  [[nodiscard]] nlohmann::json claim(const std::string& holder) const;
  void lead_until(std::chrono::nanoseconds end);
  void cease();
  void again();

  EventLoop& loop_;
  ObjectClient& client_;
  LeaderOptions options_;
  Callbacks callbacks_;
  Backoff spread_;
  std::unique_ptr<Lease> seen_;
  bool leading_ = false;
  std::chrono::nanoseconds leads_until_{};
  ObjectClient::CallPtr call_;
  EventLoop::Timer next_;
  EventLoop::Timer end_;
};

}  // namespace holdfast::kube
