#include "egw-gateway/access/routes/route_provider.h"

#include <algorithm>
#include <utility>

#include "egw-gateway/access/routes/table_changes.h"

namespace holdfast::gateway {
namespace {

constexpr int kMostHurried = 4;

bool passes(const RouteError& error) {
  return error.trouble == RouteTrouble::kBusy || error.trouble == RouteTrouble::kUnknown;
}

}  // namespace

/// One publish().
class TableRoutes::Run {
 public:
  Run(TableRoutes& of, const std::vector<PodRange>& ranges, std::chrono::milliseconds patience)
      : of_(of),
        wanted_(aggregate(ranges, of.table_.knows_tunnels())),
        end_(of.clock_.since_boot() + patience) {}

  RouteAnswer<Publication> run() {
    bool looked = false;
    while (true) {
      wait_ = {};
      const auto there = of_.table_.list(left());
      if (!there && !passes(there.error())) return tl::unexpected(there.error());
      if (there) {
        looked = true;
        plan_ = plan_routes(wanted_, *there, given_up_);
        if (plan_.done()) return result();
        carry_out();
      } else {
        delay(there.error());
      }
      if (wait()) continue;
      if (!looked) return tl::unexpected(there.error());
      return result();
    }
  }

 private:
  [[nodiscard]] std::chrono::milliseconds left() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - of_.clock_.since_boot());
    return std::max(left, std::chrono::milliseconds(1));
  }

  /// One step of each range. A table that is busy with one is busy with the next.
  void carry_out() {
    for (const TableRoute& route : plan_.drops) {
      if (!keep(route.range, of_.table_.drop(route, left()))) return;
    }
    for (const TableChanges::Put& put : plan_.puts) {
      if (!keep(put.range.range, of_.table_.put(put.range, put.there, left()))) return;
    }
    for (const TableRoute& route : plan_.late_drops) {
      if (!keep(route.range, of_.table_.drop(route, left()))) return;
    }
    const bool only_settling = plan_.drops.empty() && plan_.puts.empty() && plan_.late_drops.empty();
    if (only_settling) delay({RouteTrouble::kBusy, "the table has not finished with it", {}});
  }

  /// False: nothing else is to be tried now.
  bool keep(const Cidr& range, const RouteDone& done) {
    if (done) {
      passing_.erase(range);
      return true;
    }
    if (!passes(done.error())) {
      given_up_[range] = done.error();
      return true;
    }
    passing_[range] = done.error();
    delay(done.error());
    return false;
  }

  void delay(const RouteError& error) {
    const std::chrono::nanoseconds told = error.retry_after.value_or(std::chrono::seconds(0));
    wait_ = std::max({told, of_.waits_.next(), std::chrono::nanoseconds(kFirstWait)});
  }

  /// False: the time is over.
  bool wait() {
    if (!wait_ && ++hurried_ <= kMostHurried) {
      of_.waits_.reset();
      return of_.clock_.since_boot() < end_;
    }
    // somebody undoes all that is done, or the table shows it late
    if (!wait_) delay({RouteTrouble::kBusy, "", {}});
    if (of_.clock_.since_boot() + *wait_ >= end_) return false;
    of_.clock_.sleep(*wait_);
    return true;
  }

  /// What the last look showed, and why the rest is not so.
  RouteAnswer<Publication> result() {
    Publication out;
    out.standing = plan_.standing;
    out.troubles = plan_.troubles;
    out.troubles.insert(given_up_.begin(), given_up_.end());
    const auto unfinished = [&](const Cidr& range) {
      const auto known = passing_.find(range);
      out.troubles.try_emplace(
          range, known != passing_.end() ? known->second
                                         : RouteError{RouteTrouble::kBusy, "it is not finished in time", {}});
    };
    if (plan_.done()) return out;
    for (const TableRoute& route : plan_.drops) unfinished(route.range);
    for (const TableChanges::Put& put : plan_.puts) unfinished(put.range.range);
    for (const Cidr& range : plan_.settling) unfinished(range);
    for (const TableRoute& route : plan_.late_drops) unfinished(route.range);
    return out;
  }

  TableRoutes& of_;
  const std::vector<PodRange> wanted_;
  const std::chrono::nanoseconds end_;
  std::map<Cidr, RouteError> given_up_;
  std::map<Cidr, RouteError> passing_;  // the last trouble of those that are tried again
  TableChanges plan_;
  std::optional<std::chrono::nanoseconds> wait_;
  int hurried_ = 0;  // looks without a wait
};

RouteAnswer<Publication> TableRoutes::publish(const std::vector<PodRange>& ranges,
                                              std::chrono::milliseconds patience) {
  return Run(*this, ranges, patience).run();
}

RouteAnswer<std::vector<Cidr>> TableRoutes::published(std::chrono::milliseconds patience) {
  const auto there = table_.list(patience);
  if (!there) return tl::unexpected(there.error());
  std::vector<Cidr> out;
  for (const TableRoute& route : *there) {
    if (route.owner == RouteOwner::kOurs && route.settled && route.complete) out.push_back(route.range);
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace holdfast::gateway
