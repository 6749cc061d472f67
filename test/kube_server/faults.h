#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::test {

enum class FaultKind : std::uint8_t {
  kDrop,          ///< the connection is closed without an answer; nothing was done
  kDropAfter,     ///< what was asked for is done, and the connection closed without an answer
  kDropHalfway,   ///< closed in the middle of the body; of a watch within its first event
  kSilence,       ///< never answered
  kDelay,         ///< answered after `delay`
  kStatus,        ///< a Status with this code, and Retry-After when given; nothing was done
  kTruncated,     ///< an answer that is whole HTTP and holds half of its JSON; of a watch half an event
  kGoneEvent,     ///< a watch that begins with an ERROR event of code 410 and ends
  kNoBookmarks,   ///< a watch without bookmarks
  kStaleMissing,  ///< 404 in plain text, as a cache on a node answers that has lost its content
  kStaleEmpty,    ///< such a cache's list with nothing in it, at version `stale_version` or the present one
};

/// Something that goes wrong, for the requests it is for.
struct Fault {
  FaultKind kind{};
  std::string verb{};    ///< get, list, watch, create, update, patch, delete; empty: any
  std::string plural{};  ///< "leases"; empty: any
  int times = 1;         ///< how often; -1: until the faults are cleared
  int status = 500;
  std::optional<std::chrono::seconds> retry_after{};
  std::chrono::milliseconds delay{};
  std::uint64_t stale_version = 0;
};

/// The faults of one server.
class Faults {
 public:
  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }
  /// The first that is for this request; it counts.
  std::optional<Fault> take(const std::string& verb, const std::string& plural);

 private:
  std::vector<Fault> faults_;
};

}  // namespace holdfast::test
