#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/kube/object_client.h"

namespace holdfast::kube {

/// Something worth telling those who look at an object with kubectl.
struct EventNote {
  std::string api_version = "v1";  ///< of the object it is about
  std::string kind{};              ///< "Node"
  std::string name{};
  std::string name_space{};  ///< empty: cluster-scoped; its events are in "default"
  std::string uid{};
  bool warning = false;
  std::string reason{};   ///< one word, "PodCIDRConflict"
  std::string message{};  ///< for people; at most kMaxMessage bytes of it are kept
};

/// Writes Events (core v1), sparingly: a note that is repeated becomes a count in one Event, written at most
/// every kRepeatEvery; more than kMaxSimilar notes that differ in their message only become one Event; and no
/// more than kBurst are written at once and then one every kOneEvery, one after the other. What cannot be
/// written now, because nobody answers, is kept and written later; of more than kMaxKept the one that was
/// quiet for longest is forgotten, and so is what was written and quiet for kForgetAfter.
///
/// Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
class EventRecorder {
 public:
  static constexpr std::chrono::minutes kRepeatEvery{5};
  static constexpr std::size_t kMaxSimilar = 10;
  static constexpr unsigned kBurst = 25;
  static constexpr std::chrono::seconds kOneEvery{60};
  static constexpr std::size_t kMaxKept = 128;
  static constexpr std::chrono::hours kForgetAfter{1};  ///< by then the server has too
  static constexpr std::size_t kMaxMessage = 1024;

  /// `loop` and `client` outlive it. `component` ("flanneld") and `host` tell where they come from. `seed`:
  /// another for every process.
  EventRecorder(EventLoop& loop, ObjectClient& client, std::string component, std::string host,
                std::uint64_t seed);
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;
  ~EventRecorder();

  void record(EventNote note);
  /// Calls `done` from the loop, once: when every note has its Event, and after `patience` in any case. For a
  /// program that ends. The last caller is served.
  void when_written(std::chrono::milliseconds patience, EventLoop::Callback done);
  /// Notes that no Event holds yet.
  [[nodiscard]] std::size_t unwritten() const;

 private:
  struct Entry {
    EventNote note;
    std::string event;   ///< its name
    bool there = false;  ///< the server has it
    std::uint64_t count = 0;
    std::uint64_t written = 0;
    std::chrono::sys_seconds first{};
    std::chrono::sys_seconds last{};
    std::chrono::nanoseconds last_seen{};     ///< since boot
    std::chrono::nanoseconds last_written{};  ///< since boot
  };
  using Entries = std::map<std::string, Entry>;

  Entry& entry_for(EventNote& note);
  void forget(Entries::iterator entry);
  void forget_old();
  void plan();
  void write_next();
  void end_waiting_after(std::chrono::milliseconds time);
  void wrote(const std::string& key, std::uint64_t count, const Result<nlohmann::json>& outcome);
  [[nodiscard]] std::chrono::nanoseconds due(const Entry& entry) const;
  [[nodiscard]] Entries::iterator next_due();
  [[nodiscard]] nlohmann::json event_of(const Entry& entry) const;

  EventLoop& loop_;
  ObjectClient& client_;
  std::string component_;
  std::string host_;
  std::uint64_t last_number_;  // of the Events' names
  Backoff backoff_;
  Entries entries_;
  std::map<std::string, std::set<std::string>> similar_;  // messages of notes that differ in nothing else
  std::chrono::nanoseconds paid_until_{};                 // each Event costs kOneEvery
  std::chrono::nanoseconds not_before_{};                 // after a failure
  ObjectClient::CallPtr call_;
  EventLoop::Timer next_;
  EventLoop::Callback all_written_;  // while somebody waits for it
  EventLoop::Timer patience_;
};

}  // namespace holdfast::kube
