#include "egw-gateway/access/published_ranges.h"

#include <algorithm>

namespace holdfast::gateway {
namespace {

using std::chrono::nanoseconds;

constexpr int kToUs = 1;  // the VPC's table leads to this machine, by whichever tunnel it goes on

bool is_recent(const std::optional<nanoseconds>& when, nanoseconds now) {
  return when && now - *when < kHoldDown;
}

class Publisher {
 public:
  explicit Publisher(nanoseconds now) : now_(now) {}

  void add(const ServedPool& pool, const PoolSight& sight) {
    const auto active = sight.ways.find(sight.active);
    const int tunnel = active == sight.ways.end() ? 0 : active->second.ifindex;
    const bool held = sight.active.empty() && is_recent(sight.lost, now_);
    out_.time_matters = out_.time_matters || held;
    const int from_vpc = held || !sight.active.empty() ? kToUs : 0;
    for (const Cidr& range : pool.pods) {
      out_.here.push_back({range, tunnel, pool.preferred});
      vpc_.push_back({range, from_vpc, pool.preferred});
    }
    for (const GatewayWay& way : pool.ways) {
      const auto seen = sight.ways.find(way.name.gateway);
      add_addresses(pool, way, seen == sight.ways.end() ? WaySight{} : seen->second, sight);
    }
  }

  PublishedRanges result() {
    if (!waits_) out_.vpc = std::move(vpc_);
    out_.time_matters = out_.time_matters || waits_;
    return std::move(out_);
  }

 private:
  void add_addresses(const ServedPool& pool, const GatewayWay& way, const WaySight& seen,
                     const PoolSight& sight) {
    const bool held = seen.state == LivenessState::kDown && is_recent(seen.went_down, now_);
    const bool unheard = seen.state == LivenessState::kUnknown;
    // a tunnel that cannot be made is not waited for longer than one that is
    const bool waits = unheard && (seen.ifindex != 0 || now_ - sight.seen_since < kFirstWord);
    waits_ = waits_ || waits;
    out_.time_matters = out_.time_matters || held;
    const bool reached = seen.state == LivenessState::kUp || held;
    for (const IpAddress& address : way.addresses) {
      const Cidr host = Cidr::make(address, address.bits()).value_or(Cidr());
      out_.here.push_back({host, reached || waits ? seen.ifindex : 0, pool.preferred});
      vpc_.push_back({host, reached ? kToUs : 0, pool.preferred});
    }
  }

  nanoseconds now_;
  PublishedRanges out_;
  std::vector<PodRange> vpc_;
  bool waits_ = false;
};

}  // namespace

PublishedRanges published_ranges(const std::vector<ServedPool>& pools,
                                 const std::map<std::string, PoolSight>& sights, nanoseconds now) {
  Publisher publisher(now);
  for (const ServedPool& pool : pools) {
    const auto sight = sights.find(pool.name);
    publisher.add(pool, sight == sights.end() ? PoolSight{} : sight->second);
  }
  return publisher.result();
}

}  // namespace holdfast::gateway
