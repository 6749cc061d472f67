#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>

#include "common/cloud/api.h"
#include "egw-gateway/access/routes/route_table.h"

namespace holdfast::gateway {

/// Where an access point stands in a VPC of Alibaba Cloud.
struct VpcPlace {
  std::string region;             ///< "cn-beijing"
  std::string route_table;        ///< "vtb-...", of the VPC
  std::string next_hop;           ///< this machine: "i-...", or better its interface, "eni-..."
  std::string next_hop_type;      ///< "Instance", "NetworkInterface" or "HaVip"
  std::set<std::string> peers;    ///< next hops of the other access points
  std::string name = "holdfast";  ///< of all our route entries: 1..128 characters, by which they are known
  /// The CEN instance that is to learn the routes, by which other VPCs reach the pods; empty: none.
  std::string cen = {};
  std::string vpc = {};  ///< "vpc-...", for the CEN
};

/// The route table of a VPC. A range is one entry there, whose next hop is changed in its place
/// (ModifyRouteEntry); of all that the table holds 48 custom entries are allowed unless the account's quota
/// vpc_quota_route_entrys_num says otherwise. The cloud finishes changes later, and takes one at a time. With
/// a CEN an entry is complete when it is published there too.
///
/// Ours, or a peer's, is a custom entry of our name whose next hop is this machine, or a peer. Of calls whose
/// outcome is not known the next attempt has the same token, so that they have their effect once.
///
/// Source: https://www.alibabacloud.com/help/en/vpc/developer-reference/api-vpc-2016-04-28-overview
/// (CreateRouteEntry, ModifyRouteEntry, DeleteRouteEntry, DescribeRouteEntryList),
/// https://www.alibabacloud.com/help/en/cen/developer-reference/api-cbn-2017-09-12-overview
/// (PublishRouteEntries, WithdrawPublishedRouteEntries, DescribePublishedRouteEntries)
class AlibabaTable final : public RouteTable {
 public:
  static constexpr std::string_view kVpcVersion = "2016-04-28";
  static constexpr std::string_view kCenVersion = "2017-09-12";
  /// "https://vpc.cn-beijing.aliyuncs.com"; the CEN has one for all regions.
  [[nodiscard]] static std::string vpc_url(const std::string& region);
  [[nodiscard]] static std::string cen_url();

  /// `vpc` is of kVpcVersion and `cen` of kCenVersion; both outlive it. `cen` is called when the place has
  /// one.
  AlibabaTable(cloud::AlibabaApi& vpc, cloud::AlibabaApi& cen, VpcPlace place)
      : vpc_(vpc), cen_(cen), place_(std::move(place)) {}

  [[nodiscard]] bool knows_tunnels() const override { return false; }
  RouteAnswer<std::vector<TableRoute>> list(Patience patience) override;
  RouteDone put(const PodRange& range, const std::optional<TableRoute>& there, Patience patience) override;
  RouteDone drop(const TableRoute& route, Patience patience) override;

 private:
  class Listing;
  /// An effect on a range that may be under way: what it is, and its token.
  struct Attempt {
    std::string what;
    std::string token;
  };
  cloud::Done run(std::string action, const Cidr& range, cloud::Parameters parameters, Patience patience);
  cloud::Done tell_cen(const std::string& action, const Cidr& range, Patience patience);
  void forget_attempts(const std::vector<TableRoute>& there);
  [[nodiscard]] cloud::Parameters entry(const Cidr& range) const;
  [[nodiscard]] cloud::Parameters cen_entry() const;

  cloud::AlibabaApi& vpc_;
  cloud::AlibabaApi& cen_;
  const VpcPlace place_;
  std::map<Cidr, Attempt> open_;  // not known how it ended
  std::set<Cidr> published_;      // in the CEN, as list() saw it
};

/// One entry of a VPC's route table, as DescribeRouteEntryList tells it.
struct VpcRouteEntry {
  std::string name;
  std::string type;  ///< "Custom", "System"
  std::string status;
  std::string destination;
  std::vector<std::string> next_hops;

  bool operator==(const VpcRouteEntry&) const = default;
};
struct VpcRoutePage {
  std::vector<VpcRouteEntry> entries;
  std::string next;  ///< of the next page; empty: there is none
};
/// Errors: kInvalidArgument for an answer of another shape.
[[nodiscard]] Result<VpcRoutePage> read_route_entries(const nlohmann::json& answer);
/// Ranges that a CEN has learned, of DescribePublishedRouteEntries, and how many entries the answer has in
/// all.
struct CenPage {
  std::set<Cidr> published;
  std::size_t seen = 0;
  std::size_t total = 0;
};
[[nodiscard]] Result<CenPage> read_published_entries(const nlohmann::json& answer);

/// What an error of the API means for a route.
[[nodiscard]] RouteError to_route_error(cloud::CallError error);

}  // namespace holdfast::gateway
