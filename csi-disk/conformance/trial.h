#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "csi-disk/conformance/conformance.h"

namespace holdfast::disk {

/// A value, or what a backend did that it must not.
template <class T>
using Seen = tl::expected<T, std::string>;
using Verdict = Seen<void>;

[[nodiscard]] inline tl::unexpected<std::string> broken(std::string what) {
  return tl::unexpected(std::move(what));
}

/// What an answer holds that must not be an error.
template <class T>
[[nodiscard]] Seen<T> must(cloud::Answer<T> answer, std::string_view what) {
  if (answer) {
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return *std::move(answer);
    }
  }
  return broken(std::string(what) + ": " + std::string(cloud::to_string(answer.error().end)) + ", " +
                answer.error().message);
}

[[nodiscard]] inline Verdict expect(bool kept, std::string what) {
  return kept ? Verdict{} : Verdict(broken(std::move(what)));
}

/// A refusal as `wanted`.
template <class T>
[[nodiscard]] Verdict refused(const cloud::Answer<T>& answer, cloud::Refusal wanted, std::string_view what) {
  if (answer) return broken(std::string(what) + " succeeded");
  const cloud::CallError& error = answer.error();
  const bool as_wanted = error.end == cloud::CallEnd::kRefused && cloud::refusal_of(error.code) == wanted;
  return expect(as_wanted, std::string(what) +
                               " ended otherwise: " + std::string(cloud::to_string(error.end)) +
                               " with code '" + error.code + "', " + error.message);
}
template <class T>
[[nodiscard]] Verdict absent(const cloud::Answer<T>& answer, std::string_view what) {
  if (answer) return broken(std::string(what) + " succeeded");
  const cloud::CallError& error = answer.error();
  return expect(error.end == cloud::CallEnd::kNoSuchThing && !error.code.empty(),
                std::string(what) + " is not told as 'no such thing' with a code: " +
                    std::string(cloud::to_string(error.end)) + ", " + error.message);
}

/// A backend on trial, and what was made of it so far. Thread-safe.
class Trial {
 public:
  Trial(DiskBackend& subject, Clock& time, const TrialPlan& what)
      : backend(subject), clock(time), plan(what) {}

  /// Another name (or token) at each call.
  [[nodiscard]] std::string fresh(std::string_view what);
  /// A disk as the plan has it.
  [[nodiscard]] DiskSpec spec(const std::string& name) const;

  /// A new disk, available.
  Seen<Disk> make_disk(const std::string& snapshot = {});
  /// A new disk, attached to plan.node.
  Seen<Disk> make_attached();
  Seen<Snapshot> make_snapshot(const std::string& disk);

  /// The disk when it is as `wanted`, for plan.settling at most.
  Seen<Disk> wait_for(const std::string& id, const std::function<bool(const Disk&)>& wanted,
                      std::string_view what);
  Seen<Disk> wait_for(const std::string& id, DiskState wanted);
  Seen<Disk> look(const std::string& id);
  Seen<Snapshot> look_snapshot(const std::string& id);
  /// Waits until it is in no answer.
  Verdict wait_gone(const std::string& id);

  /// To be removed at the end.
  void made_disk(const std::string& id);
  void made_snapshot(const std::string& id);
  /// Removes all that was made.
  Verdict clean();

  DiskBackend& backend;
  Clock& clock;
  const TrialPlan& plan;

 private:
  Verdict clean_disk(const std::string& id);

  std::mutex mutex_;  // guards the following
  int names_ = 0;
  std::vector<std::string> disks_;
  std::vector<std::string> snapshots_;
};

/// One promise.
struct TrialCase {
  const char* name;
  Verdict (*run)(Trial& trial);
  bool (*needs)(const Abilities& abilities) = nullptr;  ///< nullptr: of every backend
  bool needs_other_node = false;
};

[[nodiscard]] std::vector<TrialCase> disk_cases();
[[nodiscard]] std::vector<TrialCase> attach_cases();
[[nodiscard]] std::vector<TrialCase> change_cases();
[[nodiscard]] std::vector<TrialCase> snapshot_cases();
[[nodiscard]] std::vector<TrialCase> call_cases();

}  // namespace holdfast::disk
