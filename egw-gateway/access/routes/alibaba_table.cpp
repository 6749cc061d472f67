#include "egw-gateway/access/routes/alibaba_table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

namespace holdfast::gateway {
namespace {

using cloud::AlibabaApi;
using cloud::CallEnd;
using cloud::Parameters;
using nlohmann::json;

constexpr const char* kDelete = "DeleteRouteEntry";
constexpr int kPage = 100;
constexpr int kMostPages = 100;
constexpr int kCenPage = 50;

std::string fresh_token() {
  std::random_device random;
  std::string out;
  for (int i = 0; i < 4; ++i) {
    std::array<char, 9> text{};
    std::snprintf(text.data(), text.size(), "%08x", random());
    out += text.data();
  }
  return out;
}

tl::unexpected<RouteError> other_shape(const Error& error) {
  return tl::unexpected(
      RouteError{RouteTrouble::kRefused, "the answer is not of the API: " + error.message, {}});
}

tl::unexpected<RouteError> failed(std::string_view action, cloud::CallError error) {
  return tl::unexpected(to_route_error(std::move(error).within(action)));
}

RouteDone done_of(cloud::Done done) {
  if (done) return {};
  return tl::unexpected(to_route_error(std::move(done).error()));
}

/// The cloud says that there is no such entry, or none with that next hop.
bool lacks_entry(const cloud::Done& done) {
  return !done && (done.error().code == "InvalidRouteEntry.NotFound" ||
                   done.error().code == "InvalidOperation.NotFoundRoute");
}

bool is_there_for_good(const std::string& status) { return status == "Available" || status == "Created"; }

}  // namespace

std::string AlibabaTable::vpc_url(const std::string& region) {
  return "https://vpc." + region + ".aliyuncs.com";
}

std::string AlibabaTable::cen_url() { return "https://cbn.aliyuncs.com"; }

Parameters AlibabaTable::entry(const Cidr& range) const {
  return {{"RegionId", place_.region},
          {"RouteTableId", place_.route_table},
          {"DestinationCidrBlock", range.to_string()}};
}

Parameters AlibabaTable::cen_entry() const {
  return {{"CenId", place_.cen},
          {"ChildInstanceId", place_.vpc},
          {"ChildInstanceType", "VPC"},
          {"ChildInstanceRegionId", place_.region},
          {"ChildInstanceRouteTableId", place_.route_table}};
}

/// All entries of the table, page by page.
class AlibabaTable::Listing {
 public:
  Listing(AlibabaTable& table, Patience patience) : table_(table), patience_(patience) {}

  RouteAnswer<std::vector<TableRoute>> run() {
    HOLDFAST_TRY(table_.published_, published());
    for (const char* version : {"IPv4", "IPv6"}) {
      if (const RouteDone done = read_family(version); !done) return tl::unexpected(done.error());
    }
    table_.forget_attempts(out_);
    return std::move(out_);
  }

 private:
  RouteAnswer<std::set<Cidr>> published() {
    std::set<Cidr> out;
    if (table_.place_.cen.empty()) return out;
    std::size_t seen = 0;
    for (int page = 1; page <= kMostPages; ++page) {
      AlibabaApi::Call call{
          .action = "DescribePublishedRouteEntries", .parameters = table_.cen_entry(), .deadline = patience_};
      call.parameters["PageNumber"] = std::to_string(page);
      call.parameters["PageSize"] = std::to_string(kCenPage);
      auto answer = table_.cen_.call(call);
      if (!answer) return failed(call.action, std::move(answer).error());
      const Result<CenPage> read = read_published_entries(*answer);
      if (!read) return other_shape(read.error());
      out.insert(read->published.begin(), read->published.end());
      seen += read->seen;
      if (read->seen == 0 || seen >= read->total) return out;
    }
    return tl::unexpected(
        RouteError{RouteTrouble::kRefused, "the CEN has too many routes to look through", {}});
  }

  RouteDone read_family(const char* version) {
    std::string next;
    for (int page = 0; page < kMostPages; ++page) {
      AlibabaApi::Call call{.action = "DescribeRouteEntryList", .deadline = patience_};
      call.parameters = {{"RegionId", table_.place_.region},
                         {"RouteTableId", table_.place_.route_table},
                         {"IpVersion", version},
                         {"MaxResult", std::to_string(kPage)}};
      if (!next.empty()) call.parameters["NextToken"] = next;
      auto answer = table_.vpc_.call(call);
      if (!answer) return failed(call.action, std::move(answer).error());
      const Result<VpcRoutePage> read = read_route_entries(*answer);
      if (!read) return other_shape(read.error());
      for (const VpcRouteEntry& each : read->entries) add(each);
      if (read->next.empty()) return {};
      next = read->next;
    }
    return tl::unexpected(
        RouteError{RouteTrouble::kRefused, "the route table has too many entries to look through", {}});
  }

  void add(const VpcRouteEntry& entry) {
    const Result<Cidr> range = Cidr::parse(entry.destination);
    if (!range) return;  // a list of prefixes, which is nobody's pod range
    const VpcPlace& place = table_.place_;
    const bool named = entry.type == "Custom" && entry.name == place.name && entry.next_hops.size() == 1;
    TableRoute route{.range = range->network()};
    if (named && entry.next_hops[0] == place.next_hop) route.owner = RouteOwner::kOurs;
    if (named && place.peers.contains(entry.next_hops[0])) route.owner = RouteOwner::kPeers;
    route.settled = is_there_for_good(entry.status);
    route.complete = place.cen.empty() || table_.published_.contains(route.range);
    out_.push_back(std::move(route));
  }

  AlibabaTable& table_;
  Patience patience_;
  std::vector<TableRoute> out_;
};

RouteAnswer<std::vector<TableRoute>> AlibabaTable::list(Patience patience) {
  return Listing(*this, patience).run();
}

/// What was attempted is done: the same again would be another effect, which the old token would not have.
void AlibabaTable::forget_attempts(const std::vector<TableRoute>& there) {
  std::erase_if(open_, [&](const auto& each) {
    const bool is_ours = std::ranges::any_of(there, [&](const TableRoute& route) {
      return route.range == each.first && route.owner == RouteOwner::kOurs;
    });
    return is_ours != each.second.what.starts_with(kDelete);
  });
}

cloud::Done AlibabaTable::run(std::string action, const Cidr& range, Parameters parameters,
                              Patience patience) {
  const std::string what = action + " " + place_.next_hop;
  Attempt& attempt = open_[range];
  if (attempt.what != what) attempt = {what, fresh_token()};
  const AlibabaApi::Call call{.action = std::move(action),
                              .parameters = std::move(parameters),
                              .token = attempt.token,
                              .deadline = patience};
  auto answer = vpc_.call(call);
  const bool unknown = !answer && answer.error().end == CallEnd::kUnknownOutcome;
  if (!unknown) open_.erase(range);
  if (answer) return {};
  return tl::unexpected(std::move(answer).error().within(call.action + " " + range.to_string()));
}

cloud::Done AlibabaTable::tell_cen(const std::string& action, const Cidr& range, Patience patience) {
  AlibabaApi::Call call{.action = action, .parameters = cen_entry(), .deadline = patience};
  call.parameters["DestinationCidrBlock"] = range.to_string();
  auto answer = cen_.call(call);
  if (answer) return {};
  return tl::unexpected(std::move(answer).error().within(action + " " + range.to_string()));
}

RouteDone AlibabaTable::put(const PodRange& range, const std::optional<TableRoute>& there,
                            Patience patience) {
  Parameters parameters = entry(range.range);
  if (!there) {
    parameters["NextHopId"] = place_.next_hop;
    parameters["NextHopType"] = place_.next_hop_type;
    parameters["RouteEntryName"] = place_.name;
    return done_of(run("CreateRouteEntry", range.range, std::move(parameters), patience));
  }
  if (there->owner == RouteOwner::kPeers) {
    parameters["NewNextHopId"] = place_.next_hop;
    parameters["NewNextHopType"] = place_.next_hop_type;
    cloud::Done done = run("ModifyRouteEntry", range.range, std::move(parameters), patience);
    // the peer has withdrawn it meanwhile: the next look tells
    if (lacks_entry(done)) return tl::unexpected(RouteError{RouteTrouble::kBusy, done.error().message, {}});
    return done_of(std::move(done));
  }
  if (place_.cen.empty() || published_.contains(range.range)) return {};
  return done_of(tell_cen("PublishRouteEntries", range.range, patience));
}

RouteDone AlibabaTable::drop(const TableRoute& route, Patience patience) {
  if (published_.contains(route.range)) {
    cloud::Done withdrawn = tell_cen("WithdrawPublishedRouteEntries", route.range, patience);
    if (!lacks_entry(withdrawn) && !withdrawn) return done_of(std::move(withdrawn));
    published_.erase(route.range);
  }
  Parameters parameters = entry(route.range);
  // so that one that a peer has taken meanwhile stays
  parameters["NextHopId"] = place_.next_hop;
  cloud::Done done = run(kDelete, route.range, std::move(parameters), patience);
  if (lacks_entry(done)) return {};
  return done_of(std::move(done));
}

}  // namespace holdfast::gateway
