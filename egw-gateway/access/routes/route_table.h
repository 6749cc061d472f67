#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/base/cidr.h"

namespace holdfast::gateway {

/// A range of pods, and where it is to lead.
struct PodRange {
  Cidr range;
  /// Index of the tunnel link to the gateway that was chosen; 0: none is alive, and no table holds the range.
  int tunnel = 0;
  bool take = true;  ///< also when another access point has it

  bool operator==(const PodRange&) const = default;
};

/// Why a route is not as it should be.
enum class RouteTrouble : std::uint8_t {
  kQuota,    ///< the table is full
  kForeign,  ///< somebody else's route for the same range stands there, and is left alone
  kRefused,  ///< for another reason; asking again does not help by itself
  kBusy,     ///< not done, or not finished: it is done at another time
  kUnknown,  ///< it may have been done
};
/// "QuotaExceeded", "ForeignRoute", "Refused", "Busy", "OutcomeUnknown": a condition's reason.
[[nodiscard]] std::string_view to_string(RouteTrouble trouble);

struct RouteError {
  RouteTrouble trouble = RouteTrouble::kRefused;
  std::string message;  ///< with the cure, where there is one
  std::optional<std::chrono::seconds> retry_after = std::nullopt;

  bool operator==(const RouteError&) const = default;
};

/// A value or a RouteError. It may not be dropped unread.
template <class T>
class [[nodiscard]] RouteAnswer : public tl::expected<T, RouteError> {
 public:
  using tl::expected<T, RouteError>::expected;
};
using RouteDone = RouteAnswer<void>;

enum class RouteOwner : std::uint8_t {
  kOurs,     ///< it leads here
  kPeers,    ///< it is of our kind, and leads to another access point
  kForeign,  ///< anybody else's
};

/// A route that stands in a table.
struct TableRoute {
  Cidr range;
  RouteOwner owner = RouteOwner::kForeign;
  int tunnel = 0;        ///< of ours, in a table that knows tunnels
  bool settled = true;   ///< the table has come to an end with it
  bool complete = true;  ///< nothing that a put would do is undone

  bool operator==(const TableRoute&) const = default;
};

/// Where routes to pods are told to the VPC: the kernel's table of this machine, when it is the VPC's router,
/// or a cloud's. One contract test holds all to this. Calls block, for `patience` at most.
class RouteTable {
 public:
  using Patience = std::chrono::milliseconds;

  RouteTable() = default;
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;
  virtual ~RouteTable() = default;

  /// Whether a route leads into a tunnel. Else to this machine.
  [[nodiscard]] virtual bool knows_tunnels() const = 0;
  /// All that stands there for ranges that somebody may want, others' too.
  virtual RouteAnswer<std::vector<TableRoute>> list(Patience patience) = 0;
  /// Makes the range lead where it is to lead: a new route when there is none, else the one that `there` is
  /// as list() told, changed in its place, without a moment in which there is none. Putting what is there
  /// succeeds.
  virtual RouteDone put(const PodRange& range, const std::optional<TableRoute>& there, Patience patience) = 0;
  /// Removes our route. One that is not there, or leads to another by now, is left alone and succeeds.
  virtual RouteDone drop(const TableRoute& route, Patience patience) = 0;
};

}  // namespace holdfast::gateway
