#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "egw-gateway/access/routes/route_table.h"

namespace holdfast::gateway {

/// What came of publishing.
struct Publication {
  std::vector<Cidr> standing;           ///< what leads here, aggregated, in order
  std::map<Cidr, RouteError> troubles;  ///< by range: wanted and not there, or there and not wanted

  bool operator==(const Publication&) const = default;
};

/// Tells the VPC which pods are reached by this access point. Its calls block: for a worker's thread.
class RouteProvider {
 public:
  RouteProvider() = default;
  RouteProvider(const RouteProvider&) = delete;
  RouteProvider& operator=(const RouteProvider&) = delete;
  virtual ~RouteProvider() = default;

  /// Makes these ranges lead here, aggregated, and none else of ours; none at all withdraws all. What was
  /// published and is still wanted stays reached meanwhile. Ends after `patience`; what is not finished by
  /// then is a trouble of kBusy or kUnknown, and another call goes on with it. Errors: nothing is known of
  /// the table.
  virtual RouteAnswer<Publication> publish(const std::vector<PodRange>& ranges,
                                           std::chrono::milliseconds patience) = 0;
  /// What leads here, in order. Errors: nothing is known of the table.
  virtual RouteAnswer<std::vector<Cidr>> published(std::chrono::milliseconds patience) = 0;
};

/// Of any table, by plan_routes(): looks, does, and looks again, until all is as wanted or cannot be. What is
/// busy or may have been done is tried again after a while.
class TableRoutes final : public RouteProvider {
 public:
  /// How long a table that is busy is left alone.
  static constexpr std::chrono::milliseconds kFirstWait{100};
  static constexpr std::chrono::milliseconds kLongestWait{3000};

  /// `table` and `clock` outlive it.
  TableRoutes(RouteTable& table, Clock& clock, std::uint64_t seed)
      : table_(table), clock_(clock), waits_(kFirstWait, kLongestWait, seed) {}

  RouteAnswer<Publication> publish(const std::vector<PodRange>& ranges,
                                   std::chrono::milliseconds patience) override;
  RouteAnswer<std::vector<Cidr>> published(std::chrono::milliseconds patience) override;

 private:
  class Run;

  RouteTable& table_;
  Clock& clock_;
  Backoff waits_;
};

}  // namespace holdfast::gateway
