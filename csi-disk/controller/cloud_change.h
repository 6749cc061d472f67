#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/cloud/call_error.h"
#include "csi-disk/controller/budget.h"

namespace holdfast::disk {

/// Whether the cloud has refused because it does something else to the thing.
[[nodiscard]] bool is_in_use(const cloud::CallError& error);

/// Something that a cloud is asked to do to a disk until it takes it, and that is waited for from then on.
/// While the cloud does something else to the disk or the node, and refuses it for that, it is asked again.
class CloudChange {
 public:
  /// `what` for people: "growing disk d-1 to 40 GiB". `budget` outlives it.
  CloudChange(std::string what, const Budget& budget)
      : what_(std::move(what)), budget_(budget), since_(budget.now()) {}

  /// Whether the cloud has taken it.
  [[nodiscard]] bool taken() const { return taken_; }
  /// What the cloud answered when it was asked. Errors: its refusal, unless is_in_use().
  cloud::Done answered(cloud::Done done);
  /// Before the next look, or until it is asked again. False: no time is left for that.
  [[nodiscard]] bool wait() const {
    return refused_ ? budget_.wait_to_ask_again(since_) : budget_.wait(since_);
  }
  /// Of one that is not done when no time is left: kAborted, with the cloud's last refusal when it has not
  /// taken it.
  [[nodiscard]] tl::unexpected<Error> unfinished() const;

 private:
  std::string what_;
  const Budget& budget_;
  std::chrono::nanoseconds since_;  // when it was taken, or refused first, or thought of
  bool taken_ = false;
  std::optional<cloud::CallError> refused_;  // the last time, and not taken since
};

/// kAborted: "<what> is under way: ask again".
[[nodiscard]] tl::unexpected<Error> under_way(std::string_view what);

}  // namespace holdfast::disk
